"""The handlers that a soaked worker runs: every way to end a task, and every way to be run but a child process."""

from dataclasses import dataclass

from taskfleet_worker import Context, EntityNotFound, RetryLater, Tasks

tasks = Tasks()
postponed: set[int] = set()
"""Tasks that were given back and are still to come."""


@dataclass
class Page:
    """A payload that pydantic checks."""

    number: int
    text: str


@tasks.task("noop")
async def noop(payload: dict[str, object]) -> None:
    """Ends at once."""


@tasks.task("typed")
async def typed(page: Page, context: Context) -> int:
    """Has a result."""
    return page.number + context.attempt


@tasks.task("thread")
def thread(payload: dict[str, object]) -> None:
    """Runs in a thread."""


@tasks.batch("batch", size=50)
async def batch(payloads: list[dict[str, object]]) -> None:
    """Many in a call."""


@tasks.task("broken")
async def broken(payload: dict[str, object]) -> None:
    """Fails, with a stack, until its attempts are used up."""
    raise ValueError(str(payload))


@tasks.task("missing")
async def missing() -> None:
    """Its entity, one of many, is gone."""
    raise EntityNotFound


@tasks.task("later")
async def later(_payload: object, context: Context) -> None:
    """Comes back once."""
    if context.task_id in postponed:
        postponed.remove(context.task_id)
    else:
        postponed.add(context.task_id)
        raise RetryLater(0.5)
