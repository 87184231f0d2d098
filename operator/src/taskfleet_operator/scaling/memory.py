"""What the law remembers between two ticks: estimates, windows, ceilings. Saved with the decision history.

A new leader starts from it; an unreadable or missing memory is an empty one, and then nobody is removed until the windows are full.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from taskfleet_operator.scaling import codec


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """All that one queue's law remembers. Times are seconds since 1970 by the database's clock."""

    decided_at: float | None = None

    def to_dict(self) -> dict[str, object]:
        """The memory as plain values that JSON can carry."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, object] | None) -> "Memory":
        """The memory read back. What is missing, unknown or malformed counts as never seen."""
        return codec.decode(cls, plain) or cls()
