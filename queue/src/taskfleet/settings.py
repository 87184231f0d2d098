"""Settings of the queue, from environment variables with the prefix TASKFLEET_. Secrets never appear in a repr or an error."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from taskfleet.errors import SettingsError
from taskfleet.names import validated_queue
from taskfleet.schema_name import DEFAULT_SCHEMA, validated_schema

PREFIX = "TASKFLEET_"


class QueueSettings(BaseSettings):
    """Where the queue is and how this process speaks to it. What the queue may do is policy and lives in the database."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, populate_by_name=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    database_url: SecretStr | None = None
    """postgresql://user:password@host:port/database; wins over the file."""

    database_url_file: Path | None = None
    """A file that holds the URL, such as a mounted Secret; read again for every new connection, so that a rotated password is picked up."""

    direct_database_url: SecretStr | None = None
    """The way past PgBouncer, for what needs a session of its own: migrations, LISTEN, lasting locks."""

    schema_name: Annotated[str, AfterValidator(validated_schema)] = Field(default=DEFAULT_SCHEMA, validation_alias="TASKFLEET_SCHEMA")
    """The schema that holds the queue's relations (TASKFLEET_SCHEMA)."""

    queue: Annotated[str, AfterValidator(validated_queue)] = "default"
    """The queue that producers and workers use unless told otherwise."""

    connect_tries: int = Field(default=5, ge=1, le=1000)
    """Tries to connect before giving up with an error; the pauses between them take 2.3 s on average, up to 5 s for each further one."""

    pool_size: int = Field(default=4, ge=1, le=1000)
    """Most connections of one process; a producer needs one for each thread or task that enqueues at the same time."""

    pooled: bool = False
    """Whether the URL leads to a PgBouncer in transaction mode: no prepared statements then."""

    enqueue_batch: int = Field(default=5_000, ge=1, le=1_000_000)
    """Tasks that enqueue_many sends at once; all batches of a call share one transaction. Larger ones were slower: memory, not round
    trips, is what a batch costs."""

    @classmethod
    def load(cls) -> Self:
        """The settings of this process; raises SettingsError that names every wrong variable, what is allowed, and no secret."""
        try:
            return cls()
        except ValidationError as error:
            raise settings_error(error) from None

    def direct_url(self) -> str:
        """The way to a session of one's own: past a pooler where that is set; raises SettingsError when there is no URL at all."""
        return self.url() if self.direct_database_url is None else self.direct_database_url.get_secret_value()

    def url(self) -> str:
        """The database URL as it is now; raises SettingsError when there is none."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        if self.database_url_file is None:
            message = "no database is named: set TASKFLEET_DATABASE_URL (postgresql://user:password@host:port/database), or pass a URL"
            raise SettingsError(message)
        return _read(self.database_url_file)


def settings_error(error: ValidationError, *, prefix: str = PREFIX) -> SettingsError:
    """One error for all wrong variables: `TASKFLEET_POOL_SIZE: Input should be …`, without what was found, which may be a secret."""
    faults = "; ".join(
        f"{_variable(fault['loc'], prefix)}: {fault['msg']}" for fault in error.errors(include_input=False, include_url=False)
    )
    return SettingsError(f"wrong settings: {faults}")


def _variable(location: tuple[int | str, ...], prefix: str) -> str:
    name = str(location[0]) if location else "?"
    return name if name.startswith(prefix) else prefix + name.upper()


def _read(path: Path) -> str:
    try:
        url = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"TASKFLEET_DATABASE_URL_FILE names {path}, which cannot be read ({error}): mount it, or correct the path"
        raise SettingsError(message) from error
    if not url:
        message = f"TASKFLEET_DATABASE_URL_FILE names {path}, which is empty: it must hold postgresql://user:password@host:port/database"
        raise SettingsError(message)
    return url
