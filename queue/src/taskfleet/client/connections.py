"""Connections of a blocking producer: a few, shared by its threads."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from taskfleet.connecting import connect

Connection = psycopg.Connection[Any]

UNCHECKED_SECONDS = 1.0
"""An idle connection is asked for a sign of life before use once it has been idle for longer: what is enqueued is not sent twice."""


class Connections:
    """Up to `size` connections in autocommit, the most recently used first; further threads wait.

    Safe to share between threads, and to carry into a forked child: that opens its own.
    """

    def __init__(self, url: Callable[[], str], *, size: int, tries: int, pooled: bool) -> None:
        self._url = url
        self._tries = tries
        self._pooled = pooled
        self._size = size
        self._start()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection that answered a moment ago; raises DatabaseUnreachableError after the last try."""
        if self._owner != os.getpid():
            # The parent's sockets are the parent's: two processes on one would mix up their answers.
            self._start()
        with self._free:
            connection = self._living() or self._new()
            try:
                yield connection
            finally:
                self._give_back(connection)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            with suppress(IndexError):
                self._idle.pop()[0].close()

    def _start(self) -> None:
        self._owner = os.getpid()
        self._free = threading.Semaphore(self._size)
        self._idle: list[tuple[Connection, float]] = []

    def _living(self) -> Connection | None:
        try:
            connection, used_at = self._idle.pop()
        except IndexError:
            return None
        if time.monotonic() - used_at <= UNCHECKED_SECONDS:
            return connection
        try:
            connection.execute("SELECT 1")
        except psycopg.OperationalError:
            # The server that cut this one has most likely cut them all.
            connection.close()
            self.close()
            return None
        return connection

    def _new(self) -> Connection:
        connection = connect(self._url, tries=self._tries, application_name="taskfleet producer")
        connection.prepare_threshold = None if self._pooled else 0
        return connection

    def _give_back(self, connection: Connection) -> None:
        if connection.closed or connection.pgconn.transaction_status != TransactionStatus.IDLE:
            connection.close()
        else:
            self._idle.append((connection, time.monotonic()))
