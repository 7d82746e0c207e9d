"""Whether the guard will let requests out to where the models are."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from gateway.cli.demo import MODEL_ID
from gateway.cli.doctor.finding import Finding, command, failed, ok, warning
from gateway.egress import EgressPolicy, SystemResolver
from gateway.egress.guard import AddressDenied, Guard
from gateway.egress.policy import AllowList
from gateway.egress.url import Target, parse_target
from gateway.errors import GatewayError
from gateway.settings import Settings

_CHECK = "base urls"
_RESOLVE_SECONDS = 5.0
_AT_ONCE = 16


class _Verdict(NamedTuple):
    refused: str = ""
    unknown: str = ""


def base_urls(settings: Settings, models: Sequence[Any]) -> Iterator[Finding]:
    """A finding for each model that cannot be reached as it stands, and one for the rest."""
    models = [model for model in models if model.id != MODEL_ID]  # `gateway serve --demo` allows its address itself
    allowed = AllowList(settings.egress.allow)
    targets: dict[str, Target] = {}
    wrong = 0
    for model in models:
        try:
            targets[model.id] = parse_target(model.base_url)
        except GatewayError as error:
            wrong += 1
            yield failed(_CHECK, f"{_named(model)}: its base URL cannot be used: {error}.", _disabled(model))
    verdicts = asyncio.run(_verdicts(settings, targets))
    refused = {_place(targets[by]): verdict.refused for by, verdict in verdicts.items() if verdict.refused}
    if refused:
        everything = json.dumps([*settings.egress.allow, *refused])
        told = "; ".join(f"{place} ({why})" for place, why in refused.items())
        fix = command("export", f"GATEWAY_EGRESS__ALLOW={everything}")
        yield failed(
            _CHECK,
            f"By the settings that this command sees, the egress guard refuses what models stand for: {told}.",
            fix,
        )
    for model in models:
        target, verdict = targets.get(model.id), verdicts.get(model.id, _Verdict())
        if verdict.unknown:
            yield warning(_CHECK, f"{_named(model)}: {verdict.unknown}.", _disabled(model))
        elif target is not None and not target.tls and not verdict.refused and not _is_private(allowed, target):
            told = f"{_named(model)}: its key and every prompt go over the network in plain text (http)."
            yield warning(_CHECK, told, _encrypted(model))
    yield ok(_CHECK, f"{len(models) - wrong - sum(bool(any(one)) for one in verdicts.values())} models may be reached")


def _is_private(allowed: AllowList, target: Target) -> bool:
    """Whether the operator named that very place: plain http is usual inside one's own network."""
    if target.literal:
        return allowed.covers(ip_address(target.literal), target.port)
    return allowed.names(target.host, target.port)


def _place(target: Target) -> str:
    host = f"[{target.literal}]" if ":" in target.literal else target.host
    return f"{host}:{target.port}"


def _named(model: Any) -> str:
    return f"model {model.name!r} ({model.id})"


def _disabled(model: Any) -> str:
    return command("gateway", "models", "update", model.id, "--disable")


def _encrypted(model: Any) -> str:
    secure = f"https://{model.base_url.partition('://')[2]}"
    if "?" in secure:  # a query may hold a key
        return _disabled(model)
    return command("gateway", "models", "update", model.id, "--base-url", secure)


async def _verdicts(settings: Settings, targets: dict[str, Target]) -> dict[str, _Verdict]:
    """What the guard says at the dial, asked once for each place."""
    guard = Guard(EgressPolicy(allow=settings.egress.allow), SystemResolver())
    few = asyncio.Semaphore(_AT_ONCE)

    async def ask(target: Target) -> _Verdict:
        try:
            async with few, asyncio.timeout(_RESOLVE_SECONDS):
                await guard.addresses(target)
        except AddressDenied as error:
            return _Verdict(refused=str(error).partition(" may not be")[0])
        except TimeoutError:
            return _Verdict(unknown=f"the name {target.host} is not resolved in time")
        except OSError:
            return _Verdict(unknown=f"the name {target.host} does not resolve")
        return _Verdict()

    places = {_place(target): target for target in targets.values()}
    said = dict(zip(places, await asyncio.gather(*map(ask, places.values())), strict=True))
    return {by: said[_place(target)] for by, target in targets.items()}
