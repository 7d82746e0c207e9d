"""Litestar's events, for the plugins that use them."""

from typing import Any, Self

from litestar.events import SimpleEventEmitter
from litestar.exceptions import ImproperlyConfiguredException


class Emitter(SimpleEventEmitter):
    """Litestar's own, which opens its queue only where there is a listener: otherwise a start needs no anyio."""

    async def __aenter__(self) -> Self:
        """Open the queue."""
        if self.listeners:
            await super().__aenter__()
        return self

    def emit(self, event_id: str, *args: Any, **kwargs: Any) -> None:
        """Call the event's listeners, later."""
        if not self.listeners:
            raise ImproperlyConfiguredException(f"no event listeners are registered for event ID: {event_id}")
        super().emit(event_id, *args, **kwargs)
