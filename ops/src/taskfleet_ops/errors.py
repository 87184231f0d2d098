"""What operations can refuse.

TaskfleetError
└── OperationError            an operation that cannot be done as asked; nothing was changed
    ├── QueueNotFoundError    the database knows no queue of this name
    ├── JobNotFoundError      maintenance has no job of this name
    ├── EmptyFilterError      a change to every task of the database that was not asked for in so many words
    ├── PayloadNotJsonError   a payload on the command line that is no JSON
    ├── TraceFileError        a recorded history that cannot be read, or written
    ├── TaskQueueFileError    a file that holds no TaskQueue that can be followed
    └── PictureError          a picture that cannot be drawn: its name, or what draws it
"""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from taskfleet.errors import TaskfleetError


class OperationError(TaskfleetError):
    """An operation that cannot be done as asked; nothing was changed."""


class QueueNotFoundError(OperationError, LookupError):
    """The database knows no queue of this name."""

    def __init__(self, *, queue: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no queue {queue!r}{_way_out(queue, known)}")
        self.queue = queue


class JobNotFoundError(OperationError, LookupError):
    """Maintenance has no job of this name."""

    def __init__(self, *, job: str, known: Sequence[str], close: Sequence[str]) -> None:
        way_out = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        super().__init__(f"there is no maintenance job {job!r}: {way_out}")
        self.job = job


class EmptyFilterError(OperationError, ValueError):
    """A change to every task of the database that was not asked for in so many words."""

    def __init__(self, *, action: str) -> None:
        super().__init__(f"{action} would touch every queue of the database: name a queue, a kind or a group, or say --all")


class PayloadNotJsonError(OperationError, ValueError):
    """A payload on the command line that is no JSON."""

    def __init__(self, *, text: str, fault: str) -> None:
        excerpt = text if len(text) <= 60 else f"{text[:60]}…"
        super().__init__(
            f"""the payload {excerpt!r} is no JSON ({fault}): pass an object such as '{{"episode": 7}}', with quotes for the shell"""
        )


class TraceFileError(OperationError, ValueError):
    """A recorded history that cannot be read, or written."""

    def __init__(self, *, path: Path, fault: str) -> None:
        super().__init__(f"the trace {path}: {fault}")


class TaskQueueFileError(OperationError, ValueError):
    """A file that holds no TaskQueue that can be followed."""

    def __init__(self, *, path: Path, fault: str) -> None:
        super().__init__(f"the file {path}: {fault}")


class PictureError(OperationError):
    """A picture that cannot be drawn."""


def _way_out(queue: str, known: Sequence[str]) -> str:
    if not known:
        return ": this database has none yet; the first task or policy makes one"
    if close := get_close_matches(queue, known, n=1):
        return f": did you mean {close[0]!r}?"
    shown = ", ".join(sorted(known)[:8])
    return f": this database has {shown}{', …' if len(known) > 8 else ''}"
