"""Several queues under one global cap: each plays on its own between ticks, and our law decides for all of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from taskfleet_operator.scaling import Decided, Memory, QueueCase, ScalingPolicy, decide_fleet
from taskfleet_operator.scaling.fill import Claimant, fill
from taskfleet_operator.simulation.controllers import orders_for
from taskfleet_operator.simulation.played import PlayedQueue
from taskfleet_operator.simulation.result import Result
from taskfleet_operator.simulation.tasks import Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """All queues at one tick, in their order."""

    at: float
    wanted: tuple[int, ...]
    """Replicas that each queue's work asks for."""
    fair: tuple[int, ...]
    """What each would have if the cap were shared afresh now."""
    held: tuple[int, ...]
    """Pods that exist after the decision."""


@dataclass(kw_only=True, slots=True)
class FleetResult:
    """What became of every queue, and how the cap was shared."""

    cap: int
    queues: tuple[Result, ...]
    ticks: list[Tick] = field(default_factory=list)

    @property
    def most_held(self) -> int:
        """Pods of all queues at the same time."""
        return max(sum(tick.held) for tick in self.ticks)

    @property
    def jain_index(self) -> float:
        """How evenly demand was satisfied while the cap was too small for it: 1 is even, 1/n is all for one.

        (Σx)² / (n·Σx²) over x = held / fair share, averaged over the ticks (Jain, Chiu and Hawe, 1984).
        """
        scarce = [tick for tick in self.ticks if sum(tick.wanted) > self.cap]
        return sum(_jain(tick) for tick in scarce) / len(scarce) if scarce else 1.0

    @property
    def reuse_ticks(self) -> int:
        """The most ticks until a pod that was free under the cap while somebody wanted it was one of theirs."""
        return max((self._reused_after(index) for index in range(len(self.ticks))), default=0)

    def _reused_after(self, index: int) -> int:
        """Ticks until the queues that lacked pods have grown by what was free, or lack none any more."""
        tick = self.ticks[index]
        lacking = [max(0, wanted - held) for wanted, held in zip(tick.wanted, tick.held, strict=True)]
        free = min(self.cap - sum(tick.held), sum(lacking))
        for later, then in enumerate(self.ticks[index:]):
            grown = sum(max(0, now - held) for now, held, lack in zip(then.held, tick.held, lacking, strict=True) if lack)
            if grown >= free or sum(then.held) >= self.cap or not any(_lack(then)):
                return later
        return len(self.ticks) - index


class FleetSimulation:
    """Runs several workloads under one cap until all are over."""

    def __init__(self, workloads: Sequence[Workload], policies: Sequence[ScalingPolicy], *, cap: int, seed: int = 1) -> None:
        self._policies = policies
        self._cap = cap
        self._queues = [PlayedQueue(workload, controller="taskfleet", seed=seed + number) for number, workload in enumerate(workloads)]
        self._memories = [Memory() for _ in workloads]

    def run(self, *, moments: bool = False) -> FleetResult:
        """Play all workloads; `moments` are kept for pictures."""
        result = FleetResult(cap=self._cap, queues=tuple(queue.result for queue in self._queues))
        now = 0.0
        while not all(queue.over for queue in self._queues):
            for queue in self._queues:
                queue.play_until(now)
            result.ticks.append(self._tick(now, moments=moments))
            now += self._policies[0].tick_seconds
        for queue in self._queues:
            queue.close()
        return result

    def _tick(self, now: float, *, moments: bool) -> Tick:
        decided = decide_fleet(self._cases(), global_max_replicas=self._cap, now=now)
        for queue, one in zip(self._queues, decided, strict=True):
            orders = orders_for(one.decision)
            queue.apply(orders)
            if moments:
                queue.result.moments.append(queue.moment(orders))
        self._memories = [one.memory for one in decided]
        return Tick(
            at=now,
            wanted=tuple(one.decision.wanted for one in decided),
            fair=self._fair(decided),
            held=tuple(queue.held for queue in self._queues),
        )

    def _cases(self) -> list[QueueCase]:
        parts = zip(self._queues, self._policies, self._memories, strict=True)
        return [QueueCase(observation=queue.observe(), policy=policy, memory=memory) for queue, policy, memory in parts]

    def _fair(self, decided: Sequence[Decided]) -> tuple[int, ...]:
        claimants = [
            Claimant(name=policy.queue, demand=one.decision.wanted, weight=policy.weight, priority=policy.priority)
            for one, policy in zip(decided, self._policies, strict=True)
        ]
        return tuple(fill(claimants, self._cap))


def _lack(tick: Tick) -> tuple[bool, ...]:
    return tuple(held < wanted for held, wanted in zip(tick.held, tick.wanted, strict=True))


def _jain(tick: Tick) -> float:
    satisfied = [min(1.0, held / fair) for held, fair in zip(tick.held, tick.fair, strict=True) if fair > 0]
    squares = sum(share * share for share in satisfied)
    return sum(satisfied) ** 2 / (len(satisfied) * squares) if squares else 1.0
