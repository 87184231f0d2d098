"""The conditions of a TaskQueue and their reasons, each with the sentence that explains it.

A condition's message carries the numbers; these sentences stand in the documentation. Reasons that say why a fleet has its size are
those of the scaling law (`taskfleet_operator.scaling.reasons`).
"""

from enum import StrEnum
from typing import Final


class ConditionType(StrEnum):
    """What is told about a TaskQueue; all of them from the first visit on."""

    READY = "Ready"
    """The spec is valid, the database answers and the fleet is followed: nothing stands between the work and its workers."""
    ACTIVE = "Active"
    """There is work, or there are workers."""
    DATABASE_REACHABLE = "DatabaseReachable"
    """The last look at the database brought an answer."""
    WORKERS_AVAILABLE = "WorkersAvailable"
    """Workers start and stay up, as many as are asked for."""
    SCALING_LIMITED = "ScalingLimited"
    """The work asks for more workers than a ceiling allows."""
    GOAL_REACHABLE = "GoalReachable"
    """The wait goal leaves enough time to start a worker."""
    PAUSED = "Paused"
    """Someone stopped the queue or its scaling on purpose."""
    DEGRADED = "Degraded"
    """Something keeps the operator from following the spec."""


class ConditionReason(StrEnum):
    """Why a condition is as it is."""

    READY = "Ready"
    """Nothing is wrong."""
    SPEC_INVALID = "SpecInvalid"
    """The spec cannot be followed; the message names the path, what was found and what is allowed."""
    DATABASE_UNREACHABLE = "DatabaseUnreachable"
    """No answer from the database, or none within the statement time-out; the fleet is kept as onDatabaseError says."""
    SECRET_MISSING = "SecretMissing"  # noqa: S105 - a reason, not a password
    """The Secret with the database URL, or its key, is not there."""
    SCHEMA_MISSING = "SchemaMissing"
    """The database has no taskfleet schema, or an older one: run `taskfleet migrate up`."""
    SCHEMA_TOO_NEW = "SchemaTooNew"
    """The database has the schema of a newer release: upgrade the operator."""
    NOT_SEEN_YET = "NotSeenYet"
    """The operator has not looked yet."""
    DATABASE_ANSWERS = "DatabaseAnswers"
    """The last look brought an answer."""
    WORK_WAITING = "WorkWaiting"
    """Tasks wait or run."""
    WORKERS_IDLE = "WorkersIdle"
    """There are workers, but no work."""
    NO_WORK = "NoWork"
    """There is no work, and no worker."""
    WORKERS_RUNNING = "WorkersRunning"
    """As many workers as asked for are up."""
    WORKERS_STARTING = "WorkersStarting"
    """Workers are asked for that are not up yet."""
    WORKERS_FAILING = "WorkersFailing"
    """Workers end or cannot start; the message carries their last words."""
    NO_WORKERS_WANTED = "NoWorkersWanted"
    """The fleet is meant to be empty."""
    WITHIN_LIMITS = "WithinLimits"
    """No ceiling binds."""
    GOAL_HOLDS = "GoalHolds"
    """A worker can be started within the wait goal."""
    GOAL_TOO_SHORT = "GoalTooShort"
    """A worker takes longer to start than tasks may wait: keep minReplicas, or allow a longer wait."""
    NOT_PAUSED = "NotPaused"
    """Nothing is paused."""
    HELD = "Held"
    """stopPolicy lets nothing be claimed."""
    PAUSED_BY_HAND = "PausedByHand"
    """The queue was paused in the database; `taskfleet` or the console can resume it."""
    SCALING_PAUSED = "ScalingPaused"
    """spec.scaling.pause keeps the fleet from growing, shrinking or both."""
    AS_SPECIFIED = "AsSpecified"
    """The spec is followed."""
    QUEUE_CONFLICT = "QueueConflict"
    """An older TaskQueue names the same queue in the same database; that one is followed."""
    QUEUE_HELD = "QueueHeld"
    """Another operator scales this queue; this one takes over when that one is gone."""
    REPLICAS_CONTESTED = "ReplicasContested"
    """Somebody else keeps changing the replicas; the operator stays out of it for ten minutes."""
    OPERATION_FAILED = "OperationFailed"
    """A write to the cluster or the machine failed; the message says which, and it is tried again."""


class Status(StrEnum):
    """The status of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


HEALTHY: Final[dict[ConditionType, Status]] = {
    ConditionType.READY: Status.TRUE,
    ConditionType.DATABASE_REACHABLE: Status.TRUE,
    ConditionType.WORKERS_AVAILABLE: Status.TRUE,
    ConditionType.SCALING_LIMITED: Status.FALSE,
    ConditionType.GOAL_REACHABLE: Status.TRUE,
    ConditionType.PAUSED: Status.FALSE,
    ConditionType.DEGRADED: Status.FALSE,
}
"""How each condition looks when all is well (Active may be either)."""
