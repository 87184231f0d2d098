"""The migration files: read, paired and checksummed."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from taskfleet.errors import MigrationError

_FOLDER = Path(__file__).parent
_FILE_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.(?P<direction>up|down)\.sql")


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One numbered change of the schema, and its way back."""

    version: int
    name: str
    up: str
    down: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the way up, the same on every platform and for every schema name."""
        return hashlib.sha256(self.up.encode()).hexdigest()

    @property
    def title(self) -> str:
        """As in the file's name: 0001_relations."""
        return f"{self.version:04}_{self.name}"


@cache
def known_migrations(folder: Path = _FOLDER) -> Sequence[Migration]:
    """All migrations of this release, oldest first.

    Raises MigrationError when a number is missing or used twice, or a way back is missing.
    """
    texts: dict[tuple[int, str], dict[str, str]] = {}
    for path in sorted(folder.glob("*.sql")):
        if (match := _FILE_NAME.fullmatch(path.name)) is None:
            message = f"migration file {path.name} is not named NNNN_name.up.sql or NNNN_name.down.sql"
            raise MigrationError(message)
        texts.setdefault((int(match["version"]), match["name"]), {})[match["direction"]] = path.read_text(encoding="utf-8")
    for number, ((version, name), directions) in enumerate(sorted(texts.items()), start=1):
        if version != number or directions.keys() != {"up", "down"}:
            message = f"migration {version:04}_{name} must be number {number:04} and have both an up.sql and a down.sql"
            raise MigrationError(message)
    return tuple(
        Migration(version=version, name=name, up=directions["up"], down=directions["down"])
        for (version, name), directions in sorted(texts.items())
    )


def newest_version() -> int:
    """The schema version that this release needs; 0 when it has no migrations."""
    return len(known_migrations())
