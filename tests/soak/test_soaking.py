"""A soak of seconds: that it asks everything, looks at everything and finds nothing wrong."""

from pathlib import Path

from soaking import HELD, LOAD, soaked


async def test_a_short_soak_asks_and_holds_all_that_a_long_one_does(tmp_path: Path) -> None:
    soak = await soaked(tmp_path, 5, every=1)
    assert soak.wrong == []
    assert set(soak.asked) == set(LOAD)
    assert soak.reloads
    assert [what for what, samples in soak.samples.items() if samples] == [*HELD]
