"""What a queue's owner asks for, as the law needs it: the spec of a TaskQueue in plain values and units."""

from enum import StrEnum

from msgspec import Struct


class Mode(StrEnum):
    """Whether decisions are applied."""

    AUTO = "Auto"
    RECOMMEND = "Recommend"
    """Decide and report; write no replicas, no marks, no ceiling."""


class StopPolicy(StrEnum):
    """Whether the queue is stopped."""

    NONE = "None"
    HOLD = "Hold"
    """No claims; replicas stay."""
    HOLD_AND_DRAIN = "HoldAndDrain"
    """No claims, then zero workers."""


class Direction(StrEnum):
    """A way to change the number of replicas."""

    IN = "In"
    OUT = "Out"


class BlindBehavior(StrEnum):
    """What to do with the replicas while the database cannot be seen."""

    CURRENT_REPLICAS = "CurrentReplicas"
    CURRENT_REPLICAS_IF_HIGHER = "CurrentReplicasIfHigher"
    STATIC = "Static"


class RateUnit(StrEnum):
    """What a scaling rate counts in."""

    PODS = "Pods"
    PERCENT = "Percent"


class Select(StrEnum):
    """Which of several scaling rates counts."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


# Names of their own for what every decision reads: in Python 3.11 a member costs 151 ns, a name 14.
AUTO = Mode.AUTO
RECOMMEND = Mode.RECOMMEND
NOT_STOPPED = StopPolicy.NONE
HOLD = StopPolicy.HOLD
HOLD_AND_DRAIN = StopPolicy.HOLD_AND_DRAIN


class KindLimits(Struct, frozen=True, kw_only=True, gc=False):
    """What one kind may do across the fleet. None means no limit."""

    kind: str
    max_concurrent: int | None = None
    rate_starts: int | None = None
    rate_period_seconds: float = 1.0
    expected_seconds: float | None = None
    """A prior for the service time, forgotten as tasks finish."""

    @property
    def starts_per_second(self) -> float | None:
        """The rate as starts per second."""
        return None if self.rate_starts is None else self.rate_starts / self.rate_period_seconds


class Lanes(Struct, frozen=True, kw_only=True, gc=False):
    """Fresh and stale work: tasks older than `fresh_seconds` get a share of the claims and a goal of their own."""

    fresh_seconds: float = 900.0
    stale_share: float = 0.2
    """Share of claims for the stale lane, 0..1."""
    stale_wait_seconds: float = 3600.0


class ScalingRate(Struct, frozen=True, kw_only=True, gc=False):
    """At most so much change within a period."""

    unit: RateUnit
    value: int
    period_seconds: float


class ScalingRules(Struct, frozen=True, kw_only=True, gc=False):
    """One direction of the HPA's `behavior`."""

    stabilization_seconds: float = 0.0
    select: Select = Select.MAX
    rates: tuple[ScalingRate, ...] = ()
    """None given: no rate limit."""


class Behavior(Struct, frozen=True, kw_only=True, gc=False):
    """The HPA-shaped hard limits on top of the law; empty by default."""

    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None


class OnDatabaseError(Struct, frozen=True, kw_only=True, gc=False):
    """What to do while the queue cannot be seen."""

    behavior: BlindBehavior = BlindBehavior.CURRENT_REPLICAS
    failure_threshold: int = 3
    """Failed ticks in a row before `replicas` count."""
    replicas: int = 1


class ScalingPolicy(Struct, frozen=True, kw_only=True, gc=False):
    """What a queue's owner asks for."""

    queue: str
    max_wait_seconds: float = 120.0
    """The goal: every task starts within so long."""
    min_replicas: int = 0
    max_replicas: int = 100
    slots_per_replica: int = 1
    max_concurrent: int | None = None
    """Tasks of the whole queue running at once."""
    kinds: tuple[KindLimits, ...] = ()
    """Kinds that are not listed have no limits."""
    lanes: Lanes = Lanes()
    weight: float = 1.0
    priority: int = 0
    """Higher classes are filled first when the global cap binds."""
    panic_backlog: int = 1000
    max_overload_percent: float = 5.0
    """Share of overload answers above which the failure ceiling cuts; 0 switches the ceiling off."""
    mode: Mode = Mode.AUTO
    pause: frozenset[Direction] = frozenset()
    stop: StopPolicy = StopPolicy.NONE
    on_database_error: OnDatabaseError = OnDatabaseError()
    behavior: Behavior = Behavior()
    tick_seconds: float = 2.0
    """How often decisions are made."""
