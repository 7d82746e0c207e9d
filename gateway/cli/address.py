"""Where a running gateway is asked, and the connection to it."""

import http.client
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.cli.endings import Failed, Wrong

if TYPE_CHECKING:
    from gateway.settings import Settings

_CONNECT_SECONDS = 5.0


class NotRunning(Exception):
    """Nobody answers at the address."""


def own_url(settings: "Settings") -> str:
    """`http://` and the host and port of the settings; where it listens everywhere, this machine."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to be asked at, not to be bound
    host = anywhere.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


class Address:
    """One running gateway: dialled directly, through no proxy, and no redirect is followed."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Wrong(f"--url: {self.url} is no address like http://127.0.0.1:8000.")
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host = parts.hostname
        try:
            self._port = parts.port
        except ValueError as error:
            raise Wrong(f"--url: {error}.") from error
        self.prefix = parts.path
        """What the paths of its surfaces begin with."""

    def connect(self, seconds: float | None) -> http.client.HTTPConnection:
        """A connection on which every read may take that long; raises `NotRunning`, `Failed` for untrusted TLS.

        Certificates are verified as everywhere in Python: by the system's authorities, or those of `SSL_CERT_FILE`.
        """
        connection = self._kind(self._host, self._port, timeout=_CONNECT_SECONDS)
        try:
            connection.connect()
        except ssl.SSLError as error:  # somebody answers: nothing must be done in its place
            connection.close()
            raise Failed(_untrusted(self.url, error)) from error
        except OSError as error:
            connection.close()
            raise NotRunning(f"No gateway answers at {self.url}.") from error
        connection.sock.settimeout(seconds)
        return connection


def _untrusted(url: str, error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".")
        return f"The certificate of {url} is not trusted: {why}. SSL_CERT_FILE names authorities of your own."
    return f"What answers at {url} speaks no TLS that can be trusted ({error.reason})."
