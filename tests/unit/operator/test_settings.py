import os
from pathlib import Path

import pytest

from taskfleet.errors import SettingsError
from taskfleet_operator.settings import OperatorSettings, SettingsFile


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


def test_environment_wins_over_the_file_and_the_command_line_over_both(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("globalMaxReplicas: 7\ntick_seconds: 3\nsaveSeconds: 4\n")
    monkeypatch.setenv("TASKFLEET_OPERATOR_TICK_SECONDS", "5")
    monkeypatch.setenv("TASKFLEET_OPERATOR_SAVE_SECONDS", "6")

    read = OperatorSettings.load(file, save_seconds=8.0, metrics_port=None)

    assert (read.global_max_replicas, read.tick_seconds, read.save_seconds, read.metrics_port) == (7, 5.0, 8.0, None)


def test_list_is_separated_by_commas_in_the_environment_and_a_list_in_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("namespaces: [media, shop]\n")
    from_file = OperatorSettings.load(file).namespaces
    monkeypatch.setenv("TASKFLEET_OPERATOR_NAMESPACES", "media, shop,")

    assert (from_file, OperatorSettings.load().namespaces) == (("media", "shop"), ("media", "shop"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("tick: 3", "tick is no setting; these are: tick_seconds, global_max_replicas", id="unknown"),
        pytest.param(
            "tickSeconds: soon",
            r"tick_seconds \(TASKFLEET_OPERATOR_TICK_SECONDS\): found 'soon': Input should be a valid number",
            id="no number",
        ),
        pytest.param("tickSeconds: 0", "Input should be greater than or equal to 0.1", id="out of bounds"),
        pytest.param("- 1", "must hold `name: value` lines, found list", id="no mapping"),
        pytest.param("a: [", "cannot be read", id="no YAML"),
    ],
)
def test_wrong_setting_is_named_with_what_was_found_and_is_allowed(file: Path, content: str, expected: str) -> None:
    file.write_text(content)

    with pytest.raises(SettingsError, match=expected):
        OperatorSettings.load(file)


def test_wrong_option_of_the_command_line_is_named_too() -> None:
    with pytest.raises(SettingsError, match="metrics_port"):
        OperatorSettings.load(metrics_port=70_000)


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"settings\.yaml cannot be read"):
        SettingsFile(tmp_path / "settings.yaml")


def test_changed_file_is_read_again_and_a_broken_one_changes_nothing(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    def write(content: str, *, version: int) -> None:
        file.write_text(content)
        os.utime(file, ns=(version, version))

    write("globalMaxReplicas: 7", version=1)
    settings = SettingsFile(file, tick_seconds=1.0)
    before = settings.current()
    write("globalMaxReplicas: 8", version=2)
    after = settings.current()
    write("globalMaxReplicas: many", version=3)
    broken = settings.current()
    file.unlink()
    missing = settings.current()

    assert [each.global_max_replicas for each in (before, after, broken, missing)] == [7, 8, 8, 8]
    assert after.tick_seconds == 1.0
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["settings.broken", "settings.broken"]


def test_without_a_file_settings_stay() -> None:
    settings = SettingsFile(None)

    assert settings.current() is settings.current()
