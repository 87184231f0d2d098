"""docs/operator.md says everything that can be set, and everything that can be met."""

import ast
import inspect
import re
from enum import StrEnum
from pathlib import Path

import pytest

from taskfleet_operator.api.conditions import ConditionReason, ConditionType
from taskfleet_operator.api.events import EventReason
from taskfleet_operator.reporting.metrics import FleetMetrics
from taskfleet_operator.scaling import Reason
from taskfleet_operator.settings import PREFIX, OperatorSettings
from tests.unit.operator.facts import facts

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "operator.md").read_text()


def rows(heading: str) -> dict[str, str]:
    """The last cell of each row under a heading, by the word in its first."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return {
        name: line.strip("| ").rsplit(" | ", 1)[-1].replace("\\|", "|")
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split(" | ")[0])
    }


def sentences(enum: type[StrEnum]) -> dict[str, str]:
    """The docstring under each member."""
    found, name = {}, ""
    for node in ast.parse(inspect.getsource(enum)).body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.Assign):
            name = ast.literal_eval(node.value)
        elif isinstance(node, ast.Expr) and name:
            found[name] = " ".join(ast.literal_eval(node.value).split())
    return found


@pytest.mark.parametrize(
    ("heading", "enum"),
    [("Conditions", ConditionType), ("Reasons of conditions", ConditionReason), ("Events", EventReason)],
)
def test_every_word_stands_in_the_documentation_with_its_own_sentence(heading: str, enum: type[StrEnum]) -> None:
    assert rows(heading) == sentences(enum)


def test_every_reason_of_a_decision_is_explained() -> None:
    assert rows("Reasons of decisions") == {reason.value: reason.sentence for reason in Reason}


@pytest.mark.requirement("E2")
def test_every_setting_is_explained_with_its_default() -> None:
    explained = {name: " ".join((field.description or "").split()) for name, field in OperatorSettings.model_fields.items()}
    defaults = dict(re.findall(rf"^\| `{PREFIX}(\w+)` \| (.+?) \|", PAGE, re.MULTILINE))

    assert rows("Settings") == {f"{PREFIX}{name.upper()}": text for name, text in explained.items()}
    assert {name.lower(): value for name, value in defaults.items()} == {
        name: shown(field.default) for name, field in OperatorSettings.model_fields.items()
    }


def shown(default: object) -> str:
    match default:
        case None | ():
            return "none"
        case bool():
            return str(default).lower()
        case float():
            return f"{default:g}"
        case _:
            return str(default)


@pytest.mark.requirement("E8")
def test_every_metric_is_explained_and_every_explained_metric_is_there() -> None:
    metrics = FleetMetrics()
    metrics.show([facts(ceiling=3, scaled_to=2)])
    metrics.loop_failed("any")
    there = {line.split()[2] for line in metrics.answer().body.decode().splitlines() if line.startswith("# TYPE")}

    made_beside = {name for name in there if name.endswith("_created")}
    assert set(rows("Metrics")) == there - made_beside


def test_every_log_line_is_explained() -> None:
    source = "".join(path.read_text() for path in (ROOT / "operator" / "src").rglob("*.py"))
    topics = "queue|condition|database|worker|deployment|file|settings|lease|status|event|health|loop|operator"
    logged = set(re.findall(rf'"((?:{topics})\.[a-z_]+)"', source))

    assert set(rows("Log lines")) == logged
