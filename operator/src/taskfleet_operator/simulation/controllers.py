"""Who decides in a simulation: our law, or something simpler to compare with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from taskfleet_operator.scaling import Decision, Memory, QueueObservation, Reason, ScalingPolicy, decide
from taskfleet_operator.simulation.tasks import Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    """What a controller wants done."""

    replicas: int
    drain: tuple[UUID, ...] = ()
    undrain: tuple[UUID, ...] = ()
    remove: tuple[UUID, ...] = ()
    """Drained pods that end now; lowering the replicas further ends pods as a ReplicaSet would."""
    jobs: bool = False
    """Pods that are made now are jobs: each runs as many tasks as it has slots, or as there are, and ends by itself."""
    claim_ceiling: int | None = None
    kind_ceilings: Mapping[str, int] = field(default_factory=dict)
    reason: Reason = Reason.STEADY
    message: str = ""


class Controller(Protocol):
    """Decides at every tick."""

    name: str
    tick_seconds: float
    """Until it looks again; read after each look, so it may vary."""
    grace_seconds: float
    """How long a pod that is told to end may go on with its tasks."""

    def orders(self, observation: QueueObservation, *, now: float) -> Orders:
        """What to do now."""
        ...


def orders_for(decision: Decision) -> Orders:
    """What our law's decision orders."""
    return Orders(
        replicas=decision.replicas,
        drain=decision.drain,
        undrain=decision.undrain,
        remove=decision.removable,
        claim_ceiling=decision.claim_ceiling,
        kind_ceilings=decision.kind_ceilings,
        reason=decision.reason,
        message=decision.message,
    )


class Law:
    """taskfleet's own law."""

    grace_seconds = 0.0

    def __init__(self, policy: ScalingPolicy, *, name: str = "taskfleet") -> None:
        self.name = name
        self.tick_seconds = policy.tick_seconds
        self.memory = Memory()
        self._policy = policy

    def orders(self, observation: QueueObservation, *, now: float) -> Orders:
        """Decide and remember."""
        decided = decide(observation, self._policy, self.memory, now=now)
        self.memory = decided.memory
        return orders_for(decided.decision)


def policy_for(workload: Workload) -> ScalingPolicy:
    """The defaults, with what the workload itself says: its goal and its limits."""
    return ScalingPolicy(
        queue=workload.name,
        max_wait_seconds=workload.max_wait_seconds,
        max_replicas=workload.max_pods,
        slots_per_replica=workload.slots_per_pod,
        kinds=workload.kinds,
        lanes=workload.lanes,
    )


class Fixed:
    """Always the same number of pods, from the first tick until the time is over and nothing is left."""

    grace_seconds = 0.0

    def __init__(self, replicas: int, *, until: float = 0.0, tick_seconds: float = 2.0, name: str | None = None) -> None:
        self.name = name or f"fixed:{replicas}"
        self.tick_seconds = tick_seconds
        self._replicas = replicas
        self._until = until

    def orders(self, observation: QueueObservation, *, now: float) -> Orders:
        """Keep the number while there is time or work."""
        work = bool(observation.ready or observation.running) or not observation.totals
        return Orders(replicas=self._replicas if work or now < self._until else 0)
