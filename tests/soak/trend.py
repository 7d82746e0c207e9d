"""A straight line through samples: how fast something grows, and how sure that is."""

import math
from collections.abc import Sequence
from statistics import fmean

import msgspec

SPARE = 0.05
"""What may be gained over a run, as a part of the mean, and still count as flat."""


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """The slope in units an hour, and its confidence interval (95 %, as if samples were independent)."""

    mean: float
    slope: float
    low: float
    high: float
    hours: float

    @property
    def flat(self) -> bool:
        """Whether nothing grows that can be told from noise, or so little that it is no leak within such a run."""
        return self.low <= 0 or self.slope * self.hours <= SPARE * max(1.0, self.mean)


def trend(samples: Sequence[tuple[float, float]]) -> Trend:
    """The least squares through (seconds, value); at least three samples."""
    hours = [at / 3600 for at, _ in samples]
    values = [value for _, value in samples]
    middle, mean = fmean(hours), fmean(values)
    spread = sum((hour - middle) ** 2 for hour in hours)
    slope = sum((hour - middle) * (value - mean) for hour, value in zip(hours, values, strict=True)) / spread
    rest = sum((v - mean - slope * (h - middle)) ** 2 for h, v in zip(hours, values, strict=True))
    margin = 1.96 * math.sqrt(rest / (len(samples) - 2) / spread)
    return Trend(mean=mean, slope=slope, low=slope - margin, high=slope + margin, hours=hours[-1] - hours[0])
