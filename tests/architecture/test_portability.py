"""Whoever clones the project has another machine, another mirror, another home."""

import re
from pathlib import Path

import pytest

from tests.architecture.tree import files, shown

# Put together, so that this file does not name them either.
INDEX_HOSTS = ("pypi" + ".org", "python" + "hosted.org", "npmjs" + ".org", "proxy.golang" + ".org", "sum.golang" + ".org")
MACHINE_PATHS = re.compile(r"(?<![\w.*])/(?:work|root|home)" + r"/\w")
BESIDE_THE_CLONE = ".." + "/shared"
MAY_LOOK_BESIDE_THE_CLONE = re.compile(r"^(\.ci/run|scripts/.*)$")


def text_of(path: Path) -> str:
    return path.read_text(errors="replace")


def test_no_file_names_a_package_index() -> None:
    naming = {shown(path): host for path in files() for host in INDEX_HOSTS if host in text_of(path)}

    assert naming == {}


def test_no_lock_names_a_host() -> None:
    locks = list(files("requirements"))

    assert locks
    assert [shown(path) for path in locks if "://" in text_of(path)] == []


def test_every_lock_has_hashes() -> None:
    without = {shown(path): line for path in files("requirements", suffix=".txt") for line in pins_without_hash(text_of(path))}

    assert without == {}


def pins_without_hash(lock: str) -> list[str]:
    requirements = [line for line in lock.replace("\\\n", "").splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [line for line in requirements if "--hash=sha256:" not in line]


def test_no_file_names_a_place_of_one_machine() -> None:
    naming = {shown(path): found.group() for path in files() if (found := MACHINE_PATHS.search(text_of(path)))}

    assert naming == {}


def test_only_the_ci_looks_beside_the_clone() -> None:
    looking = [name for path in files() if BESIDE_THE_CLONE in text_of(path) and not MAY_LOOK_BESIDE_THE_CLONE.match(name := shown(path))]

    assert looking == []


@pytest.mark.parametrize(("line", "found"), [("cd /wo" + "rk/x", True), ("volume: /wo" + "rkspace", False), ("src/ro" + "ot/x", False)])
def test_places_are_told_from_other_words(line: str, found: bool) -> None:
    assert bool(MACHINE_PATHS.search(line)) is found
