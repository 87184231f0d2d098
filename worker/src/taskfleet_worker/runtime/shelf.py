"""Tasks that were claimed ahead of a free slot: they wait here, shortly."""

from collections import deque
from collections.abc import Iterable, Sequence
from math import inf

from taskfleet.models import ClaimedTask, LeaseRef

HOLD_SECONDS = 0.1
"""A task that finds no slot within this time goes back to the queue, where others may take it: all slots may have got long tasks."""


class Shelf:
    """Waiting tasks by kind. They leave by priority, and kinds of one priority in turn, however many one of them has."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, str], deque[ClaimedTask]] = {}
        self._count = 0
        self._since = inf

    def __len__(self) -> int:
        """Tasks that wait."""
        return self._count

    def put(self, tasks: Sequence[ClaimedTask], *, now: float) -> None:
        """More tasks wait, behind those of their kind."""
        if tasks and not self._count:
            self._since = now
        self._count += len(tasks)
        for task in tasks:
            key = (task.priority, task.kind)
            queue = self._waiting.get(key)
            if queue is None:
                queue = self._waiting[key] = deque()
            queue.append(task)

    def take(self, count: int) -> Sequence[ClaimedTask]:
        """The next tasks to start, at most so many."""
        if len(self._waiting) == 1:
            return self._take_of_one_kind(count)
        taken: list[ClaimedTask] = []
        while self._count and len(taken) < count:
            priority = min(self._waiting)[0]
            # The first of its priority in the order of the dictionary; it goes to the end, so that the others have their turn.
            key = next(key for key in self._waiting if key[0] == priority)
            queue = self._waiting.pop(key)
            taken.append(queue.popleft())
            self._count -= 1
            if queue:
                self._waiting[key] = queue
        return taken

    def _take_of_one_kind(self, count: int) -> Sequence[ClaimedTask]:
        ((key, queue),) = self._waiting.items()
        taken = [queue.popleft() for _ in range(min(count, len(queue)))]
        self._count -= len(taken)
        if not queue:
            del self._waiting[key]
        return taken

    def drop(self, lease: LeaseRef) -> ClaimedTask | None:
        """Take out the task of a lease; None if it does not wait here."""
        for key, queue in self._waiting.items():
            for task in queue:
                if task.lease == lease:
                    queue.remove(task)
                    self._count -= 1
                    if not queue:
                        del self._waiting[key]
                    return task
        return None

    def clear(self) -> Sequence[ClaimedTask]:
        """Take out all."""
        return self.take(self._count)

    def leases(self) -> Iterable[LeaseRef]:
        """The leases of all that wait."""
        return [task.lease for queue in self._waiting.values() for task in queue]

    @property
    def give_back_at(self) -> float:
        """When those that still wait have waited for too long; infinite if none waits."""
        return self._since + HOLD_SECONDS if self._count else inf

    def moved(self, *, now: float) -> None:
        """Tasks have left for a slot: the others move up and wait anew."""
        self._since = now
