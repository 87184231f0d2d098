import json
from pathlib import Path

import pytest

from benchmarks.frame import Goal, Outcome, run

FAST = Outcome(settings={}, results=[{"variant": "one", "ms": 12.3456}], goals=[Goal(name="one", goal=20, value=12.3456, unit="ms")])
SLOW = Outcome(settings={}, results=[{"variant": "one", "per s": 5}], goals=[Goal(name="one", goal=6, value=5, unit="/s", at_most=False)])


def test_an_unmet_goal_fails_only_when_asked_to() -> None:
    codes = {
        "met": run("x", lambda *, short: FAST, arguments=["--assert"]),
        "unmet": run("x", lambda *, short: SLOW, arguments=[]),
        "unmet, asserted": run("x", lambda *, short: SLOW, arguments=["--assert"]),
    }

    assert codes == {"met": 0, "unmet": 0, "unmet, asserted": 1}


def test_the_table_names_figures_and_goals(capsys: pytest.CaptureFixture[str]) -> None:
    run("x", lambda *, short: FAST, arguments=[])

    assert capsys.readouterr().out.splitlines() == ["x", "variant  ms", "one      12.35", "met: one 12.35 ms (goal: at most 20)"]


def test_the_json_has_the_shape_of_all_benchmarks(tmp_path: Path) -> None:
    run("x", lambda *, short: SLOW, arguments=["--short", "--json", str(tmp_path / "x.json")])

    written = json.loads((tmp_path / "x.json").read_text())
    assert list(written) == ["benchmark", "machine", "versions", "settings", "results", "goals"]
    assert written["goals"] == [{"name": "one", "goal": 6, "value": 5, "unit": "/s", "at_most": False, "met": False}]
