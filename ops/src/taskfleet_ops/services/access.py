"""Where the database is, and how operations get at it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from taskfleet.settings import QueueSettings
from taskfleet.store import Database


@dataclass(frozen=True, kw_only=True)
class Address:
    """A database and the schema in it."""

    url: str
    schema: str

    @classmethod
    def direct(cls, *, url: str | None, schema: str) -> Self:
        """The same, past a pooler where TASKFLEET_DIRECT_DATABASE_URL says how: for migrations."""
        return cls(url=url or QueueSettings.load().direct_url(), schema=schema)

    @classmethod
    def given(cls, *, url: str | None, schema: str) -> Self:
        """The database that was named, else that of the settings. Raises SettingsError when there is none."""
        return cls(url=url or QueueSettings.load().url(), schema=schema)


@asynccontextmanager
async def opened(address: Address) -> AsyncIterator[Database]:
    """The database, open, its schema checked.

    Raises DatabaseUnreachableError, SchemaMissingError or SchemaTooNewError.
    """
    pooled = QueueSettings.load().pooled
    async with Database(address.url, schema=address.schema, pool_size=1, pooled=pooled, application_name="taskfleet-cli") as database:
        await database.check_schema()
        yield database
