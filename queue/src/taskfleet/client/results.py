"""Waiting for a result: what an outcome means, and when to look again. No I/O here."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from taskfleet.client.steps import Flow, Query, ask
from taskfleet.errors import ResultTooLargeError, TaskCancelledError, TaskFailedError, TaskNotFoundError
from taskfleet.words import DeadReason, TaskState

FIRST_POLL_SECONDS = 0.05
LONGEST_POLL_SECONDS = 1.0
"""Between two looks at a task that is waited for. Who is told of it looks all the same: what maintenance ends is not announced, and a
message can be lost with its connection."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One row of task_outcome.sql."""

    state: str
    result: object
    result_bytes: int | None
    reason: str | None
    code: str | None
    message: str | None

    @property
    def finished(self) -> bool:
        """Whether there is anything to tell."""
        return self.state != "unfinished"


def look(task_id: int) -> Flow[Outcome]:
    """Whether a task has finished, and how; raises TaskNotFoundError."""
    rows = yield from ask(Query(name="task_outcome", parameters={"task_id": task_id}, row=Outcome))
    if not rows:
        raise TaskNotFoundError(task_id)
    return rows[0]


def result_of(task_id: int, outcome: Outcome) -> object:
    """What a finished task returned; raises TaskFailedError, TaskCancelledError and ResultTooLargeError."""
    if outcome.state == TaskState.CANCELLED:
        raise TaskCancelledError(task_id=task_id, message=outcome.message or "")
    if outcome.state == TaskState.FAILED:
        reason = DeadReason(outcome.reason or DeadReason.NON_RETRYABLE)
        raise TaskFailedError(task_id=task_id, reason=reason, code=outcome.code or "", message=outcome.message or "")
    if outcome.result_bytes is not None:
        raise ResultTooLargeError(task_id=task_id, size=outcome.result_bytes)
    return outcome.result


def polls(random: Random) -> Iterator[float]:
    """Seconds to wait before each further look: growing, and with jitter, so that many who wait do not ask in step."""
    pause = FIRST_POLL_SECONDS
    while True:
        yield random.uniform(pause / 2, pause)
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)


def names(payload: str, task_id: int) -> bool:
    """Whether a message on the channel of results tells of this task: it holds one id or several, with commas between."""
    return str(task_id) in payload.split(",")
