"""What is asked is what the titles say."""

from bisect import bisect_left

import pytest

from bench.scenarios import SCENARIOS, Scenario

PACED = [scenario for scenario in SCENARIOS if scenario.rate and scenario.ramp]


@pytest.mark.parametrize("scenario", PACED, ids=lambda scenario: scenario.name)
def test_the_events_of_paced_streams_do_not_fall_together(scenario: Scenario) -> None:
    """Whoever is quick at beginning streams must not get their events all at once for it."""
    period, count = 1.0 / scenario.rate, scenario.connections
    begun = sorted((scenario.ramp * number / count) % period for number in range(count))
    around = [*begun, *(at + period for at in begun)]
    together = max(bisect_left(around, first + period / 100) - number for number, first in enumerate(begun))
    assert together <= 3 + 1.2 * count / 100
