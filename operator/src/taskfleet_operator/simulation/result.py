"""What a run is measured by."""

from dataclasses import dataclass, field


@dataclass(kw_only=True, slots=True)
class Moment:
    """The run at one tick, for pictures."""

    at: float
    waiting: int
    running: int
    held: int
    replicas: int
    ceiling: int | None
    reason: str


@dataclass(kw_only=True, slots=True)
class Result:
    """One controller on one workload."""

    workload: str
    controller: str
    tasks: int
    done: int = 0
    gone: int = 0
    killed: int = 0
    """Running tasks that lost their pod."""
    calls: int = 0
    refused: int = 0
    pod_seconds: float = 0.0
    actions: int = 0
    """Changes of the replicas."""
    most_pods: int = 0
    final_pods: int = 0
    seconds: float = 0.0
    """Until the last task was done."""
    waits: list[float] = field(default_factory=list)
    max_wait_seconds: float = 0.0
    moments: list[Moment] = field(default_factory=list)

    @property
    def late_percent(self) -> float:
        """Tasks that started later than the goal allows."""
        return 100 * sum(1 for wait in self.waits if wait > self.max_wait_seconds) / max(1, len(self.waits))

    def wait(self, percentile: float) -> float:
        """A percentile of the waits, nearest rank."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(percentile / 100 * len(ordered)))] if ordered else 0.0
