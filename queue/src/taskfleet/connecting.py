"""Connecting to PostgreSQL: a bounded number of tries, and errors that name the server but never the password."""

import logging
import time
from collections.abc import Callable
from random import Random
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from taskfleet.backoff import pauses
from taskfleet.errors import DatabaseUnreachableError, SettingsError

_log = logging.getLogger(__name__)

CONNECT_SECONDS = 10
"""How long one try may take; a connect_timeout in the URL wins."""


def described(url: str) -> str:
    """Where a URL leads, without its secrets: `db.example:5432/orders as shop`.

    Raises SettingsError when it is no connection URL.
    """
    parts = _parts(url)
    host = parts.get("host") or parts.get("hostaddr") or "the local socket"
    return f"{host}:{parts.get('port') or 5432}/{parts.get('dbname') or ''} as {parts.get('user') or 'the current user'}"


def with_defaults(url: str, *, application_name: str) -> str:
    """The URL with a bounded connect time and our name in pg_stat_activity, where it does not set its own."""
    parts = _parts(url)
    defaults: dict[str, str | int] = {"connect_timeout": CONNECT_SECONDS, "application_name": application_name}
    return make_conninfo(url, **{name: value for name, value in defaults.items() if name not in parts})


def unreachable(url: str, *, tries: int, error: Exception) -> DatabaseUnreachableError:
    """The error for a server that did not answer, with what the driver said last."""
    said = str(error).strip().splitlines()[:1] or [type(error).__name__]
    message = (
        f"PostgreSQL at {described(url)} gave no connection in {tries} tries: {said[0].strip()}; "
        "check that it runs, and host, port, user and password in TASKFLEET_DATABASE_URL"
    )
    return DatabaseUnreachableError(message)


def connect(url: str | Callable[[], str], *, tries: int, application_name: str = "taskfleet") -> "psycopg.Connection[Any]":
    """A connection in autocommit; waits between tries, exponentially and with jitter.

    A function is asked for the URL at each try: the password in a mounted file may have been rotated since the last one.
    Raises DatabaseUnreachableError after the last try.
    """
    for number, pause in enumerate([*pauses(tries, random=Random()), None], start=1):
        target = url if isinstance(url, str) else url()
        try:
            return psycopg.connect(with_defaults(target, application_name=application_name), autocommit=True)
        except psycopg.OperationalError as error:
            if pause is None:
                raise unreachable(target, tries=tries, error=error) from error
            _log.warning("database.unreachable", extra={"server": described(target), "attempt": number, "next_seconds": round(pause, 3)})
            time.sleep(pause)
    raise AssertionError


def _parts(url: str) -> dict[str, Any]:
    try:
        return dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        # The driver's message quotes the URL, password included: it is neither shown nor chained.
        message = "TASKFLEET_DATABASE_URL is no connection URL: expected postgresql://user:password@host:port/database"
        raise SettingsError(message) from None
