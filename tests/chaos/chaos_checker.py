"""Holds what everybody saw against each other: what does not fit is a finding.

I1 no client hung - I2 no answer pretended, none broken without a cause - I3 no upstream connection held - I4 one row
for each attempt, with the right outcome - I5 tasks and descriptors back - I6 no secret shown - I7 no traceback.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from chaos_accounts import Accounts, is_late
from chaos_history import Asked, Client, Death, History, Traced
from chaos_plan import SHAPE
from chaos_script import due, word_of

from gateway.testing.told import Ending

NOT_FOUND = "Cannot coerce the result to a single JSON object"
LOOKUP = "Model lookup failed."
"""How the custom route says it, with status 500: the first of a model that is not there, the second of a database."""
BACK = 10.0
"""Seconds until every worker has seen that the database is back, on a machine that is busy."""
T = TypeVar("T")


class Checker:
    """Looks at one history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._asked = _grouped(history.asked, lambda asked: asked.tag)
        self._traced = _grouped(history.traced, lambda traced: traced.tag)
        self._rows = _grouped(history.rows, lambda row: row.exchange)

    def findings(self) -> list[str]:
        """Everything that does not fit, in words; empty is as it should be."""
        return [*self._of_clients(), *self._of_rows(), *self._of_the_rest()]

    def _of_clients(self) -> Iterator[str]:
        for client in self._history.clients:
            for finding in self._of_client(client):
                yield f"{finding} ({client.ask.tag}, {client.ask.shape} for {client.ask.target}, {client.ask.script})"

    def _of_client(self, client: Client) -> Iterator[str]:
        word = word_of(client.ask.tag)
        if client.hung:
            yield "I1: the client hung"
            return
        if client.flaw or client.ending is Ending.PRETENDED:
            yield f"I2: {client.flaw or client.ending}"
        if not (word.startswith(client.text) or client.text.startswith(word)):
            yield f"I2: the client was told {client.text[:60]!r}, which nobody said to it"
        if client.left or self._excused(client):
            if not client.left and client.ending is Ending.CUT and not self._may_be_cut(client):
                yield f"I2: a stop has cut the answer, and did not say so: {client.text[-60:]!r}"
            if client.ending is Ending.PROPER and not client.left:
                yield from self._of_proper(client)
            return
        match client.ending:
            case Ending.PROPER:
                yield from self._of_proper(client)
            case Ending.REFUSED:
                yield from self._of_refused(client)
            case Ending.ERROR | Ending.CUT if client.ending is not self._last_ending(client):
                if not self._timed_out(client):
                    yield f"I2: {client.ending} {client.code!r} for no reason, {client.text[-60:]!r}"
            case None:
                yield "I2: no answer at all, and nobody was killed or stopped"

    def _of_proper(self, client: Client) -> Iterator[str]:
        """A whole answer is what one upstream said, from its beginning to its end."""
        asked = self._answering(client)
        whole = [one for one in asked if (at := due(client.ask, one.step)).ending is Ending.PROPER and at.text]
        if not whole:
            yield f"I2: a proper end, and the upstream sent none: {client.text[:60]!r}"
        elif all(due(client.ask, one.step).text != client.text for one in whole):
            yield f"I2: the client took {client.text[-60:]!r} for the whole answer, which it is not"

    def _of_refused(self, client: Client) -> Iterator[str]:
        if self._asked.get(client.ask.tag):
            if self._last_ending(client) is not Ending.REFUSED and not self._timed_out(client):
                yield f"I2: refused with {client.status} {client.code!r}, and the upstream had answered"
        elif not self._may_be_refused(client):
            yield f"I2: refused with {client.status} {client.code!r}, and no upstream was asked"

    def _may_be_refused(self, client: Client) -> bool:
        """Whether it asked for a model or with a key that comes and goes; nobody else is refused, outage or not."""
        ask, away = client.ask, self._away(client)
        if ask.target == "v" and (client.status == 404 or client.code == NOT_FOUND):
            return True
        if ask.passing_key and client.status == 401:
            return True
        return away and (ask.target == "v" or ask.passing_key) and (client.status == 503 or client.code == LOOKUP)

    def _answering(self, client: Client) -> Sequence[Asked]:
        """The attempts that may be the one which answered: the last, or any where two were made at once."""
        asked = self._asked.get(client.ask.tag, ())
        return asked if client.ask.target == "hedged" else asked[-1:]

    def _last_ending(self, client: Client) -> Ending | None:
        asked = self._answering(client)
        endings = [due(client.ask, one.step).ending for one in asked]
        return client.ending if client.ending in endings else endings[-1] if endings else None

    def _timed_out(self, client: Client) -> bool:
        rows = [row for traced in self._traced.get(client.ask.tag, ()) for row in self._rows.get(traced.exchange, ())]
        return any(is_late(row) for row in rows)

    def _excused(self, client: Client) -> bool:
        """Whether its server was killed or told to stop while it was asked."""
        return self._killed(client) or self._stopped(client.since, client.ended)

    def _may_be_cut(self, client: Client) -> bool:
        """A killed server cannot say what happened, and the custom route has no words for it."""
        return SHAPE[client.ask.shape].surface == "custom" or self._killed(client)

    def _killed(self, client: Client) -> bool:
        workers = {traced.worker for traced in self._traced.get(client.ask.tag, ())}
        return self._died(client.since, client.ended, workers)

    def _died(self, begin: float, end: float, workers: Collection[int] = ()) -> bool:
        """Whether one of these workers was killed meanwhile, or any where nobody knows which it was."""
        return any(
            begin - death.late <= death.at <= end and (not workers or death.worker in workers)
            for death in self._history.deaths
        )

    def _stopped(self, begin: float, end: float) -> bool:
        return any(stop.begin <= end and begin <= stop.end for stop in self._history.stops)

    def _away(self, client: Client) -> bool:
        """Whether the database was away, or had just come back."""
        return any(
            outage.begin <= client.ended and client.sent <= outage.end + BACK for outage in self._history.outages
        )

    # -- rows ---------------------------------------------------------------------------------------

    def _of_rows(self) -> Iterator[str]:
        clients = {client.ask.tag: client for client in self._history.clients}
        known = {traced.exchange for traced in self._history.traced}
        for exchange in self._rows.keys() - known:
            yield f"I4: a row of an exchange that never was ({exchange})"
        for tag in self._asked.keys() - self._traced.keys():
            yield f"I4: the upstream was asked by an exchange that is not traced ({tag})"
        for tag, traced in self._traced.items():
            if len(traced) != 1:
                yield f"I4: one request became {len(traced)} exchanges ({tag})"
            one, client = traced[0], clients[tag]
            stopped = self._stopped(client.since, client.ended)
            accounts = Accounts(client, self._asked.get(tag, ()), self._death(one), stopped=stopped)
            for finding in accounts.findings(self._rows.get(one.exchange, ()), one.exchange):
                yield f"I4: {finding} ({tag}, {client.ask.script}, exchange {one.exchange})"

    def _death(self, traced: Traced) -> Death | None:
        deaths = (one for one in self._history.deaths if one.worker == traced.worker and one.at >= traced.at)
        return next(deaths, None)

    # -- all the rest -------------------------------------------------------------------------------

    def _of_the_rest(self) -> Iterator[str]:
        for asked in self._history.asked:
            if asked.held:
                yield f"I3: the upstream's connection is still open ({asked.tag}, attempt {asked.step + 1})"
        yield from self._of_holdings()
        yield from (f"I6: {leak}" for leak in self._history.leaks)
        yield from (f"I7: {line}" for line in self._history.logs)
        yield from (f"I5: {what}" for what in self._history.left)
        for did in self._history.did:
            broken_off = self._died(did.begin, did.end) or self._stopped(did.begin, did.end)
            if did.answer in ("hung", "500") or (did.answer == "cut" and not broken_off):
                yield f"I1: {did.what} was answered with {did.answer}"

    def _of_holdings(self) -> Iterator[str]:
        if not self._history.before:
            return
        for holding in self._history.after:
            for what in ("tasks", "files"):
                most = max(getattr(before, what) for before in self._history.before)
                if (now := getattr(holding, what)) > most:
                    yield f"I5: worker {holding.worker} has {now} {what}, {most} before"
            if holding.clients:
                yield f"I5: worker {holding.worker} holds {holding.clients} connections of clients that have left"


def _grouped(things: Iterable[T], key: Callable[[T], str]) -> Mapping[str, Sequence[T]]:
    found: dict[str, list[T]] = {}
    for thing in things:
        found.setdefault(key(thing), []).append(thing)
    return found


def summary(findings: Sequence[str]) -> Counter[str]:
    """How many of each invariant."""
    return Counter(finding[:2] for finding in findings)
