"""The workloads that a scaling law is judged by; each is made from a seed."""

from collections.abc import Callable, Iterator
from math import cos, exp, log, pi
from random import Random

from taskfleet_operator.simulation.tasks import SimulatedTask, Workload

HOUR = 3600.0


def step(random: Random, *, slots: int = 1) -> Workload:
    """88,000 tasks of 4 s within 5 s, an hour to start them."""
    arrivals = sorted(random.uniform(0, 5) for _ in range(88_000 * slots))
    return workload("step", arrivals, lognormal(random, mean=4, sigma=1), goal=3600, cap=200, slots=slots)


def daily(random: Random, *, slots: int = 1) -> Workload:
    """A day's wave between 0.2 and 3.8 tasks a second, 6 s each, a minute to start."""
    arrivals = _thinned(random, lambda at: slots * (2 - 1.8 * cos(2 * pi * at / (24 * HOUR))), most=3.8 * slots, until=24 * HOUR)
    return workload("daily", arrivals, lognormal(random, mean=6, sigma=0.8), goal=60, cap=100, slots=slots, horizon=24 * HOUR)


def bursty(random: Random, *, slots: int = 1) -> Workload:
    """Quiet for about ten minutes, then a minute and a half of sixty times as much."""
    arrivals: list[float] = []
    at, busy = 0.0, False
    while at < 6 * HOUR:
        end = min(6 * HOUR, at + random.expovariate(1 / (90 if busy else 600)))
        arrivals.extend(poisson(random, rate=slots * (12 if busy else 0.2), start=at, end=end))
        at, busy = end, not busy
    return workload("bursty", arrivals, lognormal(random, mean=4, sigma=1), goal=60, cap=100, slots=slots, horizon=6 * HOUR)


def hourly(random: Random, *, slots: int = 1) -> Workload:
    """2,000 tasks at each full hour, hardly anything in between."""
    arrivals = list(poisson(random, rate=0.05 * slots, start=0, end=6 * HOUR))
    for hour in range(6):
        arrivals.extend(hour * HOUR + random.uniform(0, 10) for _ in range(2_000 * slots))
    return workload("hourly", sorted(arrivals), lognormal(random, mean=5, sigma=1), goal=300, cap=100, slots=slots, horizon=6 * HOUR)


def long(random: Random, *, slots: int = 1) -> Workload:
    """Tasks of ten minutes with a heavy tail, and forty more after two hours."""
    arrivals = list(poisson(random, rate=0.015 * slots, start=0, end=8 * HOUR))
    arrivals.extend(2 * HOUR + random.uniform(0, 1) for _ in range(40 * slots))
    service = lognormal(random, mean=600, sigma=1.1, least=5, most=7200)
    return workload("long", sorted(arrivals), service, goal=120, cap=100, slots=slots, horizon=8 * HOUR)


FIVE: dict[str, Callable[..., Workload]] = {"step": step, "daily": daily, "bursty": bursty, "hourly": hourly, "long": long}
"""The workloads of the acceptance test, by name."""


def workload(
    name: str, arrivals: list[float], service: Iterator[float], *, goal: float, cap: int, slots: int, horizon: float = 0.0
) -> Workload:
    """A workload of one kind without limits."""
    tasks = tuple(SimulatedTask(arrival=at, service=seconds) for at, seconds in zip(arrivals, service, strict=False))
    return Workload(name=name, tasks=tasks, max_wait_seconds=goal, max_pods=cap, slots_per_pod=slots, horizon_seconds=horizon)


def lognormal(random: Random, *, mean: float, sigma: float, least: float = 0.0, most: float = float("inf")) -> Iterator[float]:
    """Service times of this mean, cut to what is given; `sigma` is that of their logarithm."""
    middle = log(mean) - sigma * sigma / 2
    while True:
        yield min(most, max(least, exp(random.gauss(middle, sigma))))


def poisson(random: Random, *, rate: float, start: float, end: float) -> Iterator[float]:
    """Arrivals by chance, so many a second on average."""
    at = start + random.expovariate(rate)
    while at < end:
        yield at
        at += random.expovariate(rate)


def _thinned(random: Random, rate: Callable[[float], float], *, most: float, until: float) -> list[float]:
    """A Poisson process of varying rate, by thinning one of the highest rate."""
    return [at for at in poisson(random, rate=most, start=0, end=until) if random.random() * most < rate(at)]
