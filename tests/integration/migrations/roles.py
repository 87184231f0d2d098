"""The four roles, granted in a test's database: roles belong to the whole server."""

from collections.abc import Callable, Iterator
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from taskfleet.migrations import RoleNames, apply_roles

Url = Callable[[str], str]


@pytest.fixture
def names(database_url: str) -> Iterator[RoleNames]:
    """Roles of this test's own, granted: roles belong to the whole server."""
    own = urlsplit(database_url).path.strip("/").removeprefix("taskfleet_test_")
    names = RoleNames(producer=f"p {own}", worker=f"w {own}", operator=f"o {own}", ops=f"a {own}")
    apply_roles(database_url, names=names)
    yield names
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name in (names.producer, names.worker, names.operator, names.ops):
            connection.execute(SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(Identifier(name)))


@pytest.fixture
def url_of(database_url: str, names: RoleNames) -> Url:
    """The URL on which every session has the rights of one role only."""

    def made(role: str) -> str:
        name = getattr(names, role).replace(" ", r"\ ")
        return f"{database_url}?options={quote(f'-c role={name}')}"

    return made
