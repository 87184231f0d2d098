"""When workers that ended are started again: at growing pauses, and one at a time until one has proved that it stays up. Pure."""

from dataclasses import dataclass, replace
from typing import Final

PROVEN_SECONDS: Final = 30.0
"""A worker that lived this long counts as one that stays up, although nobody has seen its session."""


@dataclass(frozen=True, kw_only=True)
class Restarts:
    """The memory of crashes of one queue's workers. Times are seconds of a monotonic clock."""

    first_seconds: float
    longest_seconds: float
    in_a_row: int = 0
    """Rounds of crashes without a proven worker between them; crashes during a pause belong to the round that began it."""
    crashed_at: float = float("-inf")
    not_before: float = float("-inf")

    def after_crash(self, *, lived_seconds: float, now: float) -> "Restarts":
        """Take in a worker that ended by itself."""
        if now < self.not_before:
            return replace(self, crashed_at=now)
        in_a_row = 1 if lived_seconds >= self.longest_seconds else self.in_a_row + 1
        pause = min(self.longest_seconds, self.first_seconds * 2.0 ** min(in_a_row - 1, 32))
        return replace(self, in_a_row=in_a_row, crashed_at=now, not_before=now + pause)

    def after_proof(self) -> "Restarts":
        """Take in that a worker that was started after the last crash has proved itself."""
        return replace(self, in_a_row=0, not_before=float("-inf"))

    def allowed(self, *, missing: int, unproven: int, now: float) -> int:
        """Say how many may be started now: none in a pause; after a crash one that goes ahead; else all that are missing.

        Eight workers with a module that does not import: eight starts, a pause of 1 s, then one start after 1, 2, 4 … 60 s.
        """
        if now < self.not_before:
            return 0
        return missing if self.in_a_row == 0 else min(missing, max(0, 1 - unproven))
