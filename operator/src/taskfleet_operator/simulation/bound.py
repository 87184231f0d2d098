"""The lower bound: the pod-seconds below which nobody, knowing all arrivals and service times beforehand, starts every task in time.

A linear program over bins of time, solved by HiGHS through scipy, which development installs and the product does not need. Each constraint
holds for every real run, so the optimum costs no more than any of them. What it relaxes:

- Slots come in fractions, and so does work: a task is worked on at any rate from its arrival until its goal and its own length are over.
  Only the middle of a task longer than the goal is where it must be: if it starts in time, it runs from goal to length after its arrival.
- Within a bin everything may trade places. A bin is a twelfth of the goal or ten seconds, whichever is less; 8,000 bins at most.
- A pod costs its mean start-up before it works, and none works before the shortest start-up; the cap bounds working pods only.
- Nobody observes a quota, a rate, a lane, a failure or a tick.

Worked example: 100 tasks of 10 s at once, a goal of 90 s, 10 s to start: the work of 1,000 s must be done between 10 and 100 s, so 11.1
slots start and cost 111 s more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from taskfleet_operator.simulation.tasks import SimulatedTask, Workload

LONGEST_BIN_SECONDS = 10.0
BINS_PER_GOAL = 12
MOST_BINS = 8_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """The optimum of the relaxed problem."""

    pod_seconds: float
    bin_seconds: float
    slots: tuple[float, ...]
    """Working slots in each bin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bins:
    """The work of a workload by bins."""

    seconds: float
    arrived: tuple[float, ...]
    """Seconds of movable work that have come by the end of each bin …"""
    due: tuple[float, ...]
    """… and that must be done by then."""
    fixed: tuple[float, ...]
    """Seconds of work that lie in the bin whenever their tasks start in time."""


def lower_bound(workload: Workload, *, bin_seconds: float | None = None) -> Bound | None:
    """The bound; None where scipy is not installed, or where even the relaxed problem has no solution: no plan keeps the goal."""
    try:
        from scipy import optimize, sparse
    except ImportError:
        return None
    if not workload.tasks:
        return Bound(pod_seconds=0.0, bin_seconds=1.0, slots=())
    work = bins(workload, bin_seconds or _bin_seconds(workload))
    count, width = len(work.arrived), work.seconds
    one, none = sparse.identity(count, format="csr"), sparse.csr_matrix((count, count))
    change = one - sparse.eye(count, k=-1, format="csr")
    # Unknown: slots n, started slots u, movable work done by the end of each bin z. Rows: n_k − n_(k−1) <= u_k; work done <= width·n_k.
    rows = sparse.vstack([sparse.hstack([change, -one, none]), sparse.hstack([-width * one, none, change])], format="csr")
    right = [0.0] * count + [-fixed for fixed in work.fixed]
    startup = (workload.startup_least + workload.startup_most) / 2
    done = sparse.hstack([none, none, -change], format="csr")
    solved: Any = optimize.linprog(
        [width] * count + [startup] * count + [0.0] * count,
        A_ub=sparse.vstack([rows, done], format="csr"),
        b_ub=right + [0.0] * count,
        bounds=[*_slot_bounds(workload, count, width), *[(0, None)] * count, *zip(work.due, work.arrived, strict=True)],
        method="highs-ipm",
    )
    if solved.x is None:
        return None
    slots = tuple(float(number) for number in solved.x[:count])
    return Bound(pod_seconds=float(solved.fun) / workload.slots_per_pod, bin_seconds=width, slots=slots)


def bins(workload: Workload, seconds: float) -> Bins:
    """The work by bins: what can be moved, by when it came and by when it is due, and what cannot."""
    goal = workload.max_wait_seconds
    end = max(task.arrival + goal + task.service for task in workload.tasks)
    count = ceil(end / seconds) + 1
    arrived, due, fixed = [0.0] * count, [0.0] * count, [0.0] * count
    for task in workload.tasks:
        movable = min(task.service, goal)
        arrived[int(task.arrival / seconds)] += movable
        due[ceil((task.arrival + goal + task.service) / seconds) - 1] += movable
        _fix(fixed, task, goal=goal, width=seconds)
    return Bins(seconds=seconds, arrived=_added_up(arrived), due=_added_up(due), fixed=tuple(fixed))


def _fix(fixed: list[float], task: SimulatedTask, *, goal: float, width: float) -> None:
    """The middle of a long task: from the latest start to the earliest end."""
    start, end = task.arrival + goal, task.arrival + task.service
    for index in range(int(start / width), ceil(end / width)):
        fixed[index] += min(end, (index + 1) * width) - max(start, index * width)


def _bin_seconds(workload: Workload) -> float:
    end = max(task.arrival + workload.max_wait_seconds + task.service for task in workload.tasks)
    return max(min(LONGEST_BIN_SECONDS, workload.max_wait_seconds / BINS_PER_GOAL), end / MOST_BINS)


def _slot_bounds(workload: Workload, count: int, width: float) -> list[tuple[float, float]]:
    """Slots that may work in each bin: none before the first pod can be up, the cap afterwards."""
    most = workload.max_pods * workload.slots_per_pod
    up = (min(1.0, max(0.0, ((index + 1) * width - workload.startup_least) / width)) for index in range(count))
    return [(0.0, most * share) for share in up]


def _added_up(amounts: Sequence[float]) -> tuple[float, ...]:
    total, sums = 0.0, []
    for amount in amounts:
        total += amount
        sums.append(total)
    return tuple(sums)
