"""What the queue promises, in plain Python: tasks, sessions, limits, and what each operation does to them.

Time is counted in whole hours that only the machine lets pass. All durations of the policy end on a half or a quarter of an
hour, so that the seconds which a test really takes never decide anything.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

KINDS = ("send", "resize", "score")
PRIORITIES = (2, 5)
FRESH = 0.25
BACKOFF = 0.5
EXPIRY = 4.25
"""From due to TASK_EXPIRED."""
RETENTION = 6.25
"""Of dead letters."""
KIND_TIMEOUT = {"send": 2.5}
QUEUE_TIMEOUT = 3.5
RATE_PERIOD = 1.5
MAX_ATTEMPTS = 3
ENTITY_MEMORY = 0.25
UNFINISHED = ("waiting", "running", "paused")


@dataclass(kw_only=True)
class Task:
    """One task that the database must know of."""

    kind: str
    priority: int
    run_at: float
    due_since: float
    max_attempts: int = MAX_ATTEMPTS
    key: str | None = None
    entity: str | None = None
    group: str | None = None
    state: str = "waiting"
    """waiting, running, paused, succeeded, failed or cancelled."""
    attempts: int = 0
    token: UUID | None = None
    session: UUID | None = None
    started_at: float = 0.0
    started_step: int = 0
    failed_at: float = 0.0
    by_hand: bool = False
    """Paused itself, and not only by its group."""
    unwanted: bool = False
    """Somebody asked to cancel it while it ran."""


@dataclass(kw_only=True)
class Session:
    """One worker process as the database should see it."""

    lease: float
    expires_at: float
    heartbeat_step: int
    closed: bool = False
    draining: bool = False
    unnamed: set[int] = field(default_factory=set)
    told: list[tuple[int, UUID]] = field(default_factory=list)
    """What the worker itself believes to hold: a lost reply is missing here, a lost lease still in it."""


@dataclass(kw_only=True)
class Limits:
    """What may run."""

    quota: dict[str, int] = field(default_factory=dict)
    rate: dict[str, int] = field(default_factory=dict)
    probes: dict[str, int] = field(default_factory=dict)
    max_concurrent: int | None = None
    ceiling: int | None = None
    held: bool = False


@dataclass(kw_only=True)
class Model:
    """The whole queue. `step` counts operations: it orders what happens within one hour."""

    now: float = 0.0
    step: int = 0
    tasks: dict[int, Task] = field(default_factory=dict)
    sessions: dict[UUID, Session] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    starts: list[tuple[str, float]] = field(default_factory=list)
    """Every start of a kind while it had a rate."""
    missing_until: dict[str, float] = field(default_factory=dict)
    paused_kinds: set[str] = field(default_factory=set)
    paused_groups: set[str] = field(default_factory=set)
    queue_paused: bool = False
    resumed_at: dict[str | None, float] = field(default_factory=dict)
    """When a kind, or (None) the queue, was last let go on."""
    ended: Counter[str] = field(default_factory=Counter)
    """What the counters must say."""

    # Looking.

    def waiting(self, kind: str | None = None) -> dict[int, Task]:
        """Tasks in ready, due or not."""
        return {id_: task for id_, task in self.tasks.items() if task.state == "waiting" and kind in (None, task.kind)}

    def due(self, kind: str) -> dict[int, Task]:
        """Tasks that a claim of the kind may take."""
        return {id_: task for id_, task in self.waiting(kind).items() if task.run_at <= self.now}

    def running(self, kind: str | None = None, session: UUID | None = None) -> dict[int, Task]:
        """Tasks under a lease, live or not."""
        return {
            id_: task
            for id_, task in self.tasks.items()
            if task.state == "running" and kind in (None, task.kind) and session in (None, task.session)
        }

    def holder(self, kind: str, key: str) -> int | None:
        """The unfinished task that has the key."""
        unfinished = (id_ for id_, task in self.tasks.items() if (task.kind, task.key) == (kind, key) and task.state in UNFINISHED)
        return next(unfinished, None)

    def alive(self, session: UUID) -> bool:
        """Whether the session may still claim and renew."""
        return not self.sessions[session].closed and self.sessions[session].expires_at > self.now

    def lost(self) -> dict[int, Task]:
        """Running tasks of sessions that were not heard of in time."""
        return {
            id_: task
            for id_, task in self.running().items()
            if task.session and not self.alive(task.session) and not self.sessions[task.session].closed
        }

    def late(self) -> dict[int, Task]:
        """Running tasks past their deadline."""
        return {
            id_: task for id_, task in self.running().items() if task.started_at + KIND_TIMEOUT.get(task.kind, QUEUE_TIMEOUT) <= self.now
        }

    def expired(self) -> dict[int, Task]:
        """Waiting tasks whose time is over; while somebody holds them it stands still."""
        return {
            id_: task
            for id_, task in self.waiting().items()
            if not self.stands_still(task.kind) and max(task.due_since, self.counted_from(task.kind)) + EXPIRY < self.now
        }

    def stands_still(self, kind: str) -> bool:
        """Whether nothing of the kind may be claimed at all."""
        return self.limits.held or self.queue_paused or kind in self.paused_kinds

    def counted_from(self, kind: str) -> float:
        """No time before this counts as waiting."""
        if self.stands_still(kind):
            return self.now
        return max(self.resumed_at.get(None, float("-inf")), self.resumed_at.get(kind, float("-inf")))

    def forgettable(self) -> dict[int, Task]:
        """Dead letters that nobody keeps any longer."""
        return {
            id_: task for id_, task in self.tasks.items() if task.state in ("failed", "cancelled") and task.failed_at + RETENTION < self.now
        }

    # Claiming.

    def gate(self, kind: str) -> int | None:
        """How many more of a limited kind may start; None: as many as there are."""
        rooms = []
        bounds = [bound[kind] for bound in (self.limits.quota, self.limits.probes) if kind in bound]
        if bounds:
            rooms.append(min(bounds) - len(self.running(kind)))
        if kind in self.limits.rate:
            recent = sum(1 for started, at in self.starts if started == kind and at > self.now - RATE_PERIOD)
            rooms.append(self.limits.rate[kind] - recent)
        return max(min(rooms), 0) if rooms else None

    def room(self) -> int | None:
        """How many more the queue as a whole may start."""
        bounds = [bound for bound in (self.limits.max_concurrent, self.limits.ceiling) if bound is not None]
        return min(bounds) - len(self.running()) if bounds else None

    def claimable(self, session: UUID, kinds: Sequence[str], limit: int) -> int:
        """How many tasks a claim must bring: neither more nor fewer."""
        if not self.alive(session) or self.sessions[session].draining or self.limits.held or self.queue_paused:
            return 0
        by_kind = 0
        for kind in set(kinds) - self.paused_kinds:
            gate, due = self.gate(kind), len(self.due(kind))
            by_kind += due if gate is None else min(gate, due)
        room = self.room()
        return max(min(limit, by_kind, limit if room is None else room), 0)

    def start(self, task_id: int, session: UUID, token: UUID) -> None:
        """A claim has taken the task."""
        task = self.tasks[task_id]
        task.state, task.session, task.token = "running", session, token
        task.started_at, task.started_step = self.now, self.step
        task.attempts += 1
        if task.kind in self.limits.rate:
            self.starts.append((task.kind, self.now))

    # Ending.

    def holds(self, task_id: int, token: UUID) -> bool:
        """Whether a write that shows this token counts."""
        task = self.tasks.get(task_id)
        return task is not None and task.state == "running" and task.token == token

    def complete(self, task_id: int) -> str:
        """The task went well: only its slim record stays."""
        return self._end(task_id, "succeeded")

    def fail(self, task_id: int, *, retryable: bool) -> str:
        """An attempt went wrong: back with a backoff, or dead."""
        task = self.tasks[task_id]
        again = self.now + BACKOFF
        if not retryable or task.attempts >= task.max_attempts:
            return self._end(task_id, "failed")
        if task.unwanted:
            return self._end(task_id, "cancelled")
        if again >= max(task.due_since, self.counted_from(task.kind)) + EXPIRY:
            return self._end(task_id, "failed")
        return self._wait(task, again)

    def release(self, task_id: int, *, delay: float = 0.0) -> str:
        """Given back without an attempt, unless it has waited too long."""
        task = self.tasks[task_id]
        task.attempts -= 1
        if task.unwanted:
            return self._end(task_id, "cancelled")
        run_at = max(task.run_at, self.now + delay) if delay else task.run_at
        if max(task.due_since, self.counted_from(task.kind)) + EXPIRY <= max(run_at, self.now):
            return self._end(task_id, "failed")
        return self._wait(task, run_at)

    def bury(self, task_id: int) -> str:
        """It waited for too long."""
        return self._end(task_id, "failed")

    def forget(self, task_id: int) -> None:
        """Retention has taken a dead letter."""
        del self.tasks[task_id]

    def _end(self, task_id: int, state: str) -> str:
        task = self.tasks[task_id]
        task.state, task.failed_at, task.session, task.token, task.unwanted = state, self.now, None, None, False
        self.ended[state] += 1
        return "finished"

    def _wait(self, task: Task, run_at: float) -> str:
        task.state, task.run_at, task.session, task.token = "waiting", run_at, None, None
        if task.group in self.paused_groups:
            task.state = "paused"
        return "retried"

    # People.

    def cancel(self, task_id: int) -> tuple[str, int | None]:
        """Stop it wherever it is; returns what is answered."""
        task = self.tasks[task_id]
        if task.state in ("waiting", "paused"):
            self._end(task_id, "cancelled")
            return "cancelled", None
        if task.state == "running":
            task.unwanted = True
            return "cancel_requested", None
        return "wrong_state", None

    def retry(self, task_id: int) -> tuple[str, int | None]:
        """Begin anew, unless another holds its key by now."""
        task = self.tasks[task_id]
        if task.state not in ("failed", "cancelled"):
            return "wrong_state", None
        if task.key and (holder := self.holder(task.kind, task.key)) is not None:
            return "idempotency_conflict", holder
        task.attempts, task.due_since, task.by_hand = 0, self.now, False
        self._wait(task, self.now)
        return "retried", None

    def pause(self, task_id: int) -> tuple[str, int | None]:
        """Put it aside."""
        task = self.tasks[task_id]
        if task.state not in ("waiting", "paused"):
            return "wrong_state", None
        task.state, task.by_hand = "paused", True
        return "paused", None

    def resume(self, task_id: int) -> tuple[str, int | None]:
        """Let it wait again, unless its group is paused."""
        task = self.tasks[task_id]
        if task.state != "paused":
            return "wrong_state", None
        task.by_hand = False
        if task.group in self.paused_groups:
            return "held_by_group", None
        self._bring_back(task)
        return "resumed", None

    def clear(self, kind: str | None, group: str | None) -> tuple[int, int]:
        """Remove what waits and what is paused, for good; returns how many of each."""
        chosen = {id_: task for id_, task in self.tasks.items() if kind in (None, task.kind) and group in (None, task.group)}
        waiting = [id_ for id_, task in chosen.items() if task.state == "waiting"]
        paused = [id_ for id_, task in chosen.items() if task.state == "paused"]
        for task_id in (*waiting, *paused):
            self.ended["cancelled"] += 1
            del self.tasks[task_id]
        return len(waiting), len(paused)

    def pause_group(self, group: str) -> None:
        """Put aside what waits of it."""
        self.paused_groups.add(group)
        for task in self.waiting().values():
            if task.group == group:
                task.state = "paused"

    def resume_group(self, group: str) -> None:
        """Bring back what is not paused itself."""
        self.paused_groups.discard(group)
        for task in self.tasks.values():
            if (task.group, task.state, task.by_hand) == (group, "paused", False):
                self._bring_back(task)

    def _bring_back(self, task: Task) -> None:
        task.state, task.run_at = "waiting", max(task.run_at, self.now)
        task.due_since = task.run_at

    # Living.

    def heartbeat(self, session: UUID, named: Sequence[tuple[int, UUID]]) -> Iterator[int]:
        """The worker says what it holds; yields what goes back because two heartbeats in a row did not name it."""
        known = self.sessions[session]
        unnamed = {id_ for id_, task in self.running(session=session).items() if (id_, task.token) not in named}
        gone = {id_ for id_ in unnamed & known.unnamed if self.tasks[id_].started_step <= known.heartbeat_step}
        known.unnamed = unnamed - gone
        known.heartbeat_step, known.expires_at = self.step, self.now + known.lease
        yield from gone
