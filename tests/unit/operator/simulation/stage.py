"""Small workloads, and controllers that do what a test says, for cases worked out by hand."""

from collections.abc import Sequence

from taskfleet_operator.scaling import KindLimits, Lanes, QueueObservation
from taskfleet_operator.simulation.controllers import Orders
from taskfleet_operator.simulation.tasks import SimulatedTask, Workload


def task(arrival: float, service: float, *, kind: str = "task", gone: bool = False, age: float = 0.0) -> SimulatedTask:
    return SimulatedTask(arrival=arrival, service=service, kind=kind, gone=gone, age=age)


def load(
    *tasks: SimulatedTask,
    goal: float = 60,
    slots: int = 1,
    startup: float = 10,
    kinds: tuple[KindLimits, ...] = (),
    fresh_seconds: float = 1e9,
    horizon: float = 0,
) -> Workload:
    return Workload(
        name="case",
        tasks=tasks,
        max_wait_seconds=goal,
        max_pods=10,
        slots_per_pod=slots,
        kinds=kinds,
        horizon_seconds=horizon,
        lanes=Lanes(fresh_seconds=fresh_seconds, stale_share=0.25),
        startup_least=startup,
        startup_most=startup,
    )


class Script:
    """Replicas by the clock: the last entry that has come counts."""

    name = "script"
    tick_seconds = 1.0

    def __init__(self, *script: tuple[float, Orders], grace: float = 0.0) -> None:
        self._script = script
        self.grace_seconds = grace
        self.seen: list[QueueObservation] = []

    def orders(self, observation: QueueObservation, *, now: float) -> Orders:
        self.seen.append(observation)
        return [orders for at, orders in self._script if at <= now][-1]


def replicas(*script: tuple[float, int], grace: float = 0.0, gate: int | None = None) -> Script:
    return Script(*((at, Orders(replicas=count, claim_ceiling=gate)) for at, count in script), grace=grace)


def rounded(numbers: Sequence[float]) -> list[float]:
    return [round(number, 6) for number in numbers]
