"""What a process says of itself: the gateway's own numbers, as samples."""

import platform

from gateway import API_VERSION, __version__
from gateway.protocols import Stats
from gateway_metrics.catalog import (
    BUILD,
    DRAINING,
    GENERATION,
    HEDGES,
    IN_FLIGHT,
    IN_FLIGHT_LIMIT,
    LOOP_LATE,
    MODEL_CIRCUIT,
    MODEL_COOLING,
    MODEL_CREDENTIAL,
    PLUGIN_AILING,
    PLUGIN_ERRORS,
    PLUGIN_QUARANTINED,
    SNAPSHOT_AGE,
    STRANGERS,
    TURNED_AWAY,
    USAGE_DROPPED,
    USAGE_LAG,
    USAGE_WAITING,
    WORKERS,
)
from gateway_metrics.shared import Counts, Sample
from gateway_metrics.tally import Key

_COOLING = 200
"""Upstreams that are named at once, the longest first."""
_UNWELL = 200
"""Models that are named at once."""


def sampled(stats: Stats) -> Sample:
    """The numbers of this process now."""
    counts: Counts = [((USAGE_DROPPED.name,), [stats.usage_dropped])]
    counts.append(((TURNED_AWAY.name,), [stats.turned_away]))
    counts.append(((STRANGERS.name,), [stats.strangers_refused]))
    counts += [((PLUGIN_ERRORS.name, fault.plugin, fault.stage), [fault.failures]) for fault in stats.faults]
    hedges = stats.hedges
    for result, count in (("started", hedges.started), ("won", hedges.won), ("refused", hedges.refused)):
        counts.append(((HEDGES.name, result), [count]))
    gauges: list[tuple[Key, float]] = [
        ((IN_FLIGHT.name,), stats.in_flight),
        ((IN_FLIGHT_LIMIT.name,), stats.in_flight_limit),
        ((LOOP_LATE.name,), round(stats.loop_lag, 4)),
        ((USAGE_WAITING.name,), stats.usage_waiting),
        ((USAGE_LAG.name,), round(stats.usage_lag, 3)),
        ((DRAINING.name,), float(stats.draining)),
        ((GENERATION.name,), stats.generation),
        ((WORKERS.name,), 1),
        ((BUILD.name, __version__, API_VERSION, platform.python_version()), 1),
    ]
    if stats.snapshot_age is not None:
        gauges.append(((SNAPSHOT_AGE.name,), round(stats.snapshot_age, 3)))
    gauges += [((PLUGIN_QUARANTINED.name, one.plugin, one.stage), float(one.quarantined)) for one in stats.faults]
    gauges += [((PLUGIN_AILING.name, plugin), 1) for plugin in sorted({one.plugin for one in stats.ailing})]
    cooling = sorted(stats.cooling, key=lambda one: -one.seconds)[:_COOLING]
    gauges += [((MODEL_COOLING.name, one.model, one.provider), round(one.seconds, 3)) for one in reversed(cooling)]
    unwell = stats.unwell[:_UNWELL]
    circuits = {(MODEL_CIRCUIT.name, one.model, one.provider, one.state) for one in unwell if one.state != "closed"}
    refused = {
        (MODEL_CREDENTIAL.name, one.model, one.provider, one.credential) for one in unwell if one.credential != "ok"
    }
    # Two rows may have one name: a worker counts once for both.
    gauges += [(key, 1) for key in sorted(circuits | refused)]
    return Sample(counts, gauges)
