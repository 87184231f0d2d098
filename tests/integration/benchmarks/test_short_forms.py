"""Each benchmark's short form runs, so that none of them rots. What it measures here means nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import benchmarks

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", benchmarks())
def test_short_form_runs_and_reports(name: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"

    subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--short", "--json", str(report)], cwd=ROOT, check=True)

    assert json.loads(report.read_text())["benchmark"] == name
