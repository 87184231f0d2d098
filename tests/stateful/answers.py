"""How the model and the real queue say the same thing. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from taskfleet.models import Completion, Failure, LeaseRef, Release, Settled, Settlement
from taskfleet.words import ErrorCode
from tests.stateful.model import Task
from tests.stateful.world import HOUR


def state_of(row: dict[str, Any]) -> str:
    return str(row["state"])


def seen(row: dict[str, Any], now: float) -> tuple[object, ...]:
    """A task as the database has it; moments to the quarter of an hour."""
    due = None if row["state"] not in ("waiting", "paused") else round((row["due_in"] + now) * 4) / 4
    return row["kind"], row["state"], row["attempts"], row["token"], row["session"], due


def meant(task: Task) -> tuple[object, ...]:
    """The same as the model has it."""
    running = task.state == "running"
    return (
        task.kind,
        task.state,
        task.attempts,
        task.token if running else None,
        task.session if running else None,
        task.run_at if task.state in ("waiting", "paused") else None,
    )


def in_order(settled: Settled) -> Settled:
    return Settled(finished=sorted(settled.finished), retried=sorted(settled.retried), stale=sorted(settled.stale))


def leases_of(pairs: Sequence[tuple[int, UUID]]) -> list[LeaseRef]:
    return [LeaseRef(task_id=task_id, token=token) for task_id, token in pairs]


def settlement_of(ends: Sequence[tuple[tuple[int, UUID], str]]) -> Settlement:
    def leases(*wanted: str) -> Iterator[tuple[LeaseRef, str]]:
        return ((LeaseRef(task_id=id_, token=token), ending) for (id_, token), ending in ends if ending in wanted)

    return Settlement(
        completions=[Completion(lease=lease) for lease, _ in leases("complete")],
        failures=[
            Failure(
                lease=lease,
                code=ErrorCode.EXECUTION_FAILED,
                message="it broke",
                retryable=ending == "fail",
                missing_entity="photo" if ending == "bury" else None,
            )
            for lease, ending in leases("fail", "bury")
        ],
        releases=[
            Release(lease=lease, code=ErrorCode.OVERLOADED, delay_seconds=0.5 * HOUR if ending == "delay" else 0.0)
            for lease, ending in leases("release", "delay")
        ],
    )
