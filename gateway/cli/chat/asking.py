"""One question to a running gateway, its answer as it comes, and the truth about how it ended."""

import codecs
import http.client
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from gateway.cli.address import Address
from gateway.cli.endings import Failed

_READ = 65536
_FAILURE_LIMIT = 65536


class Cut(Failed):
    """The answer broke off: what came is not all there is."""


class Answer:
    """Text as it comes; who stops listening closes the connection, and the gateway its upstream."""

    def __init__(self, address: Address, path: str, key: str, body: bytes) -> None:
        self._address = address
        self._path = path
        self._key = key
        self._body = body
        self.first: float | None = None
        """Seconds to the first text."""
        self.took = 0.0
        """Seconds to the end."""

    def __iter__(self) -> Iterator[str]:
        """The text; raises `NotRunning`, `Failed` when the question is refused, `Cut` when the answer breaks off."""
        began = time.monotonic()
        connection = self._address.connect(None)  # how long an upstream may think is the gateway's to judge
        response: http.client.HTTPResponse | None = None
        try:
            response = self._asked(connection)
            for text in _texts(response):
                if text and self.first is None:
                    self.first = time.monotonic() - began
                yield text
        except (OSError, http.client.HTTPException) as error:
            raise Cut("The answer was cut: what came is not all of it.") from error
        finally:
            # Both: the response keeps the socket open when the connection is closed.
            if response is not None:
                response.close()
            connection.close()
            self.took = time.monotonic() - began

    def _asked(self, connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            connection.request("POST", self._address.prefix + self._path, body=self._body, headers=headers)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"The gateway at {self._address.url} broke off before it answered.") from error
        if response.status != 200:
            raise Failed(self._refusal(response))
        return response

    def _refusal(self, response: http.client.HTTPResponse) -> str:
        with response:
            try:
                document: Any = msgspec.json.decode(response.read(_FAILURE_LIMIT))
            except (OSError, http.client.HTTPException, msgspec.DecodeError, UnicodeDecodeError):
                document = None
        message = document.get("message") if isinstance(document, Mapping) else None
        told = f"The gateway at {self._address.url} answered {response.status}: {message or response.reason}"
        if response.status == 401 and not self._key:
            return f"{told} Name a --key-file or set GATEWAY_API_KEY; `gateway keys create NAME` makes a key."
        return told


def _texts(response: http.client.HTTPResponse) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while data := response.read1(_READ):
        yield decoder.decode(data)
    yield decoder.decode(b"", final=True)
