"""For how long a client has taken nothing of what was written to it."""

import asyncio


class Unread:
    """Looked at now and then: nobody tells when the kernel takes some of it, which it does when the client reads."""

    size = 0
    """What waited when it was looked at; none where more was written since, so that it tells nothing any more."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._since = 0.0

    def look(self, now: float, written: float) -> float:
        """The seconds for which nothing was taken, from one look to another, nor `written`; none if nothing waits."""
        before, self.size = self.size, self._transport.get_write_buffer_size()
        if not 0 < before <= self.size:
            self._since = now
        return now - max(self._since, written) if self.size else 0.0
