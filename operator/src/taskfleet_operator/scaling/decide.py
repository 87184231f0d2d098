"""The law for one queue: an observation, a policy and a memory in; a decision and a memory out."""

from taskfleet_operator.scaling.conclude import Allowance, conclude
from taskfleet_operator.scaling.decision import Decided
from taskfleet_operator.scaling.memory import Memory
from taskfleet_operator.scaling.observation import QueueObservation
from taskfleet_operator.scaling.policy import ScalingPolicy
from taskfleet_operator.scaling.stand import QueueCase, stands


def decide(observation: QueueObservation, policy: ScalingPolicy, memory: Memory, *, now: float) -> Decided:
    """Decide one queue at `now` (seconds since 1970 by the database's clock), as if no other queue existed."""
    (stand,) = stands([QueueCase(observation=observation, policy=policy, memory=memory)], now=now)
    return conclude(stand, Allowance(), now=now)
