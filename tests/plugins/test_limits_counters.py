"""Limits counted in one process: what is taken, what comes back, and when."""

from gateway_limits.counters import Cell, OwnCounters


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def cell(kind, limit, need=1.0, name="key:k"):
    return Cell(f"{name}:{kind}", kind, limit, need)


async def test_a_minutes_worth_may_be_taken_at_once_and_comes_back_evenly():
    clock = Clock()
    counters = OwnCounters(clock)
    one = [cell("rpm", 6)]
    assert [(await counters.take(one, str(n))).left for n in range(6)] == [(5,), (4,), (3,), (2,), (1,), (0,)]
    assert (await counters.take(one, "x")).refused == 0
    clock.now += 9.9
    assert (await counters.take(one, "x")).refused == 0
    clock.now += 0.1
    assert (await counters.take(one, "x")).refused is None
    clock.now += 3600
    assert counters.left(one[0]) == 6


async def test_what_one_limit_refuses_is_taken_of_no_other():
    counters = OwnCounters(Clock())
    both = [cell("rpm", 10), cell("concurrent", 5), cell("tpm", 100, 60)]
    assert (await counters.take(both, "a")).refused is None
    taken = await counters.take(both, "b")
    assert (taken.refused, taken.left) == (2, (9, 4, 40))
    assert [counters.left(one) for one in both] == [9, 4, 40]


async def test_tokens_that_were_not_used_come_back_and_what_was_used_beyond_them_counts():
    clock = Clock()
    counters = OwnCounters(clock)
    few = [cell("tpm", 100, 60)]
    await counters.take(few, "a")
    await counters.settle(few, "a", 10)
    assert counters.left(few[0]) == 90
    await counters.take(few, "b")
    await counters.settle(few, "b", 250)
    assert counters.left(few[0]) == -160
    clock.now += 60
    assert counters.left(few[0]) == -60
    assert (await counters.take(few, "c")).refused == 0
    clock.now += 72
    assert (await counters.take(few, "c")).refused is None


async def test_a_place_is_free_again_when_its_holder_is_settled_and_only_once():
    counters = OwnCounters(Clock())
    places = [cell("concurrent", 2)]
    await counters.take(places, "a")
    await counters.take(places, "b")
    assert (await counters.take(places, "c")).refused == 0
    for _ in range(2):
        await counters.settle(places, "a", 0)
    assert (await counters.take(places, "c")).refused is None
    assert (await counters.take(places, "d")).refused == 0


async def test_what_is_full_again_is_forgotten_and_debts_are_not():
    clock = Clock()
    counters = OwnCounters(clock)
    debtor = [cell("tpm", 1, name="key:debtor")]
    await counters.take(debtor, "a")
    await counters.settle(debtor, "a", 1000)
    for number in range(10_000):
        await counters.take([cell("rpm", 60, name=f"key:{number}")], "x")
    clock.now += 61
    await counters.take([cell("rpm", 60, name="key:new")], "x")
    assert len(counters._rates) == 2
    assert counters.left(debtor[0]) < -900
