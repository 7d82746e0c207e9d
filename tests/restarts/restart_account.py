"""Judges restarts: what the upstream saw, what clients were told and the rows of the database have to agree."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from restart_load import Told
from restart_upstream import Asked, tokens

from gateway.registry import Database
from gateway.registry.tables import usage
from gateway.settings import load_settings


class Row(NamedTuple):
    """What is judged of a row of the usage."""

    exchange: str
    outcome: str
    status: int | None
    finish: str | None
    provenance: str
    tokens: tuple[int | None, int | None]


class Account(NamedTuple):
    """What became of the attempts; everything in `wrong` breaks a promise."""

    asked: int
    outcomes: Mapping[str, int]
    undialled: int
    """Rows of attempts that were noted, and whose process was killed before the upstream saw them."""
    missing: int
    """Attempts that an upstream saw and that have no row."""
    wrong: Sequence[str]


async def read_rows(data_dir: Path, environ: Mapping[str, str]) -> list[Row]:
    """Every row of the usage."""
    database = await Database.open(load_settings(None, {**environ, "GATEWAY_DATA_DIR": str(data_dir)}))
    try:
        async with database.read() as connection:
            return [_row(found) for found in (await connection.execute(usage.select())).all()]
    finally:
        await database.aclose()


def _row(found: Any) -> Row:
    counted = (found.input_tokens, found.output_tokens)
    return Row(found.exchange_id, found.outcome, found.status, found.finish_reason, found.provenance, counted)


def account(
    asked: Sequence[Asked], told: Iterable[Told], killed: Mapping[str, float], rows: Sequence[Row], settling: float
) -> Account:
    """Judge it all. `killed` says when which process was; of what ended so many seconds (`settling`) before that, the
    row may say `lost`.
    """
    by_exchange: dict[str, list[Row]] = {}
    for row in rows:
        by_exchange.setdefault(row.exchange, []).append(row)
    calls = Counter(one.exchange for one in asked)
    asker = {one.exchange: one for one in asked}
    missing = 0
    wrong = [f"a {row.outcome} row of an exchange nobody asked" for row in rows if _unasked(row, calls)]
    for exchange, one in asker.items():
        found = by_exchange.get(exchange, [])
        if len(found) != calls[exchange]:
            wrong.append(f"{exchange}: {calls[exchange]} attempts, {len(found)} rows; {_age(one, killed)}")
            missing += max(0, calls[exchange] - len(found))
        wrong += (f"{exchange}: {flaw}" for row in found if (flaw := _flaw(row, one.process in killed)))
    for answer in told:
        wrong += _judged(answer, by_exchange.get(answer.exchange, []), asker, killed, settling)
    undialled = sum(row.exchange not in calls for row in rows)
    return Account(len(asked), Counter(row.outcome for row in rows), undialled, missing, wrong)


def _age(one: Asked, killed: Mapping[str, float]) -> str:
    return f"{killed[one.process] - one.began:.3f} s before the kill" if one.process in killed else "nobody was killed"


def _unasked(row: Row, calls: Mapping[str, int]) -> bool:
    """Only an attempt that was noted and killed before its dial has a row, and was never seen."""
    return row.exchange not in calls and row.outcome != "lost"


def _flaw(row: Row, killed: bool) -> str:
    if row.outcome == "ok":
        whole = Row(row.exchange, "ok", 200, "stop", "reported", tokens(row.exchange))
        return "" if row == whole else f"torn row {row}"
    if row.outcome == "lost":
        if not killed:
            return "lost, and nobody killed its process"
        return "" if row[2:] == (None, None, "none", (None, None)) else f"torn row {row}"
    return f"outcome {row.outcome}"


def _judged(
    answer: Told, rows: Sequence[Row], asker: Mapping[str, Asked], killed: Mapping[str, float], settling: float
) -> Iterable[str]:
    """What an answer says that is not true, or that its row does not say."""
    if not answer.visible:
        yield f"{answer.exchange}: not whole, and looks so: {answer.detail}"
    if answer.status not in (None, 200):
        yield f"refused: {answer.detail}"
    if not answer.whole:
        return
    if answer.exchange not in asker:
        yield f"{answer.exchange}: answered, and nobody was asked"
        return
    ended = killed.get(asker[answer.exchange].process, float("inf"))
    if ended - answer.at > settling and any(row.outcome != "ok" for row in rows):
        yield f"{answer.exchange}: answered {ended - answer.at:.3f} s before the kill, and its row says lost"
