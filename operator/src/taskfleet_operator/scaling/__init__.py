"""The scaling law, pure: values in, values out. No clock, no I/O, no logging; nothing but the standard library and msgspec's structs.

What may live here: the inputs (observation, policy, memory), the answer (decision, reasons) and the steps between them.
`decide` answers for one queue, `decide_fleet` for all of them under the global cap.
"""

from taskfleet_operator.scaling.blind import decide_blind
from taskfleet_operator.scaling.decide import decide
from taskfleet_operator.scaling.decision import Decided, Decision, Step
from taskfleet_operator.scaling.memory import Memory
from taskfleet_operator.scaling.observation import ARRIVED, OutcomeTotal, QueueObservation, ReadyTasks, RunningTasks, Worker
from taskfleet_operator.scaling.policy import (
    Behavior,
    BlindBehavior,
    Direction,
    KindLimits,
    Lanes,
    Mode,
    OnDatabaseError,
    RateUnit,
    ScalingPolicy,
    ScalingRate,
    ScalingRules,
    Select,
    StopPolicy,
)
from taskfleet_operator.scaling.reasons import Reason
from taskfleet_operator.scaling.share import decide_fleet
from taskfleet_operator.scaling.stand import QueueCase

__all__ = [
    "ARRIVED",
    "Behavior",
    "BlindBehavior",
    "Decided",
    "Decision",
    "Direction",
    "KindLimits",
    "Lanes",
    "Memory",
    "Mode",
    "OnDatabaseError",
    "OutcomeTotal",
    "QueueCase",
    "QueueObservation",
    "RateUnit",
    "ReadyTasks",
    "Reason",
    "RunningTasks",
    "ScalingPolicy",
    "ScalingRate",
    "ScalingRules",
    "Select",
    "Step",
    "StopPolicy",
    "Worker",
    "decide",
    "decide_blind",
    "decide_fleet",
]
