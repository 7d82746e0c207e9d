"""The same seed decides the same, whatever the time."""

from itertools import islice

import chaos_plan as plan
from chaos_plan import FAULTY, SHAPE
from chaos_script import due, fault_at


def test_the_same_seed_gives_everybody_the_same_actions() -> None:
    for actor in (plan.swaps, plan.outages, plan.ends, plan.changes):
        assert list(islice(actor(3), 50)) == list(islice(actor(3), 50)) != list(islice(actor(4), 50))
    first, again, other = (list(islice(plan.asks(*who), 200)) for who in ((3, 1), (3, 1), (3, 2)))
    assert first == again
    assert [ask.script for ask in first] != [ask.script for ask in other]


def test_every_surface_and_nearly_every_fault_is_met() -> None:
    asks = list(islice(plan.asks(1, 1), 4000))
    assert {ask.shape for ask in asks} == SHAPE.keys()
    met = {(ask.shape, fault_at(ask, step)) for ask in asks for step in range(len(ask.script))}
    wanted = {(shape, fault) for shape, faults in FAULTY.items() for fault in faults}
    assert len(wanted & met) > 0.9 * len(wanted)
    assert {ask.leave for ask in asks} == {"", "at once", "after the head", "after some", "half-close"}
    assert all(due(ask, step).outcome for ask in asks for step in range(3))
