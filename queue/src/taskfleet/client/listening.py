"""Hearing that tasks have finished, for blocking producers: each that waits listens on a connection of its own."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from taskfleet.channels import RESULTS
from taskfleet.client.results import names
from taskfleet.connecting import with_defaults

_log = logging.getLogger("taskfleet.producer")


class Listener:
    """Waits for word of one task; where nothing can be heard it only lets time pass."""

    def __init__(self, connection: "psycopg.Connection[Any] | None") -> None:
        self._connection = connection

    def wait(self, task_id: int, *, seconds: float) -> None:
        """Wait until there is word of the task, at most so long."""
        if self._connection is None:
            time.sleep(seconds)
            return
        until = time.monotonic() + seconds
        try:
            for notice in self._connection.notifies(timeout=seconds):
                if names(notice.payload, task_id):
                    return
        except psycopg.Error as error:
            _log.info("notifications.lost", extra={"channel": RESULTS, "error": str(error)})
            self._connection = None
            time.sleep(max(until - time.monotonic(), 0.0))


@contextmanager
def listening(url: Callable[[], str] | None) -> Iterator[Listener]:
    """A listener that hears everything sent from now on; one that hears nothing where there is no such URL, or it fails."""
    connection = None if url is None else _connected(url)
    try:
        yield Listener(connection)
    finally:
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()


def _connected(url: Callable[[], str]) -> "psycopg.Connection[Any] | None":
    try:
        connection = psycopg.connect(with_defaults(url(), application_name="taskfleet producer waiting"), autocommit=True)
        connection.execute(SQL("LISTEN {}").format(Identifier(RESULTS)))
    except psycopg.Error as error:
        _log.info("notifications.lost", extra={"channel": RESULTS, "error": str(error)})
        return None
    return connection
