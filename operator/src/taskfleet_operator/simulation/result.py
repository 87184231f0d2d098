"""What a run is measured by."""

from dataclasses import dataclass, field


@dataclass(kw_only=True, slots=True)
class Moment:
    """The run at one tick, for pictures."""

    at: float
    waiting: int
    running: int
    oldest_wait: float
    """Seconds that the oldest waiting task has waited."""
    held: int
    """Pods that exist, starting and ending ones included."""
    replicas: int
    """Pods that are wanted."""
    ceiling: int | None
    reason: str

    @property
    def demand(self) -> int:
        """Tasks that want a slot or have one."""
        return self.waiting + self.running


@dataclass(kw_only=True, slots=True)
class Result:
    """One controller on one workload."""

    workload: str
    controller: str
    tasks: int
    done: int = 0
    gone: int = 0
    """Given up because their source is gone."""
    lost: int = 0
    """Given up though they were good: their attempts were used up."""
    killed: int = 0
    """Running tasks that lost their pod."""
    calls: int = 0
    """Attempts, refused ones included."""
    refused: int = 0
    """Attempts that a downstream refused."""
    pod_seconds: float = 0.0
    actions: int = 0
    """Changes of the replicas."""
    most_pods: int = 0
    """Held at the same time."""
    final_pods: int = 0
    seconds: float = 0.0
    """Until the last task was done."""
    waits: list[float] = field(default_factory=list)
    """From arrival to first start of each task that finished."""
    stale_waits: list[float] = field(default_factory=list)
    """The same of tasks that were stale when they came; they have a goal of their own."""
    late_arrivals: list[float] = field(default_factory=list)
    """When those tasks came that started too late."""
    max_wait_seconds: float = 0.0
    stale_wait_seconds: float = 0.0
    moments: list[Moment] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether every task came to an end."""
        return self.done + self.gone + self.lost == self.tasks

    @property
    def calls_per_task(self) -> float:
        """Attempts for each task."""
        return self.calls / max(1, self.tasks)

    @property
    def late_percent(self) -> float:
        """Tasks that started later than their goal allows."""
        late = sum(wait > self.max_wait_seconds for wait in self.waits) + sum(wait > self.stale_wait_seconds for wait in self.stale_waits)
        return 100 * late / max(1, len(self.waits) + len(self.stale_waits))

    def wait(self, percentile: float) -> float:
        """A percentile of the waits, nearest rank."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(percentile / 100 * len(ordered)))] if ordered else 0.0
