"""Workloads with a story: limits, lanes, a downstream that breaks, very long tasks, several queues. Each is made from a seed."""

from dataclasses import replace
from random import Random

from taskfleet_operator.scaling import KindLimits, Lanes
from taskfleet_operator.simulation.downstream import Downstream, Saturating, TokenBucket
from taskfleet_operator.simulation.tasks import SimulatedTask, Workload
from taskfleet_operator.simulation.workloads import HOUR, lognormal, poisson, workload

CALLS_PER_SECOND = 20.0
CAPACITY = 20


def overload(random: Random, *, tasks: int = 20_000) -> Workload:
    """Half the sources are gone, and the service that all tasks call breaks when flooded (`flooded_downstream`)."""
    arrivals = sorted(random.uniform(0, 5) for _ in range(tasks))
    service = lognormal(random, mean=1, sigma=0.5)
    work = tuple(SimulatedTask(arrival=at, service=next(service), gone=random.random() < 0.5) for at in arrivals)
    return Workload(name="overload", tasks=work, max_wait_seconds=1800, max_pods=100)


def flooded_downstream() -> Downstream:
    """Twenty calls a second; a refused call costs half a token all the same."""
    return TokenBucket(per_second=CALLS_PER_SECOND, burst=CALLS_PER_SECOND, refusal_cost=0.5)


def saturation(random: Random, *, tasks: int = 20_000) -> Workload:
    """20,000 tasks of 2 s for something that gets no faster beyond twenty at once, and says nothing (`silent_downstream`)."""
    arrivals = sorted(random.uniform(0, 5) for _ in range(tasks))
    return replace(workload("saturation", arrivals, lognormal(random, mean=2, sigma=0.5), goal=1800, cap=100, slots=1), horizon_seconds=0)


def silent_downstream() -> Downstream:
    """Service times grow in proportion beyond twenty busy slots."""
    return Saturating(capacity=CAPACITY)


def very_long(random: Random) -> Workload:
    """Twenty tasks of twenty minutes at once."""
    arrivals = sorted(random.uniform(0, 1) for _ in range(20))
    return workload("very long", arrivals, lognormal(random, mean=1200, sigma=0.05), goal=120, cap=100, slots=1)


def short_goal(random: Random) -> Workload:
    """A steady stream that may wait for 20 s while a pod takes 30 to 60 s to start: nobody new comes in time, so enough must be there."""
    arrivals = list(poisson(random, rate=2, start=0, end=2 * HOUR))
    made = workload("short goal", arrivals, lognormal(random, mean=3, sigma=0.8), goal=20, cap=100, slots=1, horizon=2 * HOUR)
    return replace(made, startup_least=30, startup_most=60)


def mixed(random: Random, *, slots: int = 1) -> Workload:
    """Four kinds from half a second to two minutes; one has a quota and one a rate, both wide enough for what arrives."""
    kinds = (("quick", 2.0, 0.5), ("usual", 1.0, 5.0), ("slow", 0.05, 120.0), ("billed", 0.5, 2.0))
    tasks: list[SimulatedTask] = []
    for kind, rate, mean in kinds:
        service = lognormal(random, mean=mean, sigma=0.7)
        arrivals = poisson(random, rate=rate * slots, start=0, end=3 * HOUR)
        tasks.extend(SimulatedTask(arrival=at, service=next(service), kind=kind) for at in arrivals)
    service = lognormal(random, mean=5, sigma=0.7)
    tasks.extend(SimulatedTask(arrival=HOUR + random.uniform(0, 10), service=next(service), kind="usual") for _ in range(600 * slots))
    return Workload(
        name="mixed",
        tasks=tuple(sorted(tasks, key=lambda task: task.arrival)),
        max_wait_seconds=120,
        max_pods=100,
        slots_per_pod=slots,
        horizon_seconds=3 * HOUR,
        kinds=(
            KindLimits(kind="slow", max_concurrent=20 * slots),
            KindLimits(kind="billed", rate_starts=60 * slots, rate_period_seconds=60),
        ),
    )


def lanes(random: Random) -> Workload:
    """A steady stream, and 3,000 old tasks that come back after an hour and may take theirs."""
    service = lognormal(random, mean=1, sigma=0.7)
    tasks = [SimulatedTask(arrival=at, service=next(service)) for at in poisson(random, rate=3, start=0, end=3 * HOUR)]
    tasks += [SimulatedTask(arrival=HOUR + random.uniform(0, 5), service=next(service), age=2 * HOUR) for _ in range(3_000)]
    return Workload(
        name="lanes",
        tasks=tuple(sorted(tasks, key=lambda task: task.arrival)),
        max_wait_seconds=120,
        max_pods=100,
        horizon_seconds=3 * HOUR,
        lanes=Lanes(),
    )


def shared(random: Random, *, part: int = 1) -> tuple[Workload, ...]:
    """Three queues that want more than a common cap of 40, one of them later; or a part of their tasks."""
    made = []
    for name, count, at in (("first", 8_000, 0.0), ("second", 4_000, 0.0), ("third", 6_000, 300.0)):
        arrivals = sorted(at + random.uniform(0, 10) for _ in range(count // part))
        made.append(workload(name, arrivals, lognormal(random, mean=3, sigma=0.6), goal=300, cap=100, slots=1))
    return tuple(made)
