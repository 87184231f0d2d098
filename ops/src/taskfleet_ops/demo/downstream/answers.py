"""What the stand-in answered: the demo's witness, independent of the queue."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True)
class AnswerCounts:
    """Totals of the answers so far."""

    good_answers: int = 0
    """Calls answered well: each is an effect on the outer world."""
    good_tasks: int = 0
    """Tasks that got at least one good answer."""
    duplicates: int = 0
    """Tasks that got more than one."""
    gone_answers: int = 0
    overload_answers: int = 0

    @property
    def calls(self) -> int:
        """Every call, answered or refused."""
        return self.good_answers + self.gone_answers + self.overload_answers

    def to_dict(self) -> dict[str, int]:
        """As JSON carries it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, int]) -> Self:
        """Back from JSON."""
        return cls(**values)


class AnswerBook:
    """Counts answers, good ones per task."""

    def __init__(self) -> None:
        self._once: set[int] = set()
        self._again: set[int] = set()
        self._good = self._gone = self._overload = 0

    def good(self, task_id: int) -> None:
        """One good answer for this task."""
        self._good += 1
        (self._again if task_id in self._once else self._once).add(task_id)

    def gone(self) -> None:
        """One answer that the source is gone."""
        self._gone += 1

    def overload(self) -> None:
        """One call refused."""
        self._overload += 1

    def counts(self) -> AnswerCounts:
        """The totals."""
        return AnswerCounts(
            good_answers=self._good,
            good_tasks=len(self._once),
            duplicates=len(self._again),
            gone_answers=self._gone,
            overload_answers=self._overload,
        )
