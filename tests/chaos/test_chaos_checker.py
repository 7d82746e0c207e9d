"""The checker finds what it is for: one good history, and one for each way it can go wrong."""

from collections.abc import Callable

import msgspec
import pytest
from chaos_checker import Checker
from chaos_history import Asked, Client, Death, Did, History, Holding, Row, Span, Traced
from chaos_plan import Ask
from chaos_script import word_of

from gateway.testing.told import Ending

TAG, EXCHANGE, WORKER = "chaos-1-1", "e1", 7
ASK = Ask(tag=TAG, shape="chat", target="a", script=("503", "long"), words=3)


def good() -> History:
    """One request: refused by its upstream at first, then answered."""
    text = word_of(TAG) + "ial" * 3
    row = {"exchange": EXCHANGE, "model": "chat-a", "error": None, "duration": 0.1}
    return History(
        seed=0,
        clients=[Client(ask=ASK, since=10.0, sent=10.0, ended=11.0, status=200, ending=Ending.PROPER, text=text)],
        asked=[Asked(tag=TAG, model="chat-a", step=step, at=10.1 + step / 10, over=True) for step in (0, 1)],
        traced=[Traced(tag=TAG, exchange=EXCHANGE, worker=WORKER, at=10.05)],
        rows=[
            Row(attempt="e1-1", number=1, outcome="upstream_error", **row),
            Row(attempt="e1-2", number=2, outcome="ok", **row),
        ],
        before=[Holding(worker=WORKER, tasks=5, files=20, clients=0)],
        after=[Holding(worker=WORKER, tasks=5, files=20, clients=0)],
    )


def _killed(history: History, at: float) -> None:
    history.deaths.append(Death(worker=WORKER, at=at, late=0.0))


def _client(**changes: object) -> Callable[[History], None]:
    def change(history: History) -> None:
        for name, value in changes.items():
            setattr(history.clients[0], name, value)

    return change


def _row(number: int, **changes: object) -> Callable[[History], None]:
    def change(history: History) -> None:
        history.rows[number - 1] = msgspec.structs.replace(history.rows[number - 1], **changes)

    return change


def _script(*names: str) -> Callable[[History], None]:
    def change(history: History) -> None:
        history.clients[0].ask = msgspec.structs.replace(ASK, script=names)

    return change


def _both(*changes: Callable[[History], None]) -> Callable[[History], None]:
    def change(history: History) -> None:
        for one in changes:
            one(history)

    return change


WRONG: dict[str, tuple[str, Callable[[History], None]]] = {
    "the client hung": ("I1", _client(hung=True)),
    "the control plane hung": ("I1", lambda history: history.did.append(Did(what="reload", answer="hung"))),
    "a cut that was ended cleanly": ("I2", _script("503", "reset")),
    "a piece of the answer is missing": ("I2", _client(text=word_of(TAG) + "ialial")),
    "an answer of somebody else": ("I2", _client(text=word_of("chaos-9-9") + "ialialial")),
    "a dialect's end that is none": ("I2", _client(ending=Ending.PRETENDED, flaw="it ends without saying how")),
    "an error for no reason": ("I2", _client(ending=Ending.ERROR, code="upstream_disconnected")),
    "a cut for no reason": ("I2", _client(ending=Ending.CUT)),
    "a refusal for no reason": ("I2", _client(ending=Ending.REFUSED, status=500, text="")),
    "cut by a stop, and not told so": (
        "I2",
        _both(
            _client(ending=Ending.CUT), lambda history: history.stops.append(Span(what="restart", begin=10.5, end=13.0))
        ),
    ),
    "no answer at all": ("I2", _client(ending=None, status=None, text="")),
    "refused, and nobody was asked": (
        "I2",
        _both(_client(ending=Ending.REFUSED, status=503, text=""), lambda history: history.asked.clear()),
    ),
    "refused because the database is away": ("I2", lambda history: _asked_nobody()(history)),
    "a connection that is still open": ("I3", lambda history: setattr(history.asked[1], "held", True)),
    "a row that is lost": ("I4", lambda history: history.rows.pop()),
    "the first row is lost": ("I4", lambda history: history.rows.pop(0)),
    "a row that came twice": ("I4", lambda history: history.rows.append(_copy(history.rows[1], attempt="e1-2x"))),
    "a row of nobody": ("I4", lambda history: history.rows.append(_copy(history.rows[1], exchange="e2"))),
    "a wrong outcome": ("I4", _row(2, outcome="truncated")),
    "a failure that is accounted as well": ("I4", _row(1, outcome="ok")),
    "lost, and nobody was killed": ("I4", _row(2, outcome="lost")),
    "lost, long before the kill": ("I4", _both(_row(2, outcome="lost"), lambda history: _killed(history, 12.0))),
    "no row, just before the kill": (
        "I4",
        _both(lambda h: h.rows.pop(), _client(ending=Ending.CUT), lambda history: _killed(history, 10.24)),
    ),
    "a time-out that came too early": ("I4", _row(2, outcome="upstream_error", error="timeout", duration=0.2)),
    "a client that stayed and is said to have left": ("I4", _row(2, outcome="client_abort")),
    "a task too many": ("I5", lambda history: history.after.append(_holding(tasks=6))),
    "a descriptor too many": ("I5", lambda history: history.after.append(_holding(files=21))),
    "a client's connection too many": ("I5", lambda history: history.after.append(_holding(clients=1))),
    "a journal that is left": ("I5", lambda history: history.left.append("1.sqlite is left in usage/")),
    "a secret": ("I6", lambda history: history.leaks.append("a secret is in the log")),
    "a traceback": ("I7", lambda history: history.logs.append("Traceback (most recent call last):")),
}


def _copy(row: Row, **changes: object) -> Row:
    return msgspec.structs.replace(row, **changes)


def _holding(**held: int) -> Holding:
    return Holding(**{"worker": WORKER, "tasks": 5, "files": 20, "clients": 0, **held})


def test_a_good_history_has_no_findings() -> None:
    assert Checker(good()).findings() == []


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_found(what: str) -> None:
    invariant, change = WRONG[what]
    history = good()
    change(history)
    assert [finding[:2] for finding in Checker(history).findings()].count(invariant) >= 1


def _asked_nobody(**changes: object) -> Callable[[History], None]:
    def change(history: History) -> None:
        history.clients[0].ask = msgspec.structs.replace(ASK, **changes)
        _client(ending=Ending.REFUSED, status=503, text="")(history)
        history.asked.clear()
        history.rows.clear()
        history.outages.append(Span(what="cut", begin=9.0, end=12.0))

    return change


EXCUSED: dict[str, Callable[[History], None]] = {
    "killed just after the answer: the settlement is lost": _both(_row(2, outcome="lost"), lambda h: _killed(h, 11.03)),
    "killed just after the dial": _both(
        _row(2, outcome="lost"), _client(ending=Ending.CUT), lambda history: _killed(history, 10.24)
    ),
    "killed in the middle": _both(_client(ending=Ending.CUT), _row(2, outcome="lost"), lambda h: _killed(h, 10.9)),
    "told to stop": _both(
        _client(ending=Ending.ERROR, code="server_shutting_down"),
        _row(2, outcome="shutdown"),
        lambda history: history.stops.append(Span(what="restart", begin=10.5, end=13.0)),
    ),
    "a new key while the database is away": _asked_nobody(passing_key=True),
    "the client left": _both(_client(left=True, ending=Ending.CUT), _row(2, outcome="client_abort")),
    "too slow for the limit": _both(
        _client(ending=Ending.ERROR, code="idle_timeout"),
        _row(2, outcome="upstream_error", error="idle_timeout", duration=2.1),
    ),
    "asked on a connection that its upstream was closing": _both(
        _script("long"), _row(1, error="upstream_disconnected")
    ),
}


@pytest.mark.parametrize("what", EXCUSED)
def test_what_has_a_reason_is_no_finding(what: str) -> None:
    history = good()
    EXCUSED[what](history)
    assert Checker(history).findings() == []
