"""Fixtures around the chart: Helm, and the chart rendered."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.helm import HelmMissingError, find_or_fetch

CHART = Path(__file__).parents[2] / "charts" / "taskfleet"

Render = Callable[..., Sequence[dict[str, Any]]]


@pytest.fixture(scope="session")
def helm() -> Callable[..., str]:
    """Run helm; CalledProcessError carries its words when it fails."""
    try:
        program = find_or_fetch()
    except HelmMissingError as error:
        pytest.skip(str(error))

    def run(*arguments: str | Path) -> str:
        done = subprocess.run([program, *arguments], check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise subprocess.CalledProcessError(done.returncode, ["helm", *map(str, arguments)], done.stdout, done.stderr)
        return done.stdout

    return run


@pytest.fixture
def template(helm: Callable[..., str]) -> Callable[..., str]:
    """The chart as text, with values given as `--set` arguments or files."""

    def run(*arguments: str | Path) -> str:
        return helm("template", "taskfleet", CHART, "--namespace", "taskfleet-system", *arguments)

    return run


@pytest.fixture
def render(template: Callable[..., str]) -> Render:
    """The chart as manifests."""

    def run(*arguments: str | Path) -> Sequence[dict[str, Any]]:
        return [each for each in yaml.safe_load_all(template(*arguments)) if each]

    return run
