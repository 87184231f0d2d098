import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from taskfleet.errors import SettingsError
from taskfleet.models import Backoff
from taskfleet_worker.settings import WorkerSettings, read_settings

URL = "postgresql://shop:secret@db/orders"


def settings(**given: str) -> WorkerSettings:
    return read_settings({"TASKFLEET_DATABASE_URL": URL, **{f"TASKFLEET_{name}": value for name, value in given.items()}})


def complaint(environ: Mapping[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    return str(caught.value)


@pytest.mark.requirement("B16")
@pytest.mark.requirement("E2")
def test_defaults_are_the_documented_ones() -> None:
    found = settings()

    assert (found.concurrency, found.lease_seconds, found.loops.poll_seconds, found.heartbeat_seconds) == (1, 600.0, 1.5, 10.0)
    assert (found.loops.recovery_seconds, found.loops.recovery_batch) == (1.5, 50)
    assert (found.kinds.default_concurrency, found.kinds.default_rate_limit_seconds) == (None, 0.0)
    assert (found.queue, found.database.schema, found.telemetry.http_port, found.telemetry.log_format) == (
        "default",
        "taskfleet",
        -1,
        "json",
    )


@pytest.mark.requirement("B16")
def test_names_in_milliseconds_mean_the_same_as_those_in_seconds() -> None:
    old = settings(LEASE_MS="12000", POLL_INTERVAL_MS="250", HEARTBEAT_MS="2000", RECOVERY_INTERVAL_MS="700")
    new = settings(LEASE_SECONDS="12", POLL_SECONDS="0.25", HEARTBEAT_SECONDS="2", RECOVERY_SECONDS="0.7")

    assert (old.lease_seconds, old.loops) == (new.lease_seconds, new.loops)
    assert settings(LEASE_MS="12000", LEASE_SECONDS="30").lease_seconds == 30.0


@pytest.mark.requirement("B16")
@pytest.mark.parametrize(
    ("lease", "expected"),
    [("600", 10.0), ("12", 4.0), ("2", 1.0), ("2.4", 1.0), ("30", 10.0)],
)
def test_the_heartbeat_is_a_third_of_the_lease_within_its_bounds(lease: str, expected: float) -> None:
    assert settings(LEASE_SECONDS=lease).heartbeat_seconds == pytest.approx(expected)


@pytest.mark.requirement("B16")
def test_a_heartbeat_of_ones_own_stays_within_the_bounds() -> None:
    assert settings(LEASE_SECONDS="2", HEARTBEAT_SECONDS="60").heartbeat_seconds == 1.5
    assert settings(HEARTBEAT_SECONDS="0.2").heartbeat_seconds == 1.0


@pytest.mark.requirement("B16")
def test_the_recovery_interval_is_the_poll_interval_unless_set() -> None:
    assert settings(POLL_SECONDS="4").loops.recovery_seconds == 4.0
    assert settings(POLL_SECONDS="4", RECOVERY_SECONDS="2").loops.recovery_seconds == 2.0


@pytest.mark.requirement("B16")
def test_kinds_have_maps_of_their_own() -> None:
    kinds = settings(KIND_CONCURRENCY='{"resize": 2}', KIND_RATE_LIMIT_MS='{"resize": 250}', DEFAULT_KIND_RATE_LIMIT_MS="100").kinds

    assert (kinds.concurrency, kinds.rate_limit_seconds, kinds.default_rate_limit_seconds) == ({"resize": 2}, {"resize": 0.25}, 0.1)


@pytest.mark.requirement("B16")
def test_a_worker_id_is_made_up_where_none_is_given() -> None:
    assert settings().worker_id != settings().worker_id
    assert settings(WORKER_ID="mail-7f").worker_id == "mail-7f"


def test_the_url_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "uri"
    file.write_text(f"{URL}\n", encoding="utf-8")
    found = read_settings({"TASKFLEET_DATABASE_URL_FILE": str(file)}).database

    assert (found.url, found.url_file) == (URL, file)
    assert settings(DATABASE_URL_FILE=str(file)).database.url_file is None


def test_a_password_never_shows_in_a_repr() -> None:
    assert "secret" not in repr(settings())


def test_handlers_get_the_drain_time_less_what_goodbye_takes() -> None:
    assert [settings(DRAIN_SECONDS=seconds).handler_drain_seconds for seconds in ("30", "300", "5", "0")] == [25.0, 295.0, 4.0, 0.0]


def test_a_person_at_a_terminal_gets_text_unless_json_is_asked_for() -> None:
    environ = {"TASKFLEET_DATABASE_URL": URL}

    assert read_settings(environ, terminal=True).telemetry.log_format == "text"
    assert read_settings({**environ, "TASKFLEET_LOG_FORMAT": "JSON"}, terminal=True).telemetry.log_format == "json"
    assert read_settings({**environ, "TASKFLEET_LOG_FORMAT": "text"}).telemetry.log_format == "text"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("CONCURRENCY", "many", "a whole number from 1 to 1024"),
        ("CONCURRENCY", "0", "a whole number from 1 to 1024"),
        ("LEASE_SECONDS", "1", "a number of seconds, 2 or more"),
        ("LEASE_MS", "nan", "a number of milliseconds, 2000 or more"),
        ("POLL_SECONDS", "soon", "a number of seconds, 0.01 or more"),
        ("MAINTENANCE", "maybe", "one of 1, true, yes, on, 0, false, no, off"),
        ("LOG_LEVEL", "LOUD", "one of DEBUG, INFO, WARNING, ERROR"),
        ("KIND_CONCURRENCY", '{"a": 0}', 'a JSON object of whole numbers from 1, like {"resize": 2}'),
        ("KIND_RATE_LIMIT_MS", "[1]", 'a JSON object of whole numbers from 0, like {"resize": 2}'),
        ("KIND_CONCURRENCY", "{", 'a JSON object of whole numbers from 1, like {"resize": 2}'),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, value: str, allowed: str) -> None:
    message = complaint({"TASKFLEET_DATABASE_URL": URL, f"TASKFLEET_{name}": value})

    assert message == f"TASKFLEET_{name} is {value!r}, allowed is {allowed}"


def test_names_that_cannot_be_are_refused() -> None:
    message = complaint({"TASKFLEET_DATABASE_URL": URL, "TASKFLEET_QUEUE": "no spaces", "TASKFLEET_SCHEMA": "public"})

    assert [line.split(":")[0] for line in message.splitlines()] == ["TASKFLEET_SCHEMA", "TASKFLEET_QUEUE"]


def test_every_fault_is_told_at_once() -> None:
    message = complaint({"TASKFLEET_CONCURRENCY": "x", "TASKFLEET_HTTP_PORT": "99999"})

    assert len(message.splitlines()) == 3
    assert "TASKFLEET_DATABASE_URL is not set: set it, or TASKFLEET_DATABASE_URL_FILE" in message


def test_a_file_that_cannot_be_read_or_is_empty_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()

    assert "No such file" in complaint({"TASKFLEET_DATABASE_URL_FILE": str(tmp_path / "none")})
    assert "it is empty" in complaint({"TASKFLEET_DATABASE_URL_FILE": str(empty)})


@pytest.mark.parametrize(("text", "expected"), [("on", True), ("YES", True), ("0", False), ("off", False)])
def test_a_switch_understands_the_usual_words(text: str, expected: bool) -> None:
    assert settings(POOLED=text).database.pooled is expected


def test_the_way_past_a_pooler_is_never_shown() -> None:
    found = settings(DIRECT_DATABASE_URL="postgresql://x:hush@y/z").database

    assert found.direct_url == "postgresql://x:hush@y/z"
    assert "hush" not in repr(found)


def file_of(folder: Path, content: str) -> Path:
    path = folder / "worker.toml"
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.requirement("E2")
@pytest.mark.requirement("B16")
def test_a_file_says_what_the_environment_does_not(tmp_path: Path) -> None:
    file = file_of(tmp_path, 'concurrency = 8\nqueue = "mail"\npooled = true\nlease_seconds = 12.5\n[kind_rate_limit_ms]\nresize = 250\n')
    environ = {"TASKFLEET_DATABASE_URL": URL, "TASKFLEET_QUEUE": "fax"}
    found = read_settings(environ, file=file)
    named = read_settings({**environ, "TASKFLEET_SETTINGS_FILE": str(file)})

    assert (found.concurrency, found.queue, found.database.pooled, found.lease_seconds) == (8, "fax", True, 12.5)
    assert (found.prefetch, found.kinds.rate_limit_seconds) == (8, {"resize": 0.25})
    assert named.concurrency == 8


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("concurency = 8", "there is no setting 'concurency': did you mean concurrency?"),
        ("xyzzy = 8", "there is no setting 'xyzzy': docs/worker.md lists all settings"),
        ("concurrency = 0", "TASKFLEET_CONCURRENCY is '0', allowed is a whole number from 1 to 1024"),
        ("concurrency = ", "worker.toml is no TOML"),
    ],
    ids=["nearly a setting", "no setting", "out of bounds", "no TOML"],
)
def test_a_wrong_file_is_told_as_it_is(tmp_path: Path, content: str, expected: str) -> None:
    with pytest.raises(SettingsError, match="(?s)" + re.escape(expected)):
        read_settings({"TASKFLEET_DATABASE_URL": URL}, file=file_of(tmp_path, content))


def test_a_file_that_is_not_there_is_told_with_everything_else(tmp_path: Path) -> None:
    said = complaint({"TASKFLEET_SETTINGS_FILE": str(tmp_path / "none.toml"), "TASKFLEET_CONCURRENCY": "many"})

    assert "allowed is a readable file (No such file or directory)" in said
    assert "TASKFLEET_CONCURRENCY is 'many'" in said


@pytest.mark.requirement("B16")
def test_backoff_is_the_queues_unless_the_environment_wishes_otherwise() -> None:
    assert settings().backoff is None
    assert settings(BACKOFF_MIN_MS="500").backoff == Backoff(min_seconds=0.5, max_seconds=60.0)
    assert settings(MIN_BACKOFF_SECONDS="1", MAX_BACKOFF_SECONDS="4").backoff == Backoff(min_seconds=1.0, max_seconds=4.0)
    said = complaint({"TASKFLEET_DATABASE_URL": URL, "TASKFLEET_MAX_BACKOFF_SECONDS": "1"})
    assert said == "TASKFLEET_MAX_BACKOFF_SECONDS is 1, allowed is at least TASKFLEET_MIN_BACKOFF_SECONDS (2)"
