"""What the upstream plays for one attempt, and what has to come of it when nothing else interferes."""

import msgspec
from chaos_plan import SHAPE, Ask
from fault_dialects import Pieces, pieces_saying
from fault_expected import Verdict, fine
from fault_table import FAULTS, KEY, plain, said, well

from gateway.testing.told import Ending
from gateway.testing.upstream import Behaviour

LIMITS = {"connect": 2.0, "first": 4.0, "idle": 2.0, "total": 60.0}
"""Seconds that the models of a history give their upstreams."""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt leads to, if it is the last of its exchange."""

    ending: Ending
    outcome: str
    text: str | None
    """Of a proper end."""


def word_of(tag: str) -> str:
    """What every answer to the request of that tag begins with."""
    return f"part<{tag}>"


def fault_at(ask: Ask, step: int) -> str:
    """The name of what happens at an attempt, counted from 0."""
    return ask.script[min(step, len(ask.script) - 1)]


def due(ask: Ask, step: int) -> Due:
    """What that attempt leads to."""
    shape, name = SHAPE[ask.shape], fault_at(ask, step)
    expected = _verdict(name, ask).of(shape)
    text = expected.text and expected.text.replace("part", word_of(ask.tag), 1)
    return Due(ending=expected.ending, outcome=expected.outcomes[0], text=text)


def behaviour(ask: Ask, step: int, model: str, canary: int) -> Behaviour:
    """What the upstream plays; the key it quotes is the one it was given."""
    pieces = pieces_saying(SHAPE[ask.shape].dialect, word_of(ask.tag))
    played = _played(fault_at(ask, step), ask, pieces)
    escaped = msgspec.json.encode(KEY)[1:-1]
    writes = played.writes
    for key in (KEY.encode(), escaped):
        writes = tuple(data.replace(key, key + model.encode()) for data in writes)
    headers = tuple((name, value.replace("{canary}", str(canary))) for name, value in played.headers)
    return msgspec.structs.replace(played, writes=writes, headers=headers)


def _verdict(name: str, ask: Ask) -> Verdict:
    match name:
        case "well":
            return fine("part")
        case "whole":
            return fine("partial")
        case "long":
            return fine("part" + "ial" * ask.words)
    return FAULTS[name].verdict


def _played(name: str, ask: Ask, pieces: Pieces) -> Behaviour:
    match name:
        case "well":
            return well(pieces)
        case "whole":
            return plain(pieces.whole)
        case "long":
            ends = [end for end in (pieces.stop, pieces.done) if end]
            return said(pieces.text, *[pieces.more] * ask.words, *ends, pause=ask.pause)
    (played,) = FAULTS[name].behaviours(pieces)
    return played
