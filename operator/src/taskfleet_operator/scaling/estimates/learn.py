"""One observation turned into beliefs: the estimates every later step reads, and what happened since the last tick."""

from collections.abc import Collection, Mapping

from msgspec import Struct
from msgspec.structs import replace

from taskfleet_operator.scaling.estimates import service
from taskfleet_operator.scaling.estimates.arrivals import Arrivals, arrivals, window_seconds
from taskfleet_operator.scaling.estimates.outcomes import NOTHING, since, totals_by_kind
from taskfleet_operator.scaling.estimates.startup import remembered, startup_seconds
from taskfleet_operator.scaling.memory import KindMemory, KindTotals, Memory
from taskfleet_operator.scaling.observation import QueueObservation
from taskfleet_operator.scaling.policy import KindLimits, ScalingPolicy

LEAST_RATE = 1 / 3600
"""Tasks a second. Less than one an hour is no stream: a moving average never falls to nothing by itself, and a goal shorter than a start
kept a worker for twelve hours after the last task."""


class Estimates(Struct, frozen=True, kw_only=True):
    """What the law believes now."""

    service: Mapping[str, float]
    """Seconds a task of each kind keeps a slot; every kind that is listed, waits or runs is there."""
    rates: Mapping[str, float]
    """Arrivals a second of each kind that arrives at all."""
    startup_seconds: float
    lead_seconds: float
    """From deciding to working: start-up and one tick."""
    typical_service_seconds: float
    """Over all kinds."""


class Learned(Struct, frozen=True, kw_only=True):
    """Beliefs, what was counted since the last tick, and what to remember."""

    estimates: Estimates
    elapsed_seconds: float
    happened: Mapping[str, KindTotals]
    kinds: Mapping[str, KindMemory]
    startups: tuple[float, ...]


def learn(observation: QueueObservation, policy: ScalingPolicy, memory: Memory, *, now: float) -> Learned:
    """Learn from one observation. Repeating it at the same moment learns nothing new."""
    elapsed = 0.0 if memory.decided_at is None else max(0.0, now - memory.decided_at)
    first = memory.decided_at is None
    kinds = {kind: _forgotten(known, seconds=elapsed) for kind, known in memory.kinds.items()}
    happened: dict[str, KindTotals] = {}
    for kind, seen in totals_by_kind(observation.totals).items():
        known = kinds.get(kind)
        happened[kind] = NOTHING if first else since(seen, NOTHING if known is None else known.seen)
        kinds[kind] = _counted(known, seen, happened[kind], first=first)
    limits = {kind.kind: kind for kind in policy.kinds}
    spent = {running.kind: running.running_seconds for running in observation.running}
    names = dict.fromkeys((*kinds, *limits, *spent, *[bucket.kind for bucket in observation.ready]))
    times = _service_by_kind(names, kinds, limits, spent)
    typical = _typical(times, kinds)
    if elapsed > 0:
        window = window_seconds(policy.max_wait_seconds, typical)
        kinds = {
            kind: _arrived(known, happened.get(kind, NOTHING).arrived, seconds=elapsed, window=window) for kind, known in kinds.items()
        }
    startups = remembered(memory.startups, observation.startup_seconds)
    startup = startup_seconds(startups)
    estimates = Estimates(
        service=times,
        rates={kind: known.arrival_rate for kind, known in kinds.items() if known.arrival_rate >= LEAST_RATE},
        startup_seconds=startup,
        lead_seconds=startup + policy.tick_seconds,
        typical_service_seconds=typical,
    )
    return Learned(estimates=estimates, elapsed_seconds=elapsed, happened=happened, kinds=kinds, startups=startups)


def _forgotten(known: KindMemory, *, seconds: float) -> KindMemory:
    kept = service.forget(known.departures, seconds=seconds)
    if kept == 1.0:
        return known
    return replace(known, busy_seconds=known.busy_seconds * kept, departures=known.departures * kept)


def _counted(known: KindMemory | None, seen: KindTotals, new: KindTotals, *, first: bool) -> KindMemory:
    if known is None:
        prior = seen.busy_seconds / seen.departed if first and seen.departed else None
        known = KindMemory(prior_seconds=prior)
    return replace(known, seen=seen, busy_seconds=known.busy_seconds + new.busy_seconds, departures=known.departures + new.departed)


def _arrived(known: KindMemory, count: int, *, seconds: float, window: float) -> KindMemory:
    before = Arrivals(rate=known.arrival_rate, recent=known.recent_rates)
    after = arrivals(before, count, seconds=seconds, window_seconds=window)
    return replace(known, arrival_rate=after.rate, recent_rates=after.recent)


def _service_by_kind(
    names: Collection[str], kinds: Mapping[str, KindMemory], limits: Mapping[str, KindLimits], spent: Mapping[str, float]
) -> dict[str, float]:
    """One estimate for all kinds, or one for each where they differ."""
    common = _common(names, kinds, limits, spent)
    if len(names) <= 1:
        return dict.fromkeys(names, common)
    known = {}
    own = {}
    for kind in names:
        memory = kinds.get(kind) or KindMemory()
        prior = _prior(memory, limits.get(kind))
        own[kind] = service.service_seconds(
            prior=common if prior is None else prior,
            busy_seconds=memory.busy_seconds + spent.get(kind, 0.0),
            departures=memory.departures,
        )
        if prior is not None or memory.departures >= service.KNOWN_DEPARTURES:
            known[kind] = own[kind]
    return own if service.kinds_differ(known) else dict.fromkeys(names, common)


def _common(names: Collection[str], kinds: Mapping[str, KindMemory], limits: Mapping[str, KindLimits], spent: Mapping[str, float]) -> float:
    priors = [prior for kind in names if (prior := _prior(kinds.get(kind), limits.get(kind))) is not None]
    busy = departures = 0.0
    for known in kinds.values():
        busy += known.busy_seconds
        departures += known.departures
    return service.service_seconds(
        prior=sum(priors) / len(priors) if priors else service.DEFAULT_SECONDS,
        busy_seconds=busy + sum(spent.values()),
        departures=departures,
    )


def _prior(known: KindMemory | None, limits: KindLimits | None) -> float | None:
    if limits is not None and limits.expected_seconds is not None:
        return limits.expected_seconds
    return None if known is None else known.prior_seconds


def _typical(times: Mapping[str, float], kinds: Mapping[str, KindMemory]) -> float:
    """The mean over kinds, weighted by how often they finish."""
    total = seconds = 0.0
    for kind, own in times.items():
        weight = 1 + kinds[kind].departures if kind in kinds else 1.0
        total += weight
        seconds += own * weight
    return seconds / total if total else service.DEFAULT_SECONDS
