"""What the law remembers between two ticks: estimates, windows, ceilings. Saved with the decision history.

A new leader starts from it; an unreadable or missing memory is an empty one, and then nobody is removed until the windows are full.
Times are seconds since 1970 by the database's clock.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from taskfleet_operator.scaling import codec
from taskfleet_operator.scaling.windows import RecentLow


@dataclass(frozen=True, kw_only=True, slots=True)
class KindTotals:
    """The counters of one kind as the law reads them; two of them differ by what happened in between."""

    arrived: int = 0
    departed: int = 0
    """Tasks that left for good after running; attempts that will be repeated do not count."""
    succeeded: int = 0
    overloaded: int = 0
    """Attempts that say a downstream has too much to do."""
    faulted: int = 0
    """Attempts that failed in a way that may heal."""
    busy_seconds: float = 0.0
    """Slot time of all attempts that ended."""
    overloaded_seconds: float = 0.0
    """The part of it spent on overloaded attempts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaker:
    """A kind whose attempts nearly all fail, or that was so not long ago."""

    slots: int
    """How many of its tasks may run at once now."""
    probing: bool = True
    """True: the single probe slot; False: growing again."""
    since: float
    pause_seconds: float
    """How long a probe lasts; doubles each time it fails."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KindMemory:
    """What is known of one kind."""

    seen: KindTotals = field(default_factory=KindTotals)
    """The totals of the last observation."""
    prior_seconds: float | None = None
    """Mean of the tasks that finished before the law first looked."""
    busy_seconds: float = 0.0
    departures: float = 0.0
    """Both forget old times once there is enough evidence."""
    arrival_rate: float = 0.0
    """Tasks a second."""
    recent_rates: tuple[float, ...] = ()
    """Of the last ticks, oldest first."""
    window_started: float | None = None
    """Start of the breaker's window, and below what ended in it."""
    window_good: int = 0
    window_bad: int = 0
    breaker: Breaker | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ceiling:
    """The failure ceiling L and the window that it watches."""

    slots: float | None = None
    """None: unset."""
    since: float | None = None
    """Start of the window."""
    good: int = 0
    overloaded: int = 0
    useful_seconds: float = 0.0
    """Slot time of attempts that were not overloaded."""
    running_seconds: float = 0.0
    """Running tasks, added up over time."""
    quiet_windows: int = 0
    changed_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SteadyLevel:
    """What a steady window brought: so many busy slots, so much finished a second."""

    running: float
    goodput: float
    finished: int
    """Tasks that the goodput was measured on."""
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SteadyWindow:
    """A window in which the fleet has not changed so far."""

    since: float
    finished: int = 0
    running_seconds: float = 0.0
    lowest: float
    highest: float
    """Busy slots: the least and the most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A try of another level of running tasks, to see what it does to the goodput."""

    start: SteadyLevel
    """The level it is compared with."""
    gate: float
    """Slots that may run meanwhile."""
    back: float | None
    """The cap to return to if it fails; None: no cap."""
    since: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Guard:
    """The watch over scale-ups that bring nothing."""

    window: SteadyWindow | None = None
    level: SteadyLevel | None = None
    """The last steady window that counts."""
    full_windows: int = 0
    """Steady windows in a row at the allowed maximum."""
    cap_slots: float | None = None
    """Slots that may run; None: no cap."""
    trial: Trial | None = None
    probe_after: float = 0.0
    probe_gap_seconds: float = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareMemory:
    """The share of the global cap that counts, and the one computed last: a share moves when two ticks agree."""

    counts: int | None = None
    computed: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleEvent:
    """A change of the replicas, for the rates of `behavior`."""

    at: float
    change: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BehaviorMemory:
    """What the HPA-shaped limits look back on."""

    wanted_low: RecentLow = field(default_factory=RecentLow)
    """Lowest recent wish: scale-up stabilization."""
    wanted_high: RecentLow = field(default_factory=RecentLow)
    """Highest recent wish, negated: scale-down stabilization."""
    events: tuple[ScaleEvent, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """Somebody else's changes of the replicas."""

    last_foreign_at: float | None = None
    hands_off_until: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """All that one queue's law remembers."""

    decided_at: float | None = None
    kinds: Mapping[str, KindMemory] = field(default_factory=dict)
    startups: tuple[float, ...] = ()
    """The last create → ready times."""
    unused: RecentLow = field(default_factory=RecentLow)
    """Slots without a task."""
    tapered: RecentLow = field(default_factory=RecentLow)
    """Slots a calmer deadline would need, negated."""
    ceiling: Ceiling = field(default_factory=Ceiling)
    guard: Guard = field(default_factory=Guard)
    share: ShareMemory = field(default_factory=ShareMemory)
    behavior: BehaviorMemory = field(default_factory=BehaviorMemory)
    contest: Contest = field(default_factory=Contest)

    def to_dict(self) -> dict[str, object]:
        """The memory as plain values that JSON can carry."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, object] | None) -> "Memory":
        """The memory read back. What is missing, unknown or malformed counts as never seen."""
        return codec.decode(cls, plain) or cls()
