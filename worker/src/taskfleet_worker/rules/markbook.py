"""Where waiting tasks begin, per kind and priority, so that a claim does not walk over what is long gone."""

from collections.abc import Sequence
from datetime import datetime

from taskfleet.models import ClaimedTask, Mark


class MarkBook:
    """The worker's own low-water marks: set by a refresh from the database's ledger, raised by each claim in between.

    Two marks per kind and priority: the oldest waiting task as the ledger knew it, and how far claims have come since. The database reads
    stale tasks from the first and fresh ones from the second, so that a claim of fresh tasks never hides old ones. A mark that is missing
    or too low costs speed; one that is too high hides late commits and retries until the next refresh, or until a claim is not filled and
    looks everywhere: never for good.
    """

    def __init__(self) -> None:
        self._oldest: dict[tuple[str, int], Mark] = {}
        self._reached: dict[tuple[str, int], Mark] = {}
        self._refreshed_at = float("-inf")

    def refreshed(self, marks: Sequence[Mark], *, now: float) -> None:
        """Replace all marks by what the database says: one a kind and priority, or its oldest and its oldest fresh one."""
        ascending = sorted(marks, key=lambda mark: mark.run_at)
        self._reached = {(mark.kind, mark.priority): mark for mark in ascending}
        self._oldest = {(mark.kind, mark.priority): mark for mark in reversed(ascending)}
        self._refreshed_at = now

    def claimed(self, tasks: Sequence[ClaimedTask]) -> None:
        """Raise each reached mark to the oldest run_at that the claim brought of its kind and priority."""
        oldest: dict[tuple[str, int], datetime] = {}
        for task in tasks:
            key = (task.kind, task.priority)
            found = oldest.get(key)
            if found is None or task.run_at < found:
                oldest[key] = task.run_at
        for (kind, priority), run_at in oldest.items():
            mark = self._reached.get((kind, priority))
            if mark is not None and run_at > mark.run_at:
                self._reached[kind, priority] = Mark(kind=kind, priority=priority, run_at=run_at)

    def marks(self, kinds: Sequence[str], *, now: float, trusted_seconds: float) -> Sequence[Mark]:
        """The marks of these kinds; none if the last refresh is longer ago than they are trusted."""
        if now - self._refreshed_at > trusted_seconds:
            return ()
        wanted = frozenset(kinds)
        reached = [mark for mark in self._reached.values() if mark.kind in wanted]
        return reached + [mark for mark in self._oldest.values() if mark.kind in wanted and mark not in reached]
