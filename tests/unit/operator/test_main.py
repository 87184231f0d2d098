from pathlib import Path
from unittest.mock import patch

import pytest

from taskfleet_operator.__main__ import main


@pytest.fixture(autouse=True)
def quiet() -> object:
    with patch("taskfleet_operator.__main__.configure_logging") as configured:
        yield configured


def test_wrong_setting_is_told_on_standard_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = main(["run", "--local", "a.yaml", "--tick", "0"])

    assert code == 1
    assert capsys.readouterr().err.startswith(
        "taskfleet-operator: wrong settings of the operator: tick_seconds (TASKFLEET_OPERATOR_TICK_SECONDS)"
    )


@pytest.mark.parametrize("arguments", [[], ["walk"], ["run", "--local"], ["run", "--tick", "soon"]])
def test_wrong_command_line_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2


def test_interrupt_before_the_start_exits_with_130() -> None:
    with patch("taskfleet_operator.__main__._run", side_effect=KeyboardInterrupt):
        assert main(["run"]) == 130


@pytest.mark.parametrize(("terminal", "expected"), [(True, "text"), (False, "json")])
def test_log_is_text_at_a_terminal_only(terminal: bool, expected: str, quiet: object) -> None:
    with patch("sys.stderr.isatty", return_value=terminal):
        main(["run", "--local", "/nowhere.yaml"])

    assert quiet.call_args.kwargs["log_format"] == expected  # type: ignore[attr-defined]


def test_without_files_the_operator_of_a_cluster_is_run() -> None:
    async def played(_settings: object) -> int:
        return 7

    with patch("taskfleet_operator.in_cluster.run.run_in_cluster", played):
        assert main(["run"]) == 7
