"""The queue as a program in another language sees it: SQL, and nothing else."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

Rows = list[dict[str, Any]]
Sql = Callable[..., Rows]


@pytest.fixture
def sql(database_url: str) -> Iterator[Sql]:
    """Runs one statement in autocommit and gives its rows."""
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:

        def run(statement: str, *parameters: object) -> Rows:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

        yield run
