"""The accounts of one exchange: what its upstreams saw against its rows."""

from collections.abc import Iterator, Sequence

from chaos_history import Asked, Client, Death, Row
from chaos_script import LIMITS, due

WINDOW = 0.05
"""Seconds before a kill of which the ends may not have been noted."""
LEAVING = 0.5
"""Seconds until a client's leaving is noticed and settled, on a machine that is busy."""
UNSEEN = ("upstream_unreachable", "upstream_disconnected", "timeout")
"""Errors of attempts that may never have reached the upstream."""


class Accounts:
    """One exchange's attempts, as they were seen outside, and what may have kept its rows from being so."""

    def __init__(self, client: Client, asked: Sequence[Asked], death: Death | None, *, stopped: bool) -> None:
        self._client, self._asked, self._death, self._stopped = client, asked, death, stopped

    def findings(self, rows: Sequence[Row], exchange: str) -> Iterator[str]:
        """What is wrong with these rows."""
        rows = sorted(rows, key=lambda row: row.number)
        numbers = [row.number for row in rows]
        if len(set(numbers)) != len(numbers) or any(row.attempt != f"{exchange}-{row.number}" for row in rows):
            yield f"one attempt has several rows: {[row.attempt[-6:] for row in rows]}"
            return
        if numbers != list(range(1, len(rows) + 1)):
            yield f"the rows have the numbers {numbers}"
        yield from self._matched(rows)

    def _matched(self, rows: Sequence[Row]) -> Iterator[str]:
        left, unanswered = list(self._asked), list[Row]()
        for row in rows:
            mine = next((one for one in left if one.model == row.model and self._fits(one, row)), None)
            if mine is not None:
                left.remove(mine)
            elif not self._unseen(row):
                seen = [(one.model, due(self._client.ask, one.step).outcome) for one in left]
                yield f"attempt {row.number} at {row.model} is {row.outcome} {row.error}, and the upstream saw {seen}"
                return
            elif row.error == "upstream_disconnected":
                unanswered.append(row)
        for one in left:
            # Read from a connection that the upstream was closing already: seen, and never answered.
            if (row := next((row for row in unanswered if row.model == one.model), None)) is not None:
                unanswered.remove(row)
                continue
            yield f"the upstream was asked for {one.model} (attempt {one.step + 1}), and there is no row"

    def _fits(self, asked: Asked, row: Row) -> bool:
        """Whether the row says what became of that attempt."""
        client = self._client
        allowed = {due(client.ask, asked.step).outcome}
        if client.left:
            allowed.add("client_abort")
        # Who left is not there to see when the exchange ends.
        if self._too_fresh(client.ended + (LEAVING if client.left else 0.0)):
            allowed.add("lost")
        if self._stopped:
            allowed.add("shutdown")
        if client.ask.target == "hedged" and len(self._asked) > 1:
            allowed.add("superseded")
        if is_late(row):
            allowed.add("upstream_error")
        return row.outcome in allowed

    def _unseen(self, row: Row) -> bool:
        """Whether the attempt may never have reached the upstream."""
        if row.outcome == "upstream_error":
            return row.error in UNSEEN
        return (
            (row.outcome == "client_abort" and self._client.left)
            or (row.outcome == "lost" and self._death is not None)
            or (row.outcome == "shutdown" and self._stopped)
            or (row.outcome == "superseded" and self._client.ask.target == "hedged")
        )

    def _too_fresh(self, at: float) -> bool:
        """Whether what ended then may have been noted too late."""
        death = self._death
        return death is not None and at >= death.at - WINDOW - death.late


def is_late(row: Row) -> bool:
    """It ran into a limit, and as long as the limit is."""
    limit = {"timeout": LIMITS["first"], "idle_timeout": LIMITS["idle"]}.get(row.error or "")
    return limit is not None and row.duration >= 0.9 * limit
