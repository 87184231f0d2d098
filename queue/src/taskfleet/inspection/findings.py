"""What an inspection says."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    PROBLEM = "problem"
    """Something is wrong now: work is lost sight of, or will stop."""
    WARNING = "warning"
    """It slows the queue down, or will be a problem if it goes on."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that somebody should look at."""

    check: str
    """Which rule found it: `ledger`, `schema`, `horizon`, `dead_rows`, `statistics`, `partitions`, `sessions` or `maintenance`."""
    severity: Severity
    subject: str
    """The object: a kind, a relation, a connection, a worker."""
    found: str
    """What was found, with numbers."""
    advice: str
    """What to do."""
