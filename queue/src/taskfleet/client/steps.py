"""What an operation asks of the database, apart from how it is asked: the blocking and the async producer carry out the same steps."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

Row = TypeVar("Row")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Query(Generic[Row]):
    """Run one .sql file."""

    name: str
    parameters: Mapping[str, object]
    row: type[Row] | None = None
    """What each row becomes, by the names of its columns; None: the query returns no rows."""


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Feed one .sql file that is a COPY … FROM STDIN."""

    name: str
    chunks: Iterable[str] | Iterable[bytes] = field(repr=False)
    """As the file says: in COPY's text format, whole lines, or in its binary format."""


Step = Query[object] | Copy
Flow = Generator[Step, Sequence[object], Result]
"""An operation: yields steps, is sent the rows of each, returns its result."""


def ask(query: Query[Row]) -> Flow[Sequence[Row]]:
    """The rows of a query, typed."""
    rows = yield cast("Query[object]", query)
    return cast("Sequence[Row]", rows)
