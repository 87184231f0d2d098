"""One observation turned into beliefs: the estimates every later step reads, and what happened since the last tick."""

from collections.abc import Collection, Mapping

from msgspec import Struct
from msgspec.structs import replace

from taskfleet_operator.scaling.estimates import service
from taskfleet_operator.scaling.estimates.arrivals import arrived, window_seconds
from taskfleet_operator.scaling.estimates.outcomes import NOTHING, since, totals_by_kind
from taskfleet_operator.scaling.estimates.startup import remembered, startup_seconds
from taskfleet_operator.scaling.extremes import larger
from taskfleet_operator.scaling.memory import KindMemory, KindTotals, Memory
from taskfleet_operator.scaling.observation import QueueObservation
from taskfleet_operator.scaling.policy import KindLimits, ScalingPolicy

LEAST_RATE = 1 / 3600
"""Tasks a second. Less than one an hour is no stream: a moving average never falls to nothing by itself, and a goal shorter than a start
kept a worker for twelve hours after the last task."""


class Estimates(Struct, frozen=True, kw_only=True, gc=False):
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


class Learned(Struct, frozen=True, kw_only=True, gc=False):
    """Beliefs, what was counted since the last tick, and what to remember."""

    estimates: Estimates
    elapsed_seconds: float
    happened: Mapping[str, KindTotals]
    kinds: Mapping[str, KindMemory]
    breakers: Mapping[str, int]
    """Kinds under a breaker and how many of their tasks may run at once."""
    startups: tuple[float, ...]


def learn(observation: QueueObservation, policy: ScalingPolicy, memory: Memory, *, now: float) -> Learned:
    """Learn from one observation. Repeating it at the same moment learns nothing new."""
    first = memory.decided_at is None
    elapsed = 0.0 if memory.decided_at is None else larger(0.0, now - memory.decided_at)
    kinds = {}
    for kind, known in memory.kinds.items():
        kinds[kind] = _forgotten(known, seconds=elapsed) if known.departures > service.FORGET_ABOVE else known
    happened: dict[str, KindTotals] = {}
    for kind, seen in totals_by_kind(observation.totals).items():
        before = kinds.get(kind)
        new = happened[kind] = NOTHING if first else since(seen, NOTHING if before is None else before.seen)
        kinds[kind] = _counted(before, seen, new, first=first)
    times = _times(observation, policy, kinds)
    typical = _typical(times, kinds)
    window = window_seconds(policy.max_wait_seconds, typical)
    rates: dict[str, float] = {}
    breakers: dict[str, int] = {}
    for kind, known in kinds.items():
        after = known
        if elapsed > 0:
            count = happened.get(kind, NOTHING).arrived
            after = kinds[kind] = arrived(known, count, seconds=elapsed, window_seconds=window)
        if after.arrival_rate >= LEAST_RATE:
            rates[kind] = after.arrival_rate
        if after.breaker is not None:
            breakers[kind] = after.breaker.slots
    startups = remembered(memory.startups, observation.startup_seconds)
    startup = startup_seconds(startups)
    estimates = Estimates(
        service=times,
        rates=rates,
        startup_seconds=startup,
        lead_seconds=startup + policy.tick_seconds,
        typical_service_seconds=typical,
    )
    return Learned(estimates=estimates, elapsed_seconds=elapsed, happened=happened, kinds=kinds, breakers=breakers, startups=startups)


def _forgotten(known: KindMemory, *, seconds: float) -> KindMemory:
    kept = service.forget(known.departures, seconds=seconds)
    return replace(known, busy_seconds=known.busy_seconds * kept, departures=known.departures * kept)


def _counted(known: KindMemory | None, seen: KindTotals, new: KindTotals, *, first: bool) -> KindMemory:
    if known is None:
        prior = seen.busy_seconds / seen.departed if first and seen.departed else None
        known = KindMemory(prior_seconds=prior)
    return replace(known, seen=seen, busy_seconds=known.busy_seconds + new.busy_seconds, departures=known.departures + new.departed)


def _times(observation: QueueObservation, policy: ScalingPolicy, kinds: Mapping[str, KindMemory]) -> dict[str, float]:
    """Service times of every kind that is known, listed, runs or waits."""
    limits = {kind.kind: kind for kind in policy.kinds} if policy.kinds else {}
    spent = {running.kind: running.running_seconds for running in observation.running} if observation.running else {}
    names = dict.fromkeys((*kinds, *limits, *spent))
    for bucket in observation.ready:
        names[bucket.kind] = None
    return _service_by_kind(names, kinds, limits, spent)


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
    priors = seconds = 0.0
    for kind in names:
        prior = _prior(kinds.get(kind), limits.get(kind))
        if prior is not None:
            priors, seconds = priors + 1, seconds + prior
    busy = departures = 0.0
    for known in kinds.values():
        busy += known.busy_seconds
        departures += known.departures
    return service.service_seconds(
        prior=seconds / priors if priors else service.DEFAULT_SECONDS,
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
