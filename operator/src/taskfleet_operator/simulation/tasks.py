"""What a simulated queue is fed with."""

from dataclasses import dataclass

from taskfleet_operator.scaling import KindLimits, Lanes


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedTask:
    """One task of a workload."""

    arrival: float
    """Seconds since the start."""
    service: float
    """Seconds it keeps a slot when nothing goes wrong."""
    kind: str = "task"
    gone: bool = False
    """Its source is gone: the first answered attempt fails for good."""
    age: float = 0.0
    """How old it already is when it arrives."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manners:
    """What the queue does with attempts that fail. The default is taskfleet's; plain queues treat every failure alike."""

    attempts: int = 10
    """Failures after which a task is given up."""
    backoff_seconds: float = 1.0
    """Wait after the first failure; it doubles with each."""
    gone_is_final: bool = True
    """A permanent failure ends the task at once."""
    overload_is_free: bool = True
    """A refused attempt goes back at once, uses up nothing, and its slot rests for a second."""

    def backoff(self, failures: int) -> float:
        """Seconds until the next attempt after so many failures."""
        return float(self.backoff_seconds * 2 ** (failures - 1))


TASKFLEET = Manners()
PLAIN_QUEUE = Manners(backoff_seconds=2.0, gone_is_final=False, overload_is_free=False)
"""Every failure is retried ten times, after 2^k seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """Tasks in order of arrival, and the goal and limits they come with."""

    name: str
    tasks: tuple[SimulatedTask, ...]
    max_wait_seconds: float
    max_pods: int
    slots_per_pod: int = 1
    horizon_seconds: float = 0.0
    """The run lasts at least so long; always until the last task is done."""
    kinds: tuple[KindLimits, ...] = ()
    lanes: Lanes = Lanes(fresh_seconds=1e9)  # noqa: RUF009 - a frozen value
    startup_least: float = 10.0
    startup_most: float = 20.0
    """A pod takes a uniform time between the two to start."""
