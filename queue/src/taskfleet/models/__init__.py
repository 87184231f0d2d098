"""The values that travel between the queue and its users: frozen, named wherever they are made, standard library only.

Each user loads only the part that it speaks of, since to make all of these classes takes 15 ms.
"""

from typing import TYPE_CHECKING

from taskfleet.first_use import loaded_on_first_use

if TYPE_CHECKING:
    from taskfleet.models.leases import (
        Backoff,
        Claim,
        ClaimedTask,
        Completion,
        Failure,
        HeartbeatAnswer,
        LeaseNote,
        LeaseRef,
        Mark,
        NewSession,
        Release,
        Settled,
        Settlement,
    )
    from taskfleet.models.policies import DecisionRecord, KindPolicy, QueuePolicy
    from taskfleet.models.tasks import Attempt, Changed, Enqueued, NewTask, Schedule, Task

__all__ = [
    "Attempt",
    "Backoff",
    "Changed",
    "Claim",
    "ClaimedTask",
    "Completion",
    "DecisionRecord",
    "Enqueued",
    "Failure",
    "HeartbeatAnswer",
    "KindPolicy",
    "LeaseNote",
    "LeaseRef",
    "Mark",
    "NewSession",
    "NewTask",
    "QueuePolicy",
    "Release",
    "Schedule",
    "Settled",
    "Settlement",
    "Task",
]

_HOMES = {
    **dict.fromkeys(__all__, "taskfleet.models.leases"),
    **dict.fromkeys(("DecisionRecord", "KindPolicy", "QueuePolicy"), "taskfleet.models.policies"),
    **dict.fromkeys(("Attempt", "Changed", "Enqueued", "NewTask", "Schedule", "Task"), "taskfleet.models.tasks"),
}

if not TYPE_CHECKING:
    __getattr__ = loaded_on_first_use(__name__, _HOMES)
