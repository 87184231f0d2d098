"""The HPA-shaped limits of `scaling.behavior`: how fast replicas may change, for those who want hard rates on top of the law."""

from collections.abc import Iterable
from math import ceil, floor

from taskfleet_operator.scaling.memory import BehaviorMemory, ScaleEvent
from taskfleet_operator.scaling.policy import Behavior, RateUnit, ScalingRate, ScalingRules, Select
from taskfleet_operator.scaling.windows import RecentLow

GAP_SECONDS = 60.0
_NOTHING = BehaviorMemory()


def limited(behavior: Behavior, memory: BehaviorMemory, *, desired: int, replicas: int, now: float) -> int:
    """The nearest number to `desired` that the limits allow, coming from `replicas`. `memory` has seen this tick's `desired`."""
    if behavior.scale_up is None and behavior.scale_down is None:
        return desired
    desired = _stabilized(behavior, memory, desired=desired, replicas=replicas, now=now)
    up, down = behavior.scale_up, behavior.scale_down
    if desired > replicas and up is not None:
        return max(replicas, min(desired, _most(up, memory.events, replicas=replicas, now=now, desired=desired)))
    if desired < replicas and down is not None:
        return min(replicas, max(desired, _least(down, memory.events, replicas=replicas, now=now, desired=desired)))
    return desired


def wished(behavior: Behavior, memory: BehaviorMemory, *, desired: int, now: float) -> BehaviorMemory:
    """Remember what was wished for, as far back as stabilization looks."""
    up, down = behavior.scale_up, behavior.scale_down
    if up is None and down is None:
        return _NOTHING
    low = _seen(memory.wanted_low, desired, rules=up, now=now)
    high = _seen(memory.wanted_high, -desired, rules=down, now=now)
    return BehaviorMemory(wanted_low=low, wanted_high=high, events=memory.events)


def changed(behavior: Behavior, memory: BehaviorMemory, *, change: int, now: float) -> BehaviorMemory:
    """Remember a change of the replicas as long as any rate looks back."""
    if behavior.scale_up is None and behavior.scale_down is None:
        return _NOTHING
    rules = [rules for rules in (behavior.scale_up, behavior.scale_down) if rules is not None]
    longest = max((rate.period_seconds for rule in rules for rate in rule.rates), default=0.0)
    kept = tuple(event for event in memory.events if now - event.at < longest)
    events = (*kept, ScaleEvent(at=now, change=change)) if change else kept
    return BehaviorMemory(wanted_low=memory.wanted_low, wanted_high=memory.wanted_high, events=events)


def _seen(window: RecentLow, value: float, *, rules: ScalingRules | None, now: float) -> RecentLow:
    if rules is None or not rules.stabilization_seconds:
        return RecentLow()
    return window.seen(float(value), at=now, keep_seconds=rules.stabilization_seconds, gap_seconds=GAP_SECONDS)


def _stabilized(behavior: Behavior, memory: BehaviorMemory, *, desired: int, replicas: int, now: float) -> int:
    """Up to the lowest wish of the window, down to its highest; wishes between the two change nothing."""
    most, least = desired, desired
    if behavior.scale_up is not None and behavior.scale_up.stabilization_seconds:
        most = int(_lowest(memory.wanted_low, seconds=behavior.scale_up.stabilization_seconds, now=now, default=desired))
    if behavior.scale_down is not None and behavior.scale_down.stabilization_seconds:
        least = int(-_lowest(memory.wanted_high, seconds=behavior.scale_down.stabilization_seconds, now=now, default=-desired))
    if replicas < most:
        return most
    return min(replicas, least)


def _lowest(window: RecentLow, *, seconds: float, now: float, default: float) -> float:
    return min((value for at, value in window.samples if at >= now - seconds), default=default)


def _most(rules: ScalingRules, events: Iterable[ScaleEvent], *, replicas: int, now: float, desired: int) -> int:
    if rules.select is Select.DISABLED:
        return replicas
    changes = tuple(events)
    limits = [_up(rate, changes, replicas=replicas, now=now) for rate in rules.rates]
    if not limits:
        return desired
    return max(limits) if rules.select is Select.MAX else min(limits)


def _least(rules: ScalingRules, events: Iterable[ScaleEvent], *, replicas: int, now: float, desired: int) -> int:
    if rules.select is Select.DISABLED:
        return replicas
    changes = tuple(events)
    limits = [_down(rate, changes, replicas=replicas, now=now) for rate in rules.rates]
    if not limits:
        return desired
    return min(limits) if rules.select is Select.MAX else max(limits)


def _up(rate: ScalingRate, events: tuple[ScaleEvent, ...], *, replicas: int, now: float) -> int:
    start = replicas - sum(event.change for event in events if event.change > 0 and now - event.at < rate.period_seconds)
    return start + rate.value if rate.unit is RateUnit.PODS else ceil(start * (1 + rate.value / 100))


def _down(rate: ScalingRate, events: tuple[ScaleEvent, ...], *, replicas: int, now: float) -> int:
    start = replicas - sum(event.change for event in events if event.change < 0 and now - event.at < rate.period_seconds)
    return start - rate.value if rate.unit is RateUnit.PODS else floor(start * (1 - rate.value / 100))
