"""Who imports a package declares it: nothing is there only because somebody else needs it."""

import re
import sys
import tomllib
from collections.abc import Collection, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.test_imports import imported
from tests.architecture.tree import MEMBERS, ROOT, files

OURS = {"taskfleet", "taskfleet_worker", "taskfleet_operator", "taskfleet_ops", "tests", "scripts", "benchmarks", ""}
PEERS = ROOT / "benchmarks" / "peers"
"""Programs that run in environments of their own, by locks of their own."""
PROVIDERS = {**packages_distributions(), "pydantic_core": ["pydantic"]}
"""pydantic_core is the other half of pydantic, tied to it version by version."""


def normalised(name: str) -> str:
    """The name of a package as indexes compare it, without version and extras."""
    return re.split(r"[ \[<>=!~;]", name, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")


def project(folder: Path) -> Mapping[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def declared_by(member: str) -> Collection[str]:
    """What a member may import, its extras included."""
    table = project(ROOT / member)["project"]
    extras = table.get("optional-dependencies", {}).values()
    return {normalised(name) for names in (table["dependencies"], *extras) for name in names}


def declared_for_development() -> Collection[str]:
    group = {normalised(name) for name in project(ROOT)["dependency-groups"]["dev"] if isinstance(name, str)}
    return group.union(*(declared_by(member) for member in MEMBERS))


def undeclared(*folders: str, declared: Collection[str]) -> set[str]:
    """Modules imported below the folders that no declared package provides."""
    paths = (path for path in files(*folders, suffix=".py") if PEERS not in path.parents)
    modules = {module.partition(".")[0] for path in paths for module in imported(path)}
    foreign = modules - OURS - set(sys.stdlib_module_names)
    return {module for module in foreign if not {normalised(name) for name in PROVIDERS.get(module, ())} & set(declared)}


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_declares_what_it_imports(member: str) -> None:
    assert undeclared(f"{member}/src", declared=declared_by(member)) == set()


def test_development_declares_what_tests_and_scripts_import() -> None:
    assert undeclared("tests", "scripts", "benchmarks", declared=declared_for_development()) == set()


def test_members_carry_one_version_and_require_each_other_at_it() -> None:
    projects = {project(ROOT / member)["project"]["name"]: project(ROOT / member)["project"] for member in MEMBERS}
    versions = {table["version"] for table in projects.values()} | {project(ROOT)["project"]["version"]}
    pins = {name for table in projects.values() for name in table["dependencies"] if normalised(name) in projects}

    assert len(versions) == 1
    assert {pin.partition("==")[2] for pin in pins} == versions
