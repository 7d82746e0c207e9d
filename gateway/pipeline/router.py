"""The only retry loop: which model is tried, how often, and when a second one is tried beside it."""

import asyncio

from gateway.domain import Exchange, Outcome, Route
from gateway.errors import GatewayError
from gateway.pipeline.attempts import Attempts
from gateway.pipeline.calls import Calls
from gateway.pipeline.choosing import Choice, choose
from gateway.pipeline.clients import ClientCache
from gateway.pipeline.live import Live
from gateway.pipeline.names import AnswerNames
from gateway.pipeline.race import Race
from gateway.protocols import Logger
from gateway.requests import ChatRequest
from gateway.routing import Health, Itinerary, Paces, RetryBudgets
from gateway.runtime import Generation
from gateway.terms import Hedge
from gateway.usage import Journal


class Router:
    """Tries a route's models until one answers; nothing is tried again once content went out."""

    def __init__(self, calls: Calls, log: Logger, names: AnswerNames, usage: Journal) -> None:
        self._calls = calls
        self._log = log
        self.health = Health()
        self._budgets = RetryBudgets()
        self.paces = Paces()
        self.clients = ClientCache(log)
        self._attempts = Attempts(calls, self.clients, self.health, names, usage)

    async def run(self, live: Live) -> None:
        """Answer the exchange; raises the last attempt's error when none could."""
        exchange = live.exchange
        route, request = exchange.route, exchange.request
        assert route is not None
        assert request is not None
        if request.keeps_model and not route.is_model:
            # A client that names the upstream's model itself does so only for a route of one.
            request = exchange.request = request.with_keeps_model(False)
        targets = self.choose(live.generation, exchange, request).order
        self._budgets.request(targets[0].tenant)
        itinerary: Itinerary | None = None
        if (hedge := route.options.hedge) is not None and request.is_chat and len(targets) > 1:
            itinerary = Itinerary(targets, self.health, self._budgets)
            error = await self._hedged(live, route, hedge, itinerary)
        else:
            error = await self._attempts.run(live, self._attempts.begin(live, targets[0], "first"))
        while error is not None:
            self._log.debug("attempt_failed", exchange=exchange.id, code=error.code, status=error.status)
            itinerary = itinerary or Itinerary(targets, self.health, self._budgets)
            wait = itinerary.after(error)
            if wait is None:
                raise error
            if wait:
                await asyncio.sleep(wait)
            error = await self._attempts.run(live, self._attempts.begin(live, itinerary.model, itinerary.reason))

    def choose(self, generation: Generation, exchange: Exchange, request: ChatRequest) -> Choice:
        """The models to try, by the route's terms and its strategy; raises when there are none."""
        return choose(generation, self.health, self._calls, exchange, request)

    async def _hedged(self, live: Live, route: Route, hedge: Hedge, itinerary: Itinerary) -> GatewayError | None:
        """The first attempt and, where it is slow to begin, another one beside it."""
        first = self._attempts.begin(live, itinerary.model, "first")
        patience = self.paces.patience(route, hedge)
        try:
            if patience is None:
                return await self._attempts.run(live, first)
            race = Race(live, self.health.answered)
            race.enter(first, self._attempts.run(live, first, race))
            await race.wait(patience)
            if race.is_open and (model := itinerary.spare()) is not None and self.paces.withdraw(route):
                itinerary.beside(model)
                second = self._attempts.begin(live, model, "hedge")
                race.enter(second, self._attempts.run(live, second, race))
                error = await race.end()
                if race.winner is second:
                    self.paces.won()
                return error
            return await race.end()
        finally:
            for attempt in live.exchange.attempts:
                self._attempts.settle(live, attempt)  # one that was cancelled before its task ran a step
            began = first.ended if first.outcome is Outcome.SUPERSEDED else first.first_content
            if began is not None:
                self.paces.measure(route, began - first.started)
