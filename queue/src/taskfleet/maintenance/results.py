"""What a cleaning did, or would do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

Progress = Callable[[int], None]
"""Told after each batch how many tasks it handled."""


def silent(_: int) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """What one step did, or would do, with the tasks of one kind."""

    step: str
    """`running`, `waiting`, `failed`, `succeeded` or `partitions`."""
    queue: str
    kind: str
    count: int
    limit_seconds: float
    """How old they had to be."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """Tasks that were left alone, and why."""

    queue: str
    kind: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """One run over some kinds."""

    dry_run: bool
    batch: UUID
    """What its audit entries have in common; a dry run writes none."""
    done: Sequence[Cleaned] = ()
    left: Sequence[Left] = ()

    @property
    def total(self) -> int:
        """Tasks it changed, or would."""
        return sum(item.count for item in self.done)
