"""The driver's errors, turned into this package's where they enter."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from taskfleet.connecting import described
from taskfleet.errors import DatabaseUnreachableError, InvalidTaskError, SchemaMissingError, TaskfleetError

_NO_SCHEMA = (errors.UndefinedTable, errors.UndefinedFunction, errors.UndefinedColumn, errors.InvalidSchemaName)
_NO_DATA = (errors.DataError, errors.ProgramLimitExceeded, errors.StatementTooComplex)
_LOST = ("08", "57P")
"""Classes of SQLSTATE that end the connection."""


@contextmanager
def converted(*, schema: str) -> Iterator[None]:
    """Errors that mean the same on whose connection ever: no schema, data that PostgreSQL does not take."""
    try:
        yield
    except _NO_SCHEMA as error:
        raise SchemaMissingError(schema=schema) from error
    except _NO_DATA as error:
        raise InvalidTaskError(f"PostgreSQL does not take this task, nothing was enqueued: {_first_line(error)}") from error


@contextmanager
def converted_on_own_connection(*, url: str, schema: str) -> Iterator[None]:
    """All of the driver's errors: nobody outside has a transaction to care for."""
    try:
        with converted(schema=schema):
            yield
    except psycopg.Error as error:
        # Without a SQLSTATE it was not the server that spoke: the connection is gone.
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and (error.sqlstate or "08").startswith(_LOST):
            message = (
                f"the connection to PostgreSQL at {described(url)} was lost on the way ({_first_line(error)}): whether the task was stored "
                "is unknown; with an idempotency_key it can be enqueued again without a second task"
            )
            raise DatabaseUnreachableError(message) from error
        raise TaskfleetError(f"PostgreSQL at {described(url)} refused, nothing was stored: {_first_line(error)}") from error


def _first_line(error: psycopg.Error) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
