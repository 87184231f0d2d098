"""What the server holds a session to, so that no client can keep others waiting."""

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg.sql import SQL, Composed, Identifier, Literal

GRACE_SECONDS = 2.0
"""What a server that ends its statements in time may take for the answer."""

_HAS_TRANSACTION_TIMEOUT = 170_000
"""The first version of PostgreSQL with `transaction_timeout`."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Times after which the server ends what a client began; None: never."""

    statement_seconds: float | None = None
    """Each statement; all that one call of a store does may take a little longer."""
    silent_seconds: float | None = 5.0
    """A transaction whose client has fallen silent, and the locks it holds: a worker that is frozen between two statements of maintenance
    would else keep every other from taking back leases."""

    @property
    def call_seconds(self) -> float | None:
        """All that one call of a store does."""
        return None if self.statement_seconds is None else self.statement_seconds + GRACE_SECONDS

    def of_session(self, *, server_version: int) -> Composed | None:
        """The statements that set the limits for a session; None when there are none."""
        settings = list(self._of_session(server_version))
        return SQL("; ").join(settings) if settings else None

    def of_transaction(self) -> Composed | None:
        """The statement that limits a single transaction: behind a pooler a session's settings stay with a connection that others get."""
        return None if self.silent_seconds is None else _set("LOCAL", "idle_in_transaction_session_timeout", self.silent_seconds)

    def _of_session(self, server_version: int) -> Iterator[Composed]:
        if self.silent_seconds is not None:
            yield _set("SESSION", "idle_in_transaction_session_timeout", self.silent_seconds)
        if self.statement_seconds is not None:
            yield _set("SESSION", "statement_timeout", self.statement_seconds)
        if self.call_seconds is not None and server_version >= _HAS_TRANSACTION_TIMEOUT:
            # A client that freezes in the middle of a pipeline leaves the server waiting where neither of the others counts.
            yield _set("SESSION", "transaction_timeout", self.call_seconds)


_SCOPES = {"LOCAL": SQL("LOCAL"), "SESSION": SQL("SESSION")}


def _set(scope: str, name: str, seconds: float) -> Composed:
    return SQL("SET {} {} = {}").format(_SCOPES[scope], Identifier(name), Literal(round(seconds * 1000)))
