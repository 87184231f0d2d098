"""Endings on their way to the database: none is forgotten until the database has answered for it."""

from collections import deque
from collections.abc import Iterable, Sequence

from taskfleet.models import Completion, Failure, LeaseRef, Release, Settlement
from taskfleet_worker.rules.endings import Ending


class Outbox:
    """Endings that wait to be written, and those of the write under way."""

    def __init__(self) -> None:
        self._waiting: deque[Ending] = deque()
        self._sent: Sequence[Ending] = ()

    def __len__(self) -> int:
        """Endings the database has not answered for."""
        return len(self._waiting) + len(self._sent)

    @property
    def waiting(self) -> int:
        """Endings that no write has taken yet."""
        return len(self._waiting)

    @property
    def oldest(self) -> float | None:
        """When the first of the waiting ended, by the monotonic clock."""
        return self._waiting[0].ended_at if self._waiting else None

    def add(self, ending: Ending) -> None:
        """One more attempt is over."""
        self._waiting.append(ending)

    def extend(self, endings: Iterable[Ending]) -> None:
        """More attempts are over."""
        self._waiting.extend(endings)

    def take(self, most: int) -> Sequence[Ending]:
        """The next endings to write, oldest first; `answered` or `unanswered` has to follow."""
        count = min(most, len(self._waiting))
        self._sent = [self._waiting.popleft() for _ in range(count)]
        return self._sent

    def answered(self) -> None:
        """The database has answered for what was taken."""
        self._sent = ()

    def unanswered(self) -> None:
        """Nobody knows whether what was taken was written: it waits again, ahead of the others."""
        self._waiting.extendleft(ending._replace(tries=ending.tries + 1) for ending in reversed(self._sent))
        self._sent = ()

    def leases(self) -> Iterable[LeaseRef]:
        """The leases behind all of them: still ours until the database has answered."""
        for ending in (*self._waiting, *self._sent):
            yield ending.task.lease


def settlement_of(endings: Sequence[Ending]) -> Settlement:
    """What the store is asked to write."""
    records = [ending.record for ending in endings]
    completions = [record for record in records if isinstance(record, Completion)]
    if len(completions) == len(records):
        return Settlement(completions=completions)
    return Settlement(
        completions=completions,
        failures=[record for record in records if isinstance(record, Failure)],
        releases=[record for record in records if isinstance(record, Release)],
    )
