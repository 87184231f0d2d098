"""What import-linter cannot say: white lists, and what an import really loads."""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, files, shown

HEAVY = ("psycopg", "psycopg_pool", "pydantic", "pydantic_settings", "kopf", "kubernetes", "fastapi", "typer")
AT_START = "import taskfleet_worker.cli, taskfleet_worker.loading, taskfleet_worker.service"
"""What `taskfleet-worker run` imports before it claims."""
NOT_AT_START = (
    *("difflib", "http.client", "http.server", "tomllib"),
    *("cronsim", "opentelemetry", "prometheus_client", "psycopg_pool", "pydantic", "pydantic_settings"),
    *("taskfleet.client", "taskfleet.cron", "taskfleet.embedded", "taskfleet.inspection", "taskfleet.maintenance", "taskfleet.migrations"),
    *("taskfleet.measurements", "taskfleet.models.policies", "taskfleet.models.tasks", "taskfleet.reports", "taskfleet.settings"),
    *("taskfleet.store.audit", "taskfleet.store.inspection_store"),
    *("taskfleet.store.maintenance_store", "taskfleet.store.operator_store", "taskfleet.store.reader_store", "taskfleet.store.sweep_store"),
    *("taskfleet_worker.check", "taskfleet_worker.testing", "taskfleet_worker.telemetry.exposition", "taskfleet_worker.telemetry.tracing"),
)
"""What every new pod would pay for before its first task, and a worker needs later or never."""
IMPURE = {"asyncio", "logging", "os", "random", "secrets", "socket", "subprocess", "threading", "time"}
PURE = {"msgspec"}
"""Third-party packages that only make values."""
IO = {"psycopg", "psycopg_pool", "kopf", "kubernetes", "aiohttp", *IMPURE}


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def is_pure(module: str) -> bool:
    package = module.split(".")[0]
    standard = package in sys.stdlib_module_names and package not in IMPURE
    return module.startswith("taskfleet_operator.scaling") or standard or package in PURE


def test_scaling_law_imports_only_what_is_pure() -> None:
    sources = list(files("operator/src/taskfleet_operator/scaling", suffix=".py"))

    impure = {shown(path): [module for module in imported(path) if not is_pure(module)] for path in sources}

    assert sources
    assert {path: modules for path, modules in impure.items() if modules} == {}


def test_what_a_worker_decides_imports_neither_clock_nor_io() -> None:
    sources = list(files("worker/src/taskfleet_worker/rules", suffix=".py"))

    impure = {shown(path): module for path in sources for module in imported(path) if module.partition(".")[0] in IO - {"random"}}

    assert sources
    assert impure == {}


@pytest.mark.parametrize("module", [*sorted(IMPURE), "pydantic", "taskfleet.words", "taskfleet_operator.api", ".sibling"])
def test_scaling_law_may_not_import(module: str) -> None:
    assert not is_pure(module)


def test_importing_the_queue_loads_nothing_heavy() -> None:
    program = f"import json, sys, taskfleet; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert json.loads(loaded.stdout) == []


def test_a_worker_loads_nothing_before_its_first_claim_that_can_wait() -> None:
    # What measures coverage in every process is there before.
    program = f"import sys; before = {{*sys.modules}}; {AT_START}; print(sorted({{*{NOT_AT_START!r}}} & {{*sys.modules}} - before))"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("module", NOT_AT_START)
def test_what_a_worker_does_not_load_at_its_start_exists(module: str) -> None:
    assert find_spec(module) is not None


def test_every_public_name_of_the_queue_can_be_had() -> None:
    program = "import taskfleet; print([name for name in taskfleet.__all__ if getattr(taskfleet, name, None) is None])"

    missing = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert missing.stdout.strip() == "[]"


@pytest.mark.parametrize("member", ["queue", "operator"])
def test_a_member_named_like_a_standard_module_is_no_package(member: str) -> None:
    assert (ROOT / member / "src").is_dir()
    assert not (ROOT / member / "__init__.py").exists()


def test_linter_refuses_modules_that_hide_standard_ones() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]

    assert "A" in rules["select"]
    assert not [code for code in rules["ignore"] if code.startswith("A0")]
