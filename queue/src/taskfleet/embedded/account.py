"""The user a server runs as: ourselves, or somebody unprivileged when we are root, which PostgreSQL refuses."""

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from taskfleet.errors import EmbeddedServerError

_NUMERIC_FALLBACK = 65534
"""What kernels call the overflow user: usable where no user has a name."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user and group that a server program runs as; -1 means ours."""

    user: int = -1
    group: int = -1

    @property
    def differs(self) -> bool:
        """Whether files must be handed over before the server can use them."""
        return self.user >= 0

    def hand_over(self, path: Path) -> None:
        """Make a file or folder of ours this user's."""
        if self.differs:
            os.chown(path, self.user, self.group)

    def may_reach(self, path: Path) -> bool:
        """Whether this user may enter every folder above `path` and read what is there."""
        return not self.differs or (_passable(self, *path.resolve().parents) and _readable(self, path))

    def require_entry(self, folder: Path) -> None:
        """Raise EmbeddedServerError when a folder above `folder` is closed to this user; permissions are never opened."""
        closed = next((parent for parent in reversed(folder.resolve().parents) if self.differs and not _passable(self, parent)), None)
        if closed is not None:
            message = (
                f"PostgreSQL does not run as root and user {self.user} may not enter {closed}: "
                f"choose a folder that every user may enter instead of {folder} (such as one below /var/lib or /tmp)"
            )
            raise EmbeddedServerError(message)


def server_account() -> Account:
    """Ourselves; when we are root, `nobody`."""
    if os.geteuid() != 0:
        return Account()
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(user=_NUMERIC_FALLBACK, group=_NUMERIC_FALLBACK)
    return Account(user=nobody.pw_uid, group=nobody.pw_gid)


def programs_within_reach(programs: Path, *, account: Account, folder: Path) -> Path:
    """The programs, or a copy of their installation in `folder` where the user may not reach them.

    A virtual environment below /root is closed to everybody else; 40 MB are copied in a tenth of a second.
    """
    if account.may_reach(programs / "postgres"):
        return programs
    copy = folder / "postgresql"
    if not copy.exists():
        unfinished = folder / "postgresql.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(programs.parent, unfinished, symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        unfinished.rename(copy)
    return copy / "bin"


def _passable(account: Account, *folders: Path) -> bool:
    return all(_allows(account, folder, stat.S_IXUSR, stat.S_IXOTH) for folder in folders)


def _readable(account: Account, path: Path) -> bool:
    return _allows(account, path, stat.S_IRUSR, stat.S_IROTH)


def _allows(account: Account, path: Path, owner_bit: int, other_bit: int) -> bool:
    found = path.stat()
    return bool(found.st_mode & (owner_bit if found.st_uid == account.user else other_bit))
