"""The numbers as Prometheus reads them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway_metrics import catalog
from gateway_metrics.shared import Counted, Sample
from gateway_metrics.tally import Key

_ACROSS: Mapping[str, Callable[[Sequence[float]], float]] = {"sum": sum, "max": max, "min": min}


def render(counted: Counted, accept: str) -> tuple[str, bytes]:
    """The content type that the reader prefers, and the text."""
    encoder, content_type = choose_encoder(accept)
    return content_type, encoder(_Families(counted))


class _Families(Collector):
    def __init__(self, counted: Counted) -> None:
        self._series: dict[str, list[tuple[Key, list[float]]]] = {}
        for found in (counted.totals, _gathered(counted.samples)):
            for key, numbers in sorted(found.items()):
                self._series.setdefault(key[0], []).append((key[1:], numbers))

    def collect(self) -> Iterator[Metric]:
        """Every family, also those that have counted nothing yet."""
        for metric in catalog.METRICS:
            yield _family(metric, self._series.get(metric.name, ()))


def _gathered(samples: Iterable[Sample]) -> Mapping[Key, list[float]]:
    """What the living workers say of each gauge."""
    found: dict[Key, list[float]] = {}
    for sample in samples:
        for key, value in sample.gauges:
            found.setdefault(key, []).append(value)
    return found


def _family(metric: catalog.Metric, series: Iterable[tuple[Key, list[float]]]) -> Metric:
    if metric.kind == "counter":
        counter = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, numbers in series:
            counter.add_metric(labels, numbers[0])
        return counter
    if metric.kind == "summary":
        summary = SummaryMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, (count, total) in series:
            summary.add_metric(labels, int(count), total)
        return summary
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        bounds = [*map(str, metric.buckets), "+Inf"]
        for labels, numbers in series:
            buckets = list(zip(bounds, accumulate(numbers[:-1]), strict=True))
            histogram.add_metric(labels, buckets, numbers[-1])
        return histogram
    gauge = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, numbers in series:
        gauge.add_metric(labels, _ACROSS[metric.across](numbers))
    return gauge
