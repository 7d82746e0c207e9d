"""How a provider tells what its upstream says, and what it asks of it."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

import msgspec

from gateway.testing.asked import Asked, chat_request
from gateway.testing.bench import LIMITS
from gateway.testing.canned import CHAT, Canned, difference
from gateway.testing.conformance.provider_base import ANYBODY, ProviderChecks
from gateway.testing.conformance.suite import cases, check, fail

UNKNOWN_FIELD: Final = b'{"a": [1, 2.50, "\xc3\xa9"]}'
"""What a client may send and no gateway knows; decoding it would lose the number's zero."""
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")


class AnswerChecks(ProviderChecks):
    """What it says and what it asks."""

    @check
    async def test_name_is_one_word(self) -> None:
        """Operators write the name into models: lower-case letters, digits and single joints."""
        async with self.bench():
            name = self.under_test.name
            if not _NAME.fullmatch(name):
                fail(f"is called '{name}': write lower-case letters, digits and single '-' or '_'")

    @cases(*CHAT, "one_byte_drip")
    async def test_says_what_the_upstream_said(self, name: str) -> None:
        """The answer's text, tool calls and usage come through whole, however its bytes arrive."""
        canned = self.answer(name)
        self.needs(CHAT[name].needs if name in CHAT else "")
        async with self.bench() as bench:
            self.model(bench, name, canned.behaviour())
            asked = await bench.ask(chat_request(name, choices=canned.choices))
        problem = asked.problem or difference(canned.says, asked.said)
        if problem and name == "text" and not self.own_answers:
            fail(f"{problem} (if its upstream speaks another dialect than chat completions, declare `answers`)")
        if problem:
            self.lies(CHAT[name].needs if name in CHAT else "", problem)

    @check
    async def test_passes_on_each_piece_at_once(self) -> None:
        """What the upstream wrote is visible before it writes more."""
        canned = self.answer("text")
        async with self.bench() as bench:
            self.model(bench, "gated", canned.behaviour(gated=True))
            asked = bench.begin("gated", principal=ANYBODY)
            if not await asked.until(lambda: bool(bench.upstream.seen("gated")) or asked.task.done()):
                fail("does not ask its upstream")
            for number, text in enumerate(_growth(canned), start=1):
                if not await asked.until(partial(_has, asked, text), self.patience):
                    if asked.task.done() and asked.problem:
                        fail(asked.problem)
                    fail(
                        f"buffers the stream: with write {number} of {len(canned.writes)} the upstream had said "
                        f"{text!r}, and {self.patience:g} seconds later the client still had {asked.said.text!r}; "
                        "yield each piece as it comes"
                    )
                bench.upstream.seen("gated")[0].go_on()
            if not await asked.ended(self.patience):
                fail("does not end the answer although the upstream has ended it")

    @check
    async def test_passes_on_unknown_fields(self) -> None:
        """A field that the gateway does not know reaches the upstream byte for byte."""
        self.needs("unknown_fields")
        async with self.bench() as bench:
            self.model(bench, "fields", self.answer("text").behaviour())
            await bench.ask(chat_request("fields", x_unknown=msgspec.Raw(UNKNOWN_FIELD)))
            bodies = [seen.request.body for seen in bench.upstream.seen("fields")]
        if not any(UNKNOWN_FIELD in body for body in bodies):
            sent = bodies[0][:300].decode("utf-8", "replace") if bodies else "nothing"
            what = "drops unknown fields: the client sent 'x_unknown'"
            self.lies("unknown_fields", f"{what} with {UNKNOWN_FIELD.decode()}, the upstream got {sent}")

    @check
    async def test_does_not_change_the_request(self) -> None:
        """The request belongs to the exchange: another attempt sends it again."""
        async with self.bench() as bench:
            asked = await self.asked(bench, "unchanged", self.answer("text").behaviour())
        now = {name: bytes(value) for name, value in asked.request.fields.items()}
        before = {name: bytes(value) for name, value in asked.fields_before.items()}
        if changed := sorted(name for name in now.keys() | before.keys() if now.get(name) != before.get(name)):
            fields = ", ".join(f"'{name}'" for name in changed)
            fail(f"mutates the request it was given (field {fields}): make a copy with `request.with_fields(...)`")

    @check
    async def test_keeps_credentials_apart(self) -> None:
        """Two models asked at one time: each upstream sees its own key alone."""
        keys = {f"apart{number}": f"sk-kit-key-number-{number}" for number in (1, 2, 3)}
        async with self.bench() as bench:
            for name, key in keys.items():
                self.model(bench, name, self.answer("text").behaviour(pause=0.01), key=key)
            running = [bench.begin(name, principal=ANYBODY) for name in keys]
            for asked in running:
                await asked.ended(LIMITS.first)
            for name, own in keys.items():
                for seen in bench.upstream.seen(name):
                    request = f"{seen.request.target} {seen.request.headers} {seen.request.body!r}"
                    for other in keys.values():
                        if other != own and other in request:
                            fail("sends one model's key to another's upstream: keep nothing of an attempt in it")


def _has(asked: Asked, text: str) -> bool:
    return asked.said.text.startswith(text)


def _growth(canned: Canned) -> Iterator[str]:
    """The text as far as each write tells it; a write with nothing of it leaves it as it was."""
    text, told = canned.says.text, 0
    for write in canned.writes:
        decoded = write.decode("utf-8", "replace")
        rest = text[told:]
        told += next((n for n in range(len(rest), min(2, len(rest) - 1), -1) if rest[:n] in decoded), 0)
        yield text[:told]
