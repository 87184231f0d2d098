"""What a producer is told: arguments first, then settings from the environment."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import LiteralString

from taskfleet.client.driver_errors import converted, converted_on_own_connection
from taskfleet.client.known_queue import KnownQueue
from taskfleet.errors import SettingsError
from taskfleet.names import validated_queue
from taskfleet.settings import QueueSettings
from taskfleet.store.queries import load_queries


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Where a producer connects to, and the queue it serves."""

    url: Callable[[], str]
    """Asked for every new connection: a file may hold a rotated password by then."""
    settings: QueueSettings
    known: KnownQueue
    queries: Mapping[str, LiteralString]

    @property
    def schema(self) -> str:
        """The schema of the queue's relations."""
        return self.settings.schema_name

    @property
    def session_url(self) -> Callable[[], str] | None:
        """Where a session of one's own is to be had, for LISTEN; None behind a pooler that nothing leads past."""
        if not self.settings.pooled:
            return self.url
        return None if self.settings.direct_database_url is None else self.settings.direct_url

    def own_errors(self) -> AbstractContextManager[None]:
        """Around work on a connection of ours."""
        return converted_on_own_connection(url=self.url(), schema=self.schema)

    def foreign_errors(self) -> AbstractContextManager[None]:
        """Around work on a connection of the caller's."""
        return converted(schema=self.schema)


def configure(url: str | None, *, queue: str | None, settings: QueueSettings | None) -> Configuration:
    """Put arguments over settings, and settings over defaults; raises SettingsError."""
    settings = settings or QueueSettings.load()
    try:
        name = validated_queue(queue or settings.queue)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return Configuration(
        url=settings.url if url is None else lambda: url,
        settings=settings,
        known=KnownQueue(name),
        queries=load_queries(settings.schema_name),
    )
