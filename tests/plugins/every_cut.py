"""Every stream there is of every provider, cut at every byte, for every client, with and without plugins in the way.

`make cuts` prints how each cut was told and writes it into docs/reliability.md; it fails where one looked like a whole
answer and was none. `make test` has a sample.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import get_args

import gemini_streams
import msgspec
from fault_report import write
from replay import CLIENTS, Lane, agreed, hear, replayed, run
from test_responses_replay import EVERYTHING

from gateway.events import Finish, Reasoning, Text, ToolCall
from gateway.protocols import UpstreamDialect
from gateway.testing.canned import CHAT as CHAT_ANSWERS
from gateway.testing.canned import Canned, Said
from gateway.testing.canned_messages import MESSAGES as MESSAGES_ANSWERS
from gateway.testing.canned_vendors import VENDORS
from gateway.testing.upstream import from_transcript
from gateway.wire.chat import CHAT
from gateway.wire.messages import MESSAGES
from gateway.wire.responses import RESPONSES
from gateway_bedrock.conformance import CONFORMANCE as BEDROCK_KIT
from gateway_bedrock.dialect import CONVERSE
from gateway_cohere.conformance import CONFORMANCE as COHERE_KIT
from gateway_cohere.dialect import COHERE
from gateway_gemini.dialect import GEMINI
from gateway_ollama.conformance import CONFORMANCE as OLLAMA_KIT
from gateway_ollama.dialect import OLLAMA

TOLD = ("refused", "broken", "whole")
PLUGINS = {"plain": "none", "observed": "one that looks", "parsed": "one that may change events"}
RECORDED = "chat, recorded"
GOLDEN = Path(__file__).parents[1] / "golden"
UNTOLD = {"mistral": "text"}
"""The custom route writes what is no text as JavaScript does, as the original; its goldens hold that."""
_LATE_NAME = re.compile(rb"\ndata:[^\n]*\nevent:")
"""An event whose name comes behind its data: cut in between, nobody can tell that it is not for the client."""
LONGEST = 20_000
"""Bytes; what is longer is padding, and cutting it everywhere takes the square of that."""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream, and whether it ends with an error by itself."""

    name: str
    provider: str
    dialect: UpstreamDialect
    canned: Canned
    fails: bool = False
    without: str = ""
    """The client that is told it otherwise."""


def streams() -> Iterator[Stream]:
    """All of them."""
    libraries = [
        ("chat", CHAT, CHAT_ANSWERS),
        ("chat, other makers", CHAT, VENDORS),
        ("messages", MESSAGES, MESSAGES_ANSWERS),
        ("responses", RESPONSES, {"everything": EVERYTHING}),
        ("gemini", GEMINI, gemini_streams.STREAMS),
        ("gemini", GEMINI, gemini_streams.BROKEN),
        *(
            (kit, dialect, {name: msgspec.convert(given, Canned) for name, given in answers["answers"].items()})
            for kit, dialect, answers in (
                ("bedrock", CONVERSE, BEDROCK_KIT),
                ("cohere", COHERE, COHERE_KIT),
                ("ollama", OLLAMA, OLLAMA_KIT),
            )
        ),
        (RECORDED, CHAT, dict(recorded())),
    ]
    for provider, dialect, canned in libraries:
        for name, one in canned.items():
            if one.content_type != "application/json" and sum(map(len, one.writes)) <= LONGEST:
                yield Stream(
                    name=name,
                    provider=provider,
                    dialect=dialect,
                    canned=one,
                    fails=canned is gemini_streams.BROKEN or ("error" in name and provider != RECORDED),
                    without=UNTOLD.get(name, ""),
                )


def recorded() -> Iterator[tuple[str, Canned]]:
    """What upstreams were recorded to say behind the custom route, where all clients take it for the same answer."""
    for path in sorted(GOLDEN.glob("custom_route*/*.json")):
        for number, behaviour in enumerate(from_transcript(json.loads(path.read_bytes()).get("upstream_behaviour"))):
            if not behaviour.chunked or behaviour.status != 200:
                continue
            canned = Canned(writes=behaviour.writes, says=Said())
            said = hear(CLIENTS[0], run(CHAT, CLIENTS[0], canned, *canned.writes)).says
            canned = msgspec.structs.replace(canned, says=said)
            if agreed(CHAT, canned) and not (_goes_on(canned) or _LATE_NAME.search(b"".join(canned.writes))):
                yield f"{path.stem} {number}", canned


def _goes_on(canned: Canned) -> bool:
    """Whether it says that it is finished and then says more: cut in between, nobody can tell."""
    framing, reader = CHAT.framing(), CHAT.reader()
    events = [event for frame in framing.feed(b"".join(canned.writes)) for event in reader.read(frame)]
    finishes = [at for at, event in enumerate(events) if isinstance(event, Finish)]
    return bool(finishes) and any(isinstance(event, Text | Reasoning | ToolCall) for event in events[finishes[0] :])


@cache
def every() -> tuple[Stream, ...]:
    """All of them, found once in each process."""
    return tuple(streams())


def cut(index: int, lane: Lane) -> tuple[str, Counter[str]]:
    """One stream in one lane: what is wrong, and how often each was told."""
    stream = every()[index]
    try:
        told = replayed(stream.dialect, stream.canned, fails=stream.fails, without=stream.without, lane=lane)
    except AssertionError as error:
        return f"{stream.provider}, {stream.name}, {lane}: {error}", Counter()
    return "", sum(told.values(), Counter())


def main() -> None:
    """Cut everything everywhere, with as many processes as there are processors."""
    counts: dict[tuple[str, Lane], Counter[str]] = {}
    jobs = [
        (index, lane)
        for lane in get_args(Lane)
        for index, stream in enumerate(every())
        if lane == "plain" or stream.provider != RECORDED  # they are many, and of one dialect
    ]
    flaws: list[str] = []
    with ProcessPoolExecutor() as pool:
        for (index, lane), (wrong, told) in zip(jobs, pool.map(cut, *zip(*jobs, strict=True)), strict=True):
            if wrong:
                print(wrong, flush=True)
                flaws.append(wrong)
            counts.setdefault((every()[index].provider, lane), Counter()).update(told)
    if flaws:
        sys.exit(f"{len(flaws)} streams were told wrongly where they were cut")
    print(text := table(Counter(stream.provider for stream in every()), counts))
    write(text, Path(sys.argv[1]), block="cuts")


def table(seen: Counter[str], counts: dict[tuple[str, Lane], Counter[str]]) -> str:
    """Markdown: date and sums, then a line for each provider and lane."""
    all_of_them = sum(counts.values(), Counter())
    cuts = sum(all_of_them[how] for how in TOLD)
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}: {sum(seen.values())} streams, {cuts:,} cuts, 0 clean ends after a cut.",
        "",
        "| upstream | streams | plugins in the way | cuts | refused before content | visibly broken | whole |",
        "|---|---|---|---|---|---|---|",
    ]
    for (provider, lane), how in counts.items():
        told = " | ".join(f"{how[word]:,}" for word in TOLD)
        lines.append(f"| {provider} | {seen[provider]} | {PLUGINS[lane]} | {sum(how[w] for w in TOLD):,} | {told} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
