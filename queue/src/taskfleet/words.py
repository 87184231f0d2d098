"""The words of the queue: states, outcomes, error codes and reasons, one name everywhere.

They appear unchanged in the database, in logs, metrics, the command line and the pages. Standard library only.
"""

from enum import StrEnum


class TaskState(StrEnum):
    """Where a task is in its life."""

    SCHEDULED = "scheduled"
    """Its run_at lies in the future: delayed, or waiting for its next attempt."""
    READY = "ready"
    """May be claimed."""
    RUNNING = "running"
    """Leased by a worker."""
    PAUSED = "paused"
    """Held until somebody resumes it."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """A dead letter, ready to be retried by hand."""
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How one attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The task is a dead letter now."""
    CANCELLED = "cancelled"
    RETRIED = "retried"
    """Back in the queue with one attempt used up."""
    RELEASED = "released"
    """Back in the queue, no attempt used up: an overloaded downstream, a worker that shut down."""


class ErrorCode(StrEnum):
    """Why an attempt did not succeed. Only TASK_EXECUTION_FAILED, TASK_TIMED_OUT and TASK_LEASE_EXPIRED are tried again."""

    PAYLOAD_MISSING = "TASK_PAYLOAD_MISSING"
    PAYLOAD_INVALID = "TASK_PAYLOAD_INVALID"
    PAYLOAD_UNSUPPORTED = "TASK_PAYLOAD_UNSUPPORTED"
    """No worker of the queue has a handler for the kind."""
    PRECONDITION_FAILED = "TASK_PRECONDITION_FAILED"
    ENTITY_NOT_FOUND = "TASK_ENTITY_NOT_FOUND"
    """The source is gone; asking again would not bring it back."""
    EXECUTION_FAILED = "TASK_EXECUTION_FAILED"
    TIMED_OUT = "TASK_TIMED_OUT"
    """It ran longer than its kind allows."""
    LEASE_EXPIRED = "TASK_LEASE_EXPIRED"
    """Its worker was not heard of for a whole lease."""
    EXPIRED = "TASK_EXPIRED"
    """It waited longer than its queue allows."""
    CANCELLED = "TASK_CANCELLED"
    OVERLOADED = "TASK_OVERLOADED"
    """A downstream asked for less; the task was released."""
    RETRY_LATER = "TASK_RETRY_LATER"
    """Its handler asked for a later moment; the task was released. No sign of overload."""
    SHUTDOWN = "TASK_SHUTDOWN"
    """Its worker shut down while it ran; the task was released."""
    UNSTARTED = "TASK_UNSTARTED"
    """Its worker claimed it and never started it: no slot became free in time, or it shut down; the task was released."""


class DeadReason(StrEnum):
    """Why a task became a dead letter."""

    NON_RETRYABLE = "non_retryable"
    MAX_ATTEMPTS_EXCEEDED = "max_attempts_exceeded"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Verdict(StrEnum):
    """Why a claim brought what it brought: 'nothing to do' is not 'not allowed'."""

    CLAIMED = "claimed"
    IDLE = "idle"
    """Nothing is ready for these kinds."""
    QUOTA = "quota"
    RATE = "rate"
    CEILING = "ceiling"
    """The failure ceiling of the queue, or its maxConcurrent, is reached."""
    PAUSED = "paused"
    """The queue or all its kinds with work are paused or held."""
    DRAINING = "draining"
    SESSION_LOST = "session_lost"
    """The database does not know this session (any more): open a new one."""


class ChangeOutcome(StrEnum):
    """What became of the wish to change one task."""

    CANCELLED = "cancelled"
    """It waited or was paused, and is a dead letter with the reason cancelled now."""
    CANCEL_REQUESTED = "cancel_requested"
    """It runs: its worker learns of it by its next heartbeat, and the task is not tried again."""
    RETRIED = "retried"
    """It waits again, as if it were new."""
    PAUSED = "paused"
    """It is put aside until it is resumed."""
    RESUMED = "resumed"
    """It waits again."""
    HELD_BY_GROUP = "held_by_group"
    """It is not paused itself any more, but its group is."""
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    """Another unfinished task holds its key; nothing was changed."""
    WRONG_STATE = "wrong_state"
    """Tasks in its state cannot be changed like this; nothing was changed."""
    NOT_FOUND = "not_found"
