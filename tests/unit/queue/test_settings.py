from pathlib import Path

import pytest

from taskfleet.errors import SettingsError
from taskfleet.settings import QueueSettings

SECRET = "postgresql://user:hush-hush@db/orders"


@pytest.fixture(autouse=True)
def no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_URL_FILE", "SCHEMA", "QUEUE", "CONNECT_TRIES", "POOL_SIZE", "POOLED"):
        monkeypatch.delenv(f"TASKFLEET_{name}", raising=False)


def test_defaults_need_no_environment() -> None:
    settings = QueueSettings.load()

    assert (settings.queue, settings.schema_name, settings.connect_tries, settings.pool_size) == ("default", "taskfleet", 5, 4)


@pytest.mark.requirement("E2")
def test_every_setting_has_a_variable_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"DATABASE_URL": SECRET, "SCHEMA": "jobs", "QUEUE": "mail", "CONNECT_TRIES": "2", "POOL_SIZE": "9", "POOLED": "true"}
    for name, value in values.items():
        monkeypatch.setenv(f"TASKFLEET_{name}", value)

    settings = QueueSettings.load()

    assert (settings.url(), settings.schema_name, settings.queue) == (SECRET, "jobs", "mail")
    assert (settings.connect_tries, settings.pool_size, settings.pooled) == (2, 9, True)


def test_what_needs_a_session_of_its_own_goes_past_a_pooler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", SECRET)
    before = QueueSettings.load().direct_url()
    monkeypatch.setenv("TASKFLEET_DIRECT_DATABASE_URL", "postgresql://user:hush-hush@server/orders")
    settings = QueueSettings.load()

    assert (before, settings.url(), settings.direct_url()) == (SECRET, SECRET, "postgresql://user:hush-hush@server/orders")
    assert "hush" not in repr(settings)


def test_the_url_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", SECRET)

    settings = QueueSettings.load()

    assert "hush" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


def test_a_file_is_read_again_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "uri"
    file.write_text("postgresql://old@db/orders\n")
    monkeypatch.setenv("TASKFLEET_DATABASE_URL_FILE", str(file))
    settings = QueueSettings.load()
    before = settings.url()
    file.write_text("postgresql://new@db/orders\n")

    assert (before, settings.url()) == ("postgresql://old@db/orders", "postgresql://new@db/orders")


def test_a_url_wins_over_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", SECRET)
    monkeypatch.setenv("TASKFLEET_DATABASE_URL_FILE", str(tmp_path / "missing"))

    assert QueueSettings.load().url() == SECRET


def test_no_url_at_all_says_what_to_set() -> None:
    with pytest.raises(SettingsError, match="set TASKFLEET_DATABASE_URL"):
        QueueSettings.load().url()


@pytest.mark.parametrize(("content", "expected"), [(None, "cannot be read"), (b"\n", "is empty"), (b"\xff", "cannot be read")])
def test_a_file_without_a_url_is_named(tmp_path: Path, content: bytes | None, expected: str) -> None:
    file = tmp_path / "uri"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError, match=expected) as caught:
        QueueSettings(database_url_file=file).url()

    assert str(file) in str(caught.value)


def test_every_wrong_variable_is_named_at_once_without_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"POOL_SIZE": "0", "SCHEMA": "Public", "QUEUE": "-", "CONNECT_TRIES": "hush-hush"}.items():
        monkeypatch.setenv(f"TASKFLEET_{name}", value)

    with pytest.raises(SettingsError) as caught:
        QueueSettings.load()

    message = str(caught.value)
    assert [name for name in ("POOL_SIZE", "SCHEMA", "QUEUE", "CONNECT_TRIES") if f"TASKFLEET_{name}: " not in message] == []
    assert "hush" not in message
