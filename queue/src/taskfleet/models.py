"""The values that travel between the queue and its users: frozen, named wherever they are made, standard library only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Unpack
from uuid import UUID

from taskfleet.task_fields import TaskFields
from taskfleet.words import ChangeOutcome, DeadReason, ErrorCode, TaskState, Verdict

_OPTIONAL = TaskFields.__annotations__.keys()


@dataclass(frozen=True, kw_only=True, init=False)
class NewTask:
    """A task to enqueue."""

    kind: str
    payload: object = None
    """What JSON can carry. None is stored as SQL NULL: the worker answers TASK_PAYLOAD_MISSING if its handler wants one."""
    priority: int = 5
    """0-9, lower first."""
    run_at: datetime | None = None
    """Not before this moment (aware); a moment in the past counts as waiting since then. None: now, by the database's clock."""
    delay_seconds: float | None = None
    """Seconds from now by the database's clock; excludes run_at."""
    group: str | None = None
    entity: str | None = None
    """What the task is about; when it is found missing, later tasks of it fail without running."""
    idempotency_key: str | None = None
    """Unique among the unfinished tasks of the kind."""
    headers: Mapping[str, str] | None = None
    """Travels with the task: `traceparent` and the like."""
    max_attempts: int | None = None
    """None: what the kind says."""
    wants_result: bool = False

    def __init__(self, *, kind: str, payload: object = None, **fields: Unpack[TaskFields]) -> None:
        # A frozen dataclass sets each field by a call of its own, which is a sixth of what a task in enqueue_many costs. What is not given
        # is left to the class, where the defaults are.
        if not fields.keys() <= _OPTIONAL:
            message = f"NewTask has no field {min(fields.keys() - _OPTIONAL)!r}: it has kind, payload, {', '.join(sorted(_OPTIONAL))}"
            raise TypeError(message)
        self.__dict__.update(fields, kind=kind, payload=payload)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A recurring task."""

    name: str
    cron: str
    time_zone: str
    task: NewTask
    """What each tick enqueues."""
    next_at: datetime
    last_at: datetime | None
    """The tick of the last task; None: there was none yet."""
    last_task_id: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Enqueued:
    """What became of one new task."""

    task_id: int
    duplicate: bool = False
    """True: an unfinished task with the same idempotency key was there; this is its id."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt that did not succeed."""

    attempt: int
    code: str
    message: str
    started_at: datetime | None
    finished_at: datetime
    worker: str | None
    stack: str | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task as a person sees it."""

    task_id: int
    queue: str
    kind: str
    state: TaskState
    priority: int | None
    payload: object
    """None once it succeeded: the record of a success is slim."""
    headers: Mapping[str, str] | None
    group: str | None
    entity: str | None
    idempotency_key: str | None
    attempt_count: int
    max_attempts: int | None
    created_at: datetime
    run_at: datetime | None
    """When it may run next; None when it is finished."""
    last_attempt_at: datetime | None
    finished_at: datetime | None = None
    lease_expires_at: datetime | None = None
    worker: str | None = None
    progress: Mapping[str, object] | None = None
    """What its handler said last while it runs: `share` from 0 to 1, `message`."""
    result: object = None
    dead_reason: DeadReason | None = None
    code: str | None = None
    message: str | None = None
    stack: str | None = None
    trace_id: str | None = None
    attempts: Sequence[Attempt] = ()


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What became of the wish to cancel, retry, pause or resume one task."""

    task_id: int
    outcome: ChangeOutcome
    state: TaskState | None = None
    """Where the task is now; None: there is no such task, or it was moving."""
    holder_id: int | None = None
    """The unfinished task that holds the idempotency key, where that stood in the way."""

    @property
    def done(self) -> bool:
        """Whether the task is as it was wished (a running one that is to be cancelled: as far as it could be)."""
        return self.outcome not in (
            ChangeOutcome.HELD_BY_GROUP,
            ChangeOutcome.IDEMPOTENCY_CONFLICT,
            ChangeOutcome.WRONG_STATE,
            ChangeOutcome.NOT_FOUND,
        )


@dataclass(frozen=True, kw_only=True)
class KindPolicy:
    """What one kind may do, everywhere in the fleet. None means no limit, or the queue's own default."""

    kind: str
    max_concurrent: int | None = None
    rate_starts: int | None = None
    rate_period_seconds: float | None = None
    expected_seconds: float | None = None
    timeout_seconds: float | None = None
    max_attempts: int | None = None
    min_backoff_seconds: float | None = None
    max_backoff_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class QueuePolicy:
    """What a queue may do; written by the operator (or by hand without one), enforced by the database."""

    queue: str
    kinds: Sequence[KindPolicy] = ()
    """Kinds that are not named keep no limits of their own."""
    max_concurrent: int | None = None
    wait_goal_seconds: float | None = None
    fresh_seconds: float = 900.0
    stale_share: float = 0.2
    """Share of claims that goes to tasks older than fresh_seconds, 0..1."""
    stale_wait_seconds: float | None = None
    """Longest wait that the stale lane is sized for; like the wait goal, expiry never goes below it."""
    waiting_expiry_seconds: float = 172_800.0
    running_timeout_seconds: float = 86_400.0
    failed_retention_seconds: float = 604_800.0
    """How long failed and cancelled tasks are kept."""
    succeeded_retention_seconds: float = 2_592_000.0
    """How long successes are kept, to the day."""
    max_length: int | None = 1_000_000
    warn_length: int | None = 100_000
    max_payload_bytes: int = 262_144
    max_result_bytes: int = 262_144
    """Largest result, as JSON, that is kept; of a larger one only its size is."""
    held: bool = False
    """True: the operator lets nothing be claimed (stopPolicy); a manual pause is another flag, either holds."""


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """The pauses between attempts: from the first to the longest."""

    min_seconds: float
    max_seconds: float


@dataclass(frozen=True, kw_only=True)
class NewSession:
    """A worker process that starts."""

    session_id: UUID
    queue: str
    worker: str
    """Label only: pod name or host and process."""
    pod_uid: str | None = None
    slots: int
    kinds: Sequence[str]
    """The kinds it has handlers for; unknown ones are created."""
    lease_seconds: float
    backoff: Backoff | None = None
    """What the worker's own settings wish for a queue that nobody has written a policy for."""


class LeaseRef(NamedTuple):
    """The right to finish one claimed task.

    Made for every task that is done, so a tuple, as ClaimedTask and Completion are: that takes a third of the time of a dataclass.
    """

    task_id: int
    token: UUID


@dataclass(frozen=True, kw_only=True)
class LeaseNote:
    """What a handler says about its task while it runs."""

    lease: LeaseRef
    progress: Mapping[str, object] | None = None
    """None: nothing new."""
    longer_seconds: float | None = None
    """Time that it needs from now, at least."""


@dataclass(frozen=True, kw_only=True)
class HeartbeatAnswer:
    """What a worker learns from its heartbeat."""

    known: bool = True
    """False: the session is gone; everything it held is lost."""
    draining: bool = False
    lost: Sequence[int] = ()
    """Tasks it named and holds no longer."""
    cancelled: Sequence[int] = ()
    """Tasks somebody wants stopped."""
    released: int = 0
    """Leases of this session that it did not name for an interval and that went back (a claim whose reply was lost)."""
    stale_share: float = 0.2
    """The queue's share of claims that goes to stale tasks."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Nothing of this kind and priority waits before `run_at`: where a claim may begin to read."""

    kind: str
    priority: int
    run_at: datetime


class ClaimedTask(NamedTuple):
    """A task under a lease; the fields are in the order of the columns of a claim."""

    task_id: int
    token: UUID
    kind: str
    payload: object
    headers: Mapping[str, str] | None
    group: str | None
    entity: str | None
    priority: int
    attempt: int
    """1 for the first."""
    max_attempts: int
    run_at: datetime
    waited_seconds: float
    timeout_seconds: float | None
    entity_missing: bool
    """True: the fleet remembers that its entity is gone."""

    @property
    def lease(self) -> LeaseRef:
        """What every later write about this task must show."""
        return LeaseRef(self.task_id, self.token)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a claim brought, and why it was not more."""

    verdict: Verdict
    tasks: Sequence[ClaimedTask] = ()
    limited: bool = False
    """True: a quota, rate or ceiling took part: do not claim ahead of free slots."""


class Completion(NamedTuple):
    """A task that its handler finished well."""

    lease: LeaseRef
    result: object = None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An attempt that went wrong. The database decides from `retryable`, attempts and policy what follows."""

    lease: LeaseRef
    code: ErrorCode
    message: str
    stack: str | None = None
    retryable: bool = False
    missing_entity: str | None = None
    """Remember this entity as gone."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """A task given back without using up an attempt."""

    lease: LeaseRef
    code: ErrorCode
    """OVERLOADED, RETRY_LATER, SHUTDOWN or UNSTARTED."""
    delay_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """Outcomes to write together, in one transaction."""

    completions: Sequence[Completion] = ()
    failures: Sequence[Failure] = ()
    releases: Sequence[Release] = ()


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What became of a settlement."""

    finished: Sequence[int] = ()
    """Succeeded, failed for good, or expired while being given back."""
    retried: Sequence[int] = ()
    """Ready or scheduled again after a failure or a release."""
    stale: Sequence[int] = ()
    """The lease was lost before: nothing was written for these."""


@dataclass(frozen=True, kw_only=True)
class DecisionRecord:
    """One decision of the operator, kept for people who ask why."""

    queue: str
    decided_at: datetime | None = None
    """None when written: the database's clock."""
    replicas: int
    wanted: int
    desired: int
    reason: str
    message: str
    ready: int
    running: int
    oldest_seconds: float
    ceiling: int | None
    steps: Sequence[Mapping[str, object]] = field(default_factory=tuple)
