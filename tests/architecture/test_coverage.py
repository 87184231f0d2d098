"""What continuous integration asks of the tests' coverage: lines and branches of every member, and no file left out."""

import os
import re
import subprocess
import tomllib

import pytest

from tests.architecture.tree import MEMBERS, ROOT

LEAST_PERCENT = 95


@pytest.fixture
def settings() -> dict[str, dict[str, object]]:
    """The settings of coverage."""
    found: dict[str, dict[str, object]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage"]
    return found


@pytest.mark.requirement("E1")
def test_continuous_integration_fails_below_the_goal() -> None:
    # Another make, were one running this test, would hand its own flags down.
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    told = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "test", "CI=true", "ARGS="],
        cwd=ROOT,
        env=environment,
        text=True,
        capture_output=True,
        check=True,
    )

    gates = re.findall(r"--(?:cov-)?fail-under=(\d+)", told.stdout)
    assert [int(gate) >= LEAST_PERCENT for gate in gates] == [True, True], told.stdout


@pytest.mark.requirement("E1")
def test_branches_count_as_well(settings: dict[str, dict[str, object]]) -> None:
    assert settings["run"]["branch"] is True


@pytest.mark.requirement("E1")
def test_no_file_of_any_member_is_left_out(settings: dict[str, dict[str, object]]) -> None:
    packages = {path.name for member in MEMBERS for path in (ROOT / member / "src").iterdir() if (path / "__init__.py").exists()}

    assert set(settings["run"]["source_pkgs"]) == packages  # type: ignore[call-overload]
    assert not {"omit", "include"} & (settings["run"].keys() | settings["report"].keys())
