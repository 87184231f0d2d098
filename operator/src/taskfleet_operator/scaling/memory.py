"""What the law remembers between two ticks: estimates, windows, ceilings. Saved with the decision history.

A new leader starts from it; an unreadable or missing memory is an empty one, and then nobody is removed until the windows are full.
Times are seconds since 1970 by the database's clock.
"""

from collections.abc import Mapping

from msgspec import Struct, ValidationError, convert, field, to_builtins

from taskfleet_operator.scaling.windows import RecentLow


class KindTotals(Struct, frozen=True, kw_only=True, gc=False):
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


class Breaker(Struct, frozen=True, kw_only=True, gc=False):
    """A kind whose attempts nearly all fail, or that was so not long ago."""

    slots: int
    """How many of its tasks may run at once now."""
    probing: bool = True
    """True: the single probe slot; False: growing again."""
    since: float
    pause_seconds: float
    """How long a probe lasts; doubles each time it fails."""


class KindMemory(Struct, frozen=True, kw_only=True, gc=False):
    """What is known of one kind."""

    seen: KindTotals = KindTotals()
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


class Ceiling(Struct, frozen=True, kw_only=True, gc=False):
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


class SteadyLevel(Struct, frozen=True, kw_only=True, gc=False):
    """What a steady window brought: so many busy slots, so much finished a second."""

    running: float
    goodput: float
    finished: int
    """Tasks that the goodput was measured on."""
    at: float


class SteadyWindow(Struct, frozen=True, kw_only=True, gc=False):
    """A window in which the fleet has not changed so far."""

    since: float
    finished: int = 0
    running_seconds: float = 0.0
    lowest: float
    highest: float
    """Busy slots: the least and the most."""


class Trial(Struct, frozen=True, kw_only=True, gc=False):
    """A try of another level of running tasks, to see what it does to the goodput."""

    start: SteadyLevel
    """The level it is compared with."""
    gate: float
    """Slots that may run meanwhile."""
    back: float | None
    """The cap to return to if it fails; None: no cap."""
    since: float


class Guard(Struct, frozen=True, kw_only=True, gc=False):
    """The watch over scale-ups that bring nothing."""

    window: SteadyWindow | None = None
    level: SteadyLevel | None = None
    """The last steady window that counts."""
    full_windows: int = 0
    """Steady windows in a row at the allowed maximum."""
    cap_slots: float | None = None
    """Slots that may run; None: no cap."""
    coarse: bool = False
    """The cap was told by few tasks and is to be tried with a little less."""
    trial: Trial | None = None
    probe_after: float = 0.0
    probe_gap_seconds: float = 300.0


class ShareMemory(Struct, frozen=True, kw_only=True, gc=False):
    """The share of the global cap that counts, and the one computed last: a share moves when two ticks agree."""

    counts: int | None = None
    computed: int | None = None


class ScaleEvent(Struct, frozen=True, kw_only=True, gc=False):
    """A change of the replicas, for the rates of `behavior`."""

    at: float
    change: int


class BehaviorMemory(Struct, frozen=True, kw_only=True, gc=False):
    """What the HPA-shaped limits look back on."""

    wanted_low: RecentLow = RecentLow()
    """Lowest recent wish: scale-up stabilization."""
    wanted_high: RecentLow = RecentLow()
    """Highest recent wish, negated: scale-down stabilization."""
    events: tuple[ScaleEvent, ...] = ()


class Contest(Struct, frozen=True, kw_only=True, gc=False):
    """Somebody else's changes of the replicas."""

    last_foreign_at: float | None = None
    hands_off_until: float = 0.0


class Memory(Struct, frozen=True, kw_only=True, gc=False):
    """All that one queue's law remembers."""

    decided_at: float | None = None
    kinds: Mapping[str, KindMemory] = field(default_factory=dict)
    startups: tuple[float, ...] = ()
    """The last create → ready times."""
    unused: RecentLow = RecentLow()
    """Slots without a task."""
    tapered: RecentLow = RecentLow()
    """Slots a calmer deadline would need, negated."""
    ceiling: Ceiling = Ceiling()
    guard: Guard = Guard()
    share: ShareMemory = ShareMemory()
    behavior: BehaviorMemory = BehaviorMemory()
    contest: Contest = Contest()

    def to_dict(self) -> dict[str, object]:
        """The memory as plain values that JSON can carry."""
        plain: dict[str, object] = to_builtins(self)
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, object] | None) -> "Memory":
        """The memory read back. What is missing, unknown or malformed counts as never seen."""
        if plain is None:
            return cls()
        try:
            return convert(plain, cls)
        except ValidationError:
            return cls()
