"""Where waiting tasks begin, per kind and priority, so that a claim does not walk over what is long gone."""

from collections.abc import Sequence
from datetime import datetime

from taskfleet.models import ClaimedTask, Mark


class MarkBook:
    """The worker's own low-water marks: set by a refresh from the database's ledger, raised by each claim in between.

    A mark that is missing or too low costs speed. One that is too high hides late commits and retries until the next refresh,
    or until a claim is not filled and looks everywhere: never for good.
    """

    def __init__(self) -> None:
        self._marks: dict[tuple[str, int], Mark] = {}
        self._refreshed_at = float("-inf")

    def refreshed(self, marks: Sequence[Mark], *, now: float) -> None:
        """Replace all marks by what the database says."""
        self._marks = {(mark.kind, mark.priority): mark for mark in marks}
        self._refreshed_at = now

    def claimed(self, tasks: Sequence[ClaimedTask]) -> None:
        """Raise each mark to the oldest run_at that the claim brought of its kind and priority."""
        oldest: dict[tuple[str, int], datetime] = {}
        for task in tasks:
            key = (task.kind, task.priority)
            found = oldest.get(key)
            if found is None or task.run_at < found:
                oldest[key] = task.run_at
        for (kind, priority), run_at in oldest.items():
            mark = self._marks.get((kind, priority))
            if mark is not None and run_at > mark.run_at:
                self._marks[kind, priority] = Mark(kind=kind, priority=priority, run_at=run_at)

    def marks(self, kinds: Sequence[str], *, now: float, trusted_seconds: float) -> Sequence[Mark]:
        """The marks of these kinds; none if the last refresh is longer ago than they are trusted."""
        if now - self._refreshed_at > trusted_seconds:
            return ()
        wanted = frozenset(kinds)
        return [mark for mark in self._marks.values() if mark.kind in wanted]

    def forget(self) -> None:
        """Trust no mark until the next refresh."""
        self._refreshed_at = float("-inf")
