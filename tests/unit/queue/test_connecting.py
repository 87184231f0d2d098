import logging
import time
import traceback

import psycopg
import pytest

from taskfleet import connecting
from taskfleet.errors import DatabaseUnreachableError, SettingsError

URL = "postgresql://shop:hush-hush@db.example:6432/orders"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (URL, "db.example:6432/orders as shop"),
        ("host=/run/postgresql dbname=orders password=hush-hush", "/run/postgresql:5432/orders as the current user"),
        ("postgresql://", "the local socket:5432/ as the current user"),
        ("postgresql://a,b:5433/orders", "a,b:,5433/orders as the current user"),
    ],
)
def test_a_server_is_described_without_its_secrets(url: str, expected: str) -> None:
    assert connecting.described(url) == expected


@pytest.mark.parametrize("url", ["hush-hush", "postgresql://user:hush-hush@host:1?unknown=1", "mysql://user:hush-hush@host/db"])
def test_what_is_no_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SettingsError, match="expected postgresql://user:password@host:port/database") as caught:
        connecting.described(url)

    assert "hush" not in "".join(traceback.format_exception(caught.value, chain=True)).replace(__file__, "")


def test_a_connect_time_and_a_name_are_added_where_the_url_has_none() -> None:
    own = connecting.with_defaults(URL, application_name="us")
    given = connecting.with_defaults(f"{URL}?connect_timeout=3&application_name=them", application_name="us")

    assert ("connect_timeout=10" in own, "application_name=us" in own) == (True, True)
    assert ("connect_timeout=3" in given, "application_name=them" in given) == (True, True)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A server that refuses everybody; the pauses between tries, which take no time."""
    pauses: list[float] = []

    def refuse(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("connection failed: no route\n\tmore about it")

    monkeypatch.setattr(psycopg, "connect", refuse)
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


@pytest.mark.requirement("E6")
def test_tries_are_bounded_with_growing_pauses_and_end_in_a_clear_error(refusing: list[float], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    with pytest.raises(DatabaseUnreachableError) as caught:
        connecting.connect(URL, tries=4)

    assert str(caught.value) == (
        "PostgreSQL at db.example:6432/orders as shop gave no connection in 4 tries: connection failed: no route; "
        "check that it runs, and host, port, user and password in TASKFLEET_DATABASE_URL"
    )
    assert len(refusing) == 3
    assert all(0.05 <= pause <= 0.3 * 2**number for number, pause in enumerate(refusing))
    assert [record.message for record in caplog.records] == ["database.unreachable"] * 3
    assert not [record for record in caplog.records if "hush" in str(vars(record))]


def test_an_error_without_words_is_named_by_its_type() -> None:
    assert "in 1 tries: OperationalError;" in str(connecting.unreachable(URL, tries=1, error=psycopg.OperationalError()))


@pytest.mark.requirement("E6")
def test_the_url_is_asked_for_again_at_each_try(refusing: list[float]) -> None:
    passwords = ["old", "old", "new"]

    def rotated() -> str:
        return f"postgresql://shop:{passwords.pop(0)}@db.example/orders"

    with pytest.raises(DatabaseUnreachableError):
        connecting.connect(rotated, tries=3)

    assert passwords == []
