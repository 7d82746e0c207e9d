"""A running gateway as one caller of it: its answers as they come, and the truth about how they ended."""

import http.client
import time
from collections.abc import Generator, Iterator, Sequence

import msgspec

from gateway.cli.address import Address
from gateway.cli.chat.completions import MODELS, PATH, Chunk, Turn, Usage, message_of, names, question
from gateway.cli.endings import Failed
from gateway.events import FrameTooLarge
from gateway.wire.sse import Sse

_READ = 65536
_REFUSAL_LIMIT = 65536
_LIST_SECONDS = 30.0
_DONE = b"[DONE]"


class Cut(Failed):
    """The answer broke off: what came is not all there is."""


class Caller:
    """Asks with one key; without one, what an open gateway lets anybody ask."""

    def __init__(self, address: Address, key: str) -> None:
        self._address = address
        self._key = key

    def only_model(self) -> str:
        """The one model this key may use; `Failed` where it has to be named."""
        connection = self._address.connect(_LIST_SECONDS)
        try:
            response = self.asked(connection, "GET", MODELS)
            known = names(msgspec.json.decode(response.read()))
        except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
            raise Failed(f"The gateway at {self._address.url} did not tell its models.") from error
        finally:
            connection.close()
        if len(known) != 1:
            told = f"Name it with -m: {', '.join(known)}." if known else "This key may use none."
            raise Failed(f"Which model? {told}")
        return known[0]

    def answer(self, model: str, turns: Sequence[Turn]) -> "Answer":
        """The answer to the last turn, asked when it is first read."""
        return Answer(self, self._address, question(model, turns))

    def asked(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
    ) -> http.client.HTTPResponse:
        """The response whose head is there; `Failed` with the gateway's words when it refuses."""
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            connection.request(method, self._address.prefix + path, body=body, headers=headers)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"The gateway at {self._address.url} broke off before it answered.") from error
        if response.status != 200:
            raise Failed(self._refusal(response))
        return response

    def _refusal(self, response: http.client.HTTPResponse) -> str:
        with response:
            try:
                said = message_of(msgspec.json.decode(response.read(_REFUSAL_LIMIT)))
            except (OSError, http.client.HTTPException, msgspec.DecodeError, UnicodeDecodeError):
                said = None
        told = f"The gateway at {self._address.url} answered {response.status}: {said or response.reason}"
        if response.status == 401 and not self._key:
            return f"{told} Name a --key-file or set GATEWAY_API_KEY; `gateway keys create NAME` makes a key."
        return told


class Answer:
    """Text as it comes; who stops reading closes the connection, and the gateway its upstream."""

    def __init__(self, caller: Caller, address: Address, body: bytes) -> None:
        self._caller = caller
        self._address = address
        self._body = body
        self._began = 0.0
        self.first: float | None = None
        """Seconds to the first text."""
        self.took = 0.0
        """Seconds to the end."""
        self.finish: str | None = None
        """Why it is over, in the upstream's word."""
        self.usage = Usage()

    def __iter__(self) -> Generator[str, None, None]:
        """The text; raises `NotRunning`, `Failed` when the question is refused, `Cut` when the answer breaks off."""
        self._began = time.monotonic()
        connection = self._address.connect(None)  # how long an upstream may think is the gateway's to judge
        response: http.client.HTTPResponse | None = None
        try:
            response = self._caller.asked(connection, "POST", PATH, self._body)
            yield from self._texts(response)
        finally:
            # Both: the response keeps the socket open when the connection is closed.
            if response is not None:
                response.close()
            connection.close()
            self.took = time.monotonic() - self._began

    def _texts(self, response: http.client.HTTPResponse) -> Iterator[str]:
        events = Sse()
        try:
            while data := response.read1(_READ):
                for frame in events.feed(data):
                    if frame.data == _DONE:
                        return
                    if frame.data is not None:
                        yield self._text(msgspec.json.decode(frame.data, type=Chunk))
        except (OSError, http.client.HTTPException, msgspec.DecodeError, FrameTooLarge) as error:
            raise Cut("The answer was cut: what came is not all of it.") from error
        if self.finish is None:
            raise Cut("The answer was cut: what came is not all of it.")

    def _text(self, chunk: Chunk) -> str:
        if chunk.error is not None:
            said = message_of(chunk.error) or "nobody said why"
            raise Cut(f"The answer was cut: what came is not all of it ({said.rstrip('.')}).")
        self.finish = chunk.finish or self.finish
        self.usage = chunk.usage or self.usage
        if chunk.text and self.first is None:
            self.first = time.monotonic() - self._began
        return chunk.text
