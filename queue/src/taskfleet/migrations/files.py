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
_LOSS = re.compile(r"^-- loses (?P<what>[^:]+): (?P<found>SELECT .+)$", re.MULTILINE)
_WORKS_FROM = re.compile(r"^-- works from: (?P<version>\d{4})$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What a way back cannot keep. A down.sql says it in its first lines: `-- loses WHAT: QUERY`, one line each."""

    what: str
    """In words: `recurring schedules`."""
    found: str
    """A query that returns a row when there is anything to lose."""


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
    def losses(self) -> Sequence[Loss]:
        """What its way back cannot keep; empty when it keeps everything."""
        return tuple(Loss(what=match["what"], found=match["found"]) for match in _LOSS.finditer(self.down))

    @property
    def works_from(self) -> int:
        """The oldest release, by its newest migration, whose programs keep working once this one is applied: itself, unless it says more.

        An up.sql that only adds says so in a line of its own: `-- works from: 0024`.
        """
        match = _WORKS_FROM.search(self.up)
        return self.version if match is None else min(self.version, int(match["version"]))

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
