"""What a worker exchanges with the queue: its session, claims, and what became of the tasks it held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from taskfleet.words import ErrorCode, Verdict


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
