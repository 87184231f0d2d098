"""The demo's folder: made fresh, removed at the end, swept by the next demo when this one was killed.

A demo holds a lock on a file in its folder for as long as it lives; the kernel drops the lock with the process. A folder whose lock is
free and that nobody asked to keep is therefore a dead demo's.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_PREFIX: Final = "taskfleet-demo-"
_LOCK: Final = "lock"
_KEPT: Final = "kept"


class DemoFolder:
    """A context manager: makes the folder, sweeps dead demos' folders first, and removes its own unless it is to be kept."""

    def __init__(self, *, keep: bool = False, parent: Path | None = None) -> None:
        self._keep = keep
        self._parent = parent or Path(tempfile.gettempdir())
        self._lock = -1
        self.path = Path()

    @property
    def database(self) -> Path:
        """Where the embedded server keeps its data."""
        return database_of(self.path)

    @property
    def operator_log(self) -> Path:
        """What the operator and its workers say."""
        return self.path / "operator.log"

    @property
    def task_queue(self) -> Path:
        """The TaskQueue that the operator serves."""
        return self.path / "taskqueue.yaml"

    def __enter__(self) -> Self:
        sweep(self._parent)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._parent))
        # The server may run as another user (PostgreSQL refuses root): it may pass through, not look around.
        self.path.chmod(0o711)
        self._lock = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if self._keep:
            (self.path / _KEPT).touch()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self._keep:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def database_of(folder: Path) -> Path:
    """Where a demo's embedded server keeps its data."""
    return folder / "postgres"


def sweep(parent: Path) -> Sequence[Path]:
    """Remove the folders that killed demos left in `parent`; returns what was removed.

    Folders of running demos, kept ones and other users' are left alone.
    """
    removed: list[Path] = []
    for folder in parent.glob(f"{_PREFIX}*"):
        if folder.stat().st_uid == os.getuid() and not (folder / _KEPT).exists() and _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return removed


def _is_abandoned(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        # Just made by another demo, or no folder of ours.
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(lock)
