"""The limiter: what an exchange needs of which limits, taken before it and settled after it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from gateway import Exchange, Gateway, Limiter
from gateway.protocols import Lifespan
from gateway.size import Size
from gateway.terms import Limits as Amounts
from gateway_limits.connecting import shared_counters
from gateway_limits.counters import Cell, Counters, Kind, OwnCounters
from gateway_limits.settings import Settings
from gateway_limits.wording import limit_headers, refusal, too_large

_STATE: Final = "limits"
_NONE: Final = Amounts()


class Limits:
    """Keeps the limits of keys, owners and models, for one generation of plugins."""

    def __init__(self, settings: Settings, counters: Counters) -> None:
        self._settings = settings
        self._each = settings.limits()
        self._owner = settings.owner.limits()
        self._models = {name: share.limits() for name, share in settings.models.items()}
        self._always = any(limits != _NONE for limits in (self._each, self._owner))
        self._counters = counters

    @classmethod
    def of(cls, gateway: Gateway) -> Self:
        """The same for all hooks of one generation."""
        state = gateway.state
        if not hasattr(state, _STATE):
            settings: Settings = gateway.settings
            state.limits = cls(
                settings, OwnCounters() if settings.url is None else shared_counters(settings, gateway.log)
            )
        found: Self = state.limits
        return found

    @property
    def ailing(self) -> str:
        """What it does without for now; empty while all is well."""
        return self._counters.ailing

    def running(self) -> Lifespan:
        """Count while the context is open."""
        return self._counters.running()

    def concerns(self, exchange: Exchange) -> bool:
        """Whether anything is limited for it; nothing is asked, counted or awaited where nothing is."""
        principal, route = exchange.principal, exchange.route
        return (
            self._always
            or (principal is not None and principal.limits is not None)
            or (bool(self._models) and route is not None and route.name in self._models)
        )

    async def acquire(self, exchange: Exchange) -> None:
        """Reserve what the exchange needs; raises `RateLimited`."""
        cells = self._cells(exchange)
        if not cells:
            return
        taken = await self._counters.take(cells, exchange.id)
        exchange.added_headers = (*exchange.added_headers, *limit_headers(exchange.surface, cells, taken))
        if taken.refused is not None:
            raise refusal(cells, taken)
        exchange.state[_STATE] = cells

    async def settle(self, exchange: Exchange) -> None:
        """Replace what was reserved by what was used."""
        cells = exchange.state.pop(_STATE, None)
        if cells is not None:
            await self._counters.settle(cells, exchange.id, _used(exchange))

    def left(self, exchange: Exchange) -> Mapping[str, Any]:
        """What the caller has left of each limit, as far as this process knows."""
        return {
            f"{cell.name.partition(':')[0]} {cell.kind}": {
                "limit": int(cell.limit),
                "left": max(0, int(self._counters.left(cell))),
            }
            for cell in self._cells(exchange)
        }

    def _cells(self, exchange: Exchange) -> Sequence[Cell]:
        tokens = _Tokens(exchange, self._settings.answer_tokens)
        return [cell for name, limits in self._limits(exchange) for cell in _cells(name, limits, tokens)]

    def _limits(self, exchange: Exchange) -> Iterator[tuple[str, Amounts]]:
        principal, route = exchange.principal, exchange.route
        if principal is not None:
            own = principal.limits
            yield f"key:{principal.id}", self._each if own is None else own.over(self._each)
            if principal.owner is not None:
                yield f"owner:{principal.owner}", self._owner
        if route is not None and (limits := self._models.get(route.name)) is not None:
            yield f"model:{route.name}", limits


class _Tokens:
    """What one exchange will take, estimated once and only if a limit asks."""

    def __init__(self, exchange: Exchange, answer: int) -> None:
        self._exchange = exchange
        self._answer = answer
        self._known: tuple[int, int] | None = None

    def of(self, cell: Cell) -> Cell:
        """The cell with what is needed; raises when waiting would not help."""
        if self._known is None:
            self._known = self._estimated()
        prompt, answer = self._known
        if prompt > cell.limit:
            raise too_large(cell, prompt)
        # An answer may be allowed to be longer than the limit and yet be short: it is let in when nothing else is.
        return cell._replace(need=min(float(prompt + answer), cell.limit))

    def _estimated(self) -> tuple[int, int]:
        request, route = self._exchange.request, self._exchange.route
        if request is None:
            return 0, self._answer
        size = Size(request)
        said = size.output(route.targets[0]) if route is not None and route.targets else 0
        return size.tokens, said or (self._answer if request.is_chat else 0)


def _cells(name: str, limits: Amounts, tokens: _Tokens) -> Iterator[Cell]:
    amounts: tuple[tuple[Kind, int | None], ...] = (
        ("concurrent", limits.concurrent),
        ("rpm", limits.rpm),
        ("tpm", limits.tpm),
    )
    for kind, limit in amounts:
        if limit is not None:
            cell = Cell(f"{name}:{kind}", kind, float(limit), 1.0)
            yield tokens.of(cell) if kind == "tpm" else cell


def _used(exchange: Exchange) -> float:
    """The tokens of all attempts, as reported; where nobody reported and text came, as estimated."""
    used = 0
    for answer in (attempt.answer for attempt in exchange.attempts):
        if answer is None:
            continue
        if answer.usage is not None:
            used += (answer.usage.input or 0) + (answer.usage.output or 0)
        elif answer.deltas and exchange.request is not None:
            used += Size(exchange.request).tokens + answer.deltas
    return float(used)


if TYPE_CHECKING:
    _: type[Limiter] = Limits
