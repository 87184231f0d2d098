"""Changing tasks: cancel, retry, pause and resume; dead letters listed, counted, retried and purged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from taskfleet import Producer
from taskfleet.client.lifecycle import Action
from taskfleet.dead_letters import DeadLetterFilter, DeadLetterKey, DeadLetterPage, DeadLetterStats
from taskfleet.errors import TaskNotFoundError
from taskfleet.models import Changed
from taskfleet_ops.services.access import Address
from taskfleet_ops.services.tasks import producer_of


@dataclass(frozen=True, kw_only=True)
class Target:
    """What to pause or resume besides single tasks: a group, a kind, or with neither the whole queue."""

    queue: str
    group: str | None = None
    kind: str | None = None


def change_tasks(address: Address, action: Action, task_ids: Sequence[int]) -> Sequence[Changed]:
    """Do the same to each of these tasks; one answer for each, in the order given. Tasks of any queue."""
    with producer_of(address) as producer:
        return producer.change(action, task_ids)


def pause(address: Address, target: Target) -> bool:
    """Pause a group, a kind or a queue; whether that is new."""
    with producer_of(address, queue=target.queue) as producer:
        return _switch(target, producer.pause_group, producer.pause_kind, producer.pause_queue)


def resume(address: Address, target: Target) -> bool:
    """Resume a group, a kind or a queue; whether it was paused."""
    with producer_of(address, queue=target.queue) as producer:
        return _switch(target, producer.resume_group, producer.resume_kind, producer.resume_queue)


def dead_letters(address: Address, *, queue: str, wanted: DeadLetterFilter, limit: int, after: int | None) -> DeadLetterPage:
    """A page of dead letters, newest first, behind the dead letter `after`. Raises TaskNotFoundError when that is none."""
    with producer_of(address, queue=queue) as producer:
        return producer.dead_letters(wanted, limit=limit, after=None if after is None else _key(producer, after))


def dead_letter_stats(address: Address, *, queue: str) -> DeadLetterStats:
    """Dead letters in numbers."""
    with producer_of(address, queue=queue) as producer:
        return producer.dead_letter_stats()


def retry_dead_letters(address: Address, *, queue: str, wanted: DeadLetterFilter, limit: int) -> Sequence[Changed]:
    """Retry the newest that match; one answer for each."""
    with producer_of(address, queue=queue) as producer:
        return producer.retry_dead_letters(wanted, limit=limit)


def purge_dead_letters(address: Address, *, queue: str, wanted: DeadLetterFilter) -> int:
    """Forget all that match; how many."""
    with producer_of(address, queue=queue) as producer:
        return producer.purge_dead_letters(wanted)


def _switch(target: Target, group: Callable[[str], bool], kind: Callable[[str], bool], queue: Callable[[], bool]) -> bool:
    if target.group is not None:
        return group(target.group)
    return queue() if target.kind is None else kind(target.kind)


def _key(producer: Producer, task_id: int) -> DeadLetterKey:
    task = producer.get_task(task_id)
    if task.finished_at is None or task.dead_reason is None:
        raise TaskNotFoundError(task_id)
    return DeadLetterKey(failed_at=task.finished_at, task_id=task_id)
