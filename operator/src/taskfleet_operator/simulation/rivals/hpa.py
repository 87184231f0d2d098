"""The Horizontal Pod Autoscaler (autoscaling/v2) for one external metric with a target of type AverageValue.

As kube-controller-manager decides, which takes one of two paths:

- **nil behavior**, when the object has no `behavior`: the highest recommendation of the last five minutes counts, for growth as well,
  so that a fleet goes on doubling towards a backlog that is long gone. Replicas at most double (or become four) at each sync.
- **behavior written out**, be it with the documented defaults: the memory only holds scale-down back, growth is bounded by rates
  (the more generous of +100 % and +4 pods in 15 s), and nothing grows beyond what is recommended now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from msgspec import structs

from taskfleet_operator.scaling import Behavior, RateUnit, ScalingRate, ScalingRules, Select

SYNC_SECONDS = 15.0
TOLERANCE = 0.1
STABILIZATION_SECONDS = 300.0

_DOUBLE = ScalingRate(unit=RateUnit.PERCENT, value=100, period_seconds=15)
_UP = ScalingRules(rates=(ScalingRate(unit=RateUnit.PODS, value=4, period_seconds=15), _DOUBLE))
_DOWN = ScalingRules(rates=(_DOUBLE,), stabilization_seconds=STABILIZATION_SECONDS)
DOCUMENTED_BEHAVIOR = Behavior(scale_up=_UP, scale_down=_DOWN)
"""What the API server fills in where a `behavior` leaves something out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HpaSpec:
    """A HorizontalPodAutoscaler."""

    target: float
    """The metric's wanted average per replica."""
    max_replicas: int
    min_replicas: int = 1
    behavior: Behavior | None = None


class Hpa:
    """One HorizontalPodAutoscaler and what its controller remembers of it."""

    def __init__(self, spec: HpaSpec) -> None:
        self._spec = spec
        behavior = spec.behavior or DOCUMENTED_BEHAVIOR
        self._up = _filled(behavior.scale_up, _UP)
        self._down = _filled(behavior.scale_down, _DOWN)
        self._recommended: list[tuple[float, int]] = []
        self._changes: list[tuple[float, int]] = []

    def sync(self, metric: float, *, replicas: int, now: float) -> int:
        """The replicas to set, given the metric's total and the replicas now. At zero replicas it is switched off."""
        spec = self._spec
        if not self._recommended:
            self._recommended.append((now, replicas))
        if replicas == 0:
            return 0
        if not spec.min_replicas <= replicas <= spec.max_replicas:
            return min(spec.max_replicas, max(spec.min_replicas, replicas))
        wanted = recommendation(metric, target=spec.target, replicas=replicas)
        decide = self._nil_behavior if spec.behavior is None else self._with_behavior
        decided = decide(wanted, replicas, now=now)
        self._remember(wanted, decided - replicas, now=now)
        return decided

    def _nil_behavior(self, wanted: int, replicas: int, *, now: float) -> int:
        highest = max([wanted, *(count for at, count in self._recommended if at >= now - STABILIZATION_SECONDS)])
        most = min(self._spec.max_replicas, max(2 * replicas, 4))
        return min(most, max(self._spec.min_replicas, highest))

    def _with_behavior(self, wanted: int, replicas: int, *, now: float) -> int:
        lowest = min([wanted, *(count for at, count in self._recommended if at > now - self._up.stabilization_seconds)])
        highest = max([wanted, *(count for at, count in self._recommended if at > now - self._down.stabilization_seconds)])
        stable = min(max(replicas, lowest), highest)
        if stable > replicas:
            limit = growth_limit(replicas, self._up, self._changed(self._up, now=now))
            return min(stable, self._spec.max_replicas, max(replicas, limit))
        if stable < replicas:
            limit = shrink_limit(replicas, self._down, self._changed(self._down, now=now))
            return max(stable, self._spec.min_replicas, min(replicas, limit))
        return replicas

    def _changed(self, rules: ScalingRules, *, now: float) -> Sequence[int]:
        """For each rate: by how much the replicas changed within its period."""
        return [sum(change for at, change in self._changes if at > now - rate.period_seconds) for rate in rules.rates]

    def _remember(self, wanted: int, change: int, *, now: float) -> None:
        longest = max(STABILIZATION_SECONDS, self._up.stabilization_seconds, self._down.stabilization_seconds)
        self._recommended = [*((at, count) for at, count in self._recommended if at >= now - longest), (now, wanted)]
        longest = max(rate.period_seconds for rate in (*self._up.rates, *self._down.rates))
        self._changes = [*((at, count) for at, count in self._changes if at > now - longest), (now, change)]


def recommendation(metric: float, *, target: float, replicas: int) -> int:
    """The replicas that bring the average to the target; the present ones while it is within a tenth of it.

    600 tasks at a target of 10: 60. 105 tasks on 10 replicas: 10, as the ratio is 1.05.
    """
    ratio = metric / (target * replicas)
    return replicas if abs(ratio - 1) <= TOLERANCE else ceil(metric / target)


def growth_limit(replicas: int, rules: ScalingRules, changed: Sequence[int]) -> int:
    """The most replicas that the rates allow now, given what changed in the period of each: 1 replica, +4 or +100 % → 5."""
    if rules.select is Select.DISABLED:
        return replicas
    limits = [
        replicas - change + rate.value if rate.unit is RateUnit.PODS else ceil((replicas - change) * (1 + rate.value / 100))
        for rate, change in zip(rules.rates, changed, strict=True)
    ]
    return min(limits) if rules.select is Select.MIN else max(limits)


def shrink_limit(replicas: int, rules: ScalingRules, changed: Sequence[int]) -> int:
    """The fewest replicas that the rates allow now, given what changed in the period of each: 100 replicas, −10 % → 90."""
    if rules.select is Select.DISABLED:
        return replicas
    limits = [
        replicas - change - rate.value if rate.unit is RateUnit.PODS else int((replicas - change) * (1 - rate.value / 100))
        for rate, change in zip(rules.rates, changed, strict=True)
    ]
    return max(limits) if rules.select is Select.MIN else min(limits)


def _filled(rules: ScalingRules | None, documented: ScalingRules) -> ScalingRules:
    """What the API server makes of half a behavior."""
    if rules is None:
        return documented
    return rules if rules.rates else structs.replace(rules, rates=documented.rates)
