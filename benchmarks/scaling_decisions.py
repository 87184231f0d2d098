"""What a decision costs: time for a thousand queues, and memory over many ticks."""

import gc
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from random import Random
from statistics import median
from uuid import UUID

from taskfleet_operator.scaling import (
    ARRIVED,
    Memory,
    OutcomeTotal,
    QueueCase,
    QueueObservation,
    ReadyTasks,
    RunningTasks,
    ScalingPolicy,
    Worker,
    decide,
    decide_fleet,
)

WAITING = (0, 3, 40, 900, 0, 12, 0, 200)


def milliseconds_for_queues(count: int, *, rounds: int = 9) -> float:
    """The median time of one decision for so many queues under a cap: some idle, most at work, a few deep in backlog."""
    policies = [ScalingPolicy(queue=f"queue-{number}") for number in range(count)]
    memories = [Memory() for _ in policies]
    times = []
    for tick in range(rounds):
        now = 1_000_000.0 + 2 * tick
        cases = [
            QueueCase(observation=_sight(rules.queue, number, tick), policy=rules, memory=memory)
            for number, (rules, memory) in enumerate(zip(policies, memories, strict=True))
        ]
        # What is measured is the law, not the sweep over what the benchmark itself has made.
        gc.collect()
        gc.freeze()
        started = time.perf_counter()
        decided = decide_fleet(cases, global_max_replicas=2 * count, now=now)
        times.append(1000 * (time.perf_counter() - started))
        memories = [one.memory for one in decided]
    return median(times[1:])


def memory_growth(ticks: int) -> float:
    """The law's memory, as JSON, after so many ticks, by the largest it had in the first thousandth of them or thousand ticks."""
    rules = ScalingPolicy(queue="queue")
    memory, early = Memory(), 0
    for tick, sight in enumerate(islice(_sights(), ticks)):
        memory = decide(sight, rules, memory, now=1_000_000.0 + 2 * tick).memory
        if tick < max(1000, ticks // 1000):
            early = max(early, _size(memory))
    return _size(memory) / early


def _size(memory: Memory) -> int:
    return sys.getsizeof(json.dumps(memory.to_dict()))


def _sights() -> Iterator[QueueObservation]:
    """A fleet whose backlog comes and goes for ever."""
    random = Random(1)
    finished = 0
    for tick, waiting in enumerate(cycle(WAITING)):
        finished += random.randrange(8)
        yield _observed("queue", waiting=waiting, workers=4 + tick % 3, finished=finished)


def _sight(queue: str, number: int, tick: int) -> QueueObservation:
    waiting = WAITING[number % len(WAITING)]
    workers = 2 if waiting else number % 2
    return _observed(queue, waiting=waiting, workers=workers, finished=10 * tick if workers else 0)


def _observed(queue: str, *, waiting: int, workers: int, finished: int) -> QueueObservation:
    busy = min(workers, waiting)
    ready = [ReadyTasks(kind="task", count=waiting // 2 or 1, oldest_seconds=age) for age in (5.0, 15.0)] if waiting else []
    return QueueObservation(
        queue=queue,
        ready=tuple(ready),
        running=(RunningTasks(kind="task", count=busy, running_seconds=2.0 * busy),) if busy else (),
        totals=(
            OutcomeTotal(kind="task", outcome=ARRIVED, count=finished + waiting),
            OutcomeTotal(kind="task", outcome="succeeded", count=finished, busy_seconds=3.0 * finished),
        ),
        workers=tuple(Worker(session_id=UUID(int=number + 1), slots=1, leases=int(number < busy)) for number in range(workers)),
        replicas=workers,
        held=workers,
    )
