"""Where the running gateway of these settings is asked."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.settings import Settings


def own_url(settings: "Settings") -> str:
    """`http://` and the host and port of the settings; where it listens everywhere, this machine."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to be asked at, not to be bound
    host = anywhere.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
