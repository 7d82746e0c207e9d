"""The ways an upstream fails, ready to `play` on a `ScriptedUpstream`."""

from gateway.testing.upstream import Behaviour, Ending, chat_events, stream


def stall_before_head() -> Behaviour:
    """Accept the request and never say a word."""
    return Behaviour(status=None, ending=Ending.HOLD)


def stall_before_first_event() -> Behaviour:
    """Send the status line and no event."""
    return stream(ending=Ending.HOLD)


def stall_midstream(*texts: str) -> Behaviour:
    """Say `texts`, then fall silent with the connection open."""
    return stream(*chat_events(*texts, finish=None), ending=Ending.HOLD)


def reset_before_head() -> Behaviour:
    """Reset the connection instead of answering."""
    return Behaviour(status=None, ending=Ending.RESET)


def reset_midstream(*texts: str) -> Behaviour:
    """Say `texts`, then reset the connection."""
    return stream(*chat_events(*texts, finish=None), ending=Ending.RESET)


def close_midstream(*texts: str) -> Behaviour:
    """Say `texts`, then close the connection without ending the message."""
    return stream(*chat_events(*texts, finish=None), ending=Ending.CLOSE)


def close_mid_chunk(*texts: str) -> Behaviour:
    """Say `texts`, then close the connection inside a chunk."""
    return stream(*chat_events(*texts, finish=None), ending=Ending.MID_CHUNK)


def end_without_finish(*texts: str) -> Behaviour:
    """Say `texts` and end the message properly, with neither finish reason nor `[DONE]`."""
    return stream(*chat_events(*texts, finish=None))


def drip(*texts: str, pause: float = 0.0) -> Behaviour:
    """A proper answer, one byte for each TCP write."""
    whole = b"".join(chat_events(*texts))
    return stream(*(bytes((byte,)) for byte in whole), pause=pause)


def endless_line(size: int = 4 * 1024 * 1024) -> Behaviour:
    """One event whose line does not end."""
    return stream(b"data: ", *(b"x" * 65536 for _ in range(size // 65536)), pause=0.0, ending=Ending.HOLD)
