"""The judge of restarts sees each kind of loss: planted one at a time into a history that is right."""

import pytest
from restart_account import Row, account
from restart_load import Told
from restart_upstream import Asked, tokens

KILLED_AT = 10.0
NAMES = [f"{number:04x}" * 8 for number in range(1, 6)]
"""Two of a process that lives, and three of one that was killed: answered, running, and begun just before."""
ASKED = [
    Asked(name, process, began)
    for name, process, began in zip(NAMES, ["one", "one", "two", "two", "two"], [8, 9, 9, 9.5, 9.99], strict=True)
]
OK = [Row(name, "ok", 200, "stop", "reported", tokens(name)) for name in NAMES]
LOST = [Row(name, "lost", None, None, "none", (None, None)) for name in NAMES]
ROWS = [OK[0], OK[1], OK[2], LOST[3], LOST[4]]
TOLD = [Told(name, 200, True, True, 9.2, "") for name in NAMES[:3]]
CUT = Told(NAMES[3], 200, False, True, KILLED_AT, "")


def judged(asked=ASKED, told=(*TOLD, CUT), rows=ROWS, settling=0.05):
    return account(asked, told, {"two": KILLED_AT}, rows, settling)


def test_a_history_that_keeps_the_promise_is_right():
    found = judged()
    assert found.wrong == []
    assert found.outcomes == {"ok": 3, "lost": 2}
    assert found.missing == 0


def test_an_attempt_that_was_noted_and_never_dialled_is_counted_apart():
    found = judged(rows=[*ROWS, Row("f" * 32, *LOST[0][1:])])
    assert (found.undialled, found.wrong) == (1, [])


def test_of_what_ended_just_before_the_kill_the_end_may_be_unknown():
    rows = [OK[0], OK[1], LOST[2], LOST[3], LOST[4]]
    told = [*TOLD[:2], Told(NAMES[2], 200, True, True, KILLED_AT - 0.01, "")]
    assert judged(told=told, rows=rows).wrong == []
    assert "its row says lost" in "".join(judged(told=told, rows=rows, settling=0.0).wrong)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"rows": ROWS[:4]}, "1 attempts, 0 rows; 0.010 s before the kill"),
        ({"rows": ROWS[1:]}, "1 attempts, 0 rows; nobody was killed"),
        ({"rows": [*ROWS, OK[0]]}, "1 attempts, 2 rows"),
        ({"rows": [*ROWS, Row("f" * 32, *OK[0][1:])]}, "nobody asked"),
        ({"rows": [OK[0]._replace(tokens=(1, None)), *ROWS[1:]]}, "torn"),
        ({"rows": [OK[0]._replace(tokens=OK[1].tokens), *ROWS[1:]]}, "torn"),
        ({"rows": [*ROWS[:3], LOST[3]._replace(finish="stop"), LOST[4]]}, "torn"),
        ({"rows": [LOST[0], *ROWS[1:]]}, "nobody killed"),
        ({"rows": [OK[0], OK[1], *LOST[2:]]}, "its row says lost"),
        ({"rows": [OK[0]._replace(outcome="client_abort"), *ROWS[1:]]}, "outcome client_abort"),
        ({"told": [*TOLD, CUT._replace(visible=False)]}, "looks so"),
        ({"told": [*TOLD, CUT._replace(status=500)]}, "refused"),
        ({"told": [*TOLD, Told("e" * 32, 200, True, True, 9.0, "")]}, "nobody was asked"),
    ],
)
def test_every_broken_promise_is_seen(change, word):
    assert any(word in wrong for wrong in judged(**change).wrong), judged(**change).wrong
