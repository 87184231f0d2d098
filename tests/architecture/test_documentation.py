"""What the documentation points at is there, and every setting is explained."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

import taskfleet
import taskfleet_operator
import taskfleet_ops
import taskfleet_worker
from tests.architecture.tree import MEMBERS, ROOT, files, shown

LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)(?: \"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6} +(?P<title>.+?) *#*$", re.MULTILINE)
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
OPENED = re.compile(r"`(?P<path>[^`]+)`")
SETTING = re.compile(r"\"(?P<name>TASKFLEET_[A-Z][A-Z0-9_]*[A-Z0-9])\"")


def pages() -> Iterator[Path]:
    return files(suffix=".md")


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """The anchors that a forge makes from the headings of a page."""
    titles = (found["title"].lower() for found in HEADING.finditer(prose(page)))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def broken_links(page: Path) -> Iterator[str]:
    for found in LINK.finditer(prose(page)):
        target, _, anchor = found["target"].partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (page.parent / target) if target else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            yield found["target"]


def settings_classes() -> Iterator[type[BaseSettings]]:
    for package in (taskfleet, taskfleet_worker, taskfleet_operator, taskfleet_ops):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] == "settings":
                members = vars(importlib.import_module(module.name)).values()
                yield from (
                    each for each in members if inspect.isclass(each) and issubclass(each, BaseSettings) and each is not BaseSettings
                )


def declared_settings() -> set[str]:
    """Every environment variable that a settings class or the code reads by name."""
    declared = {
        f"{each.model_config.get('env_prefix', '')}{name}".upper()
        for each in settings_classes()
        for name, field in each.model_fields.items()
        if field.validation_alias is None
    }
    named = (
        found["name"]
        for path in files(*(f"{member}/src" for member in MEMBERS), suffix=".py")
        for found in SETTING.finditer(path.read_text())
    )
    return declared | set(named)


@pytest.mark.parametrize("page", list(pages()), ids=shown)
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


@pytest.mark.requirement("E2")
def test_every_setting_is_documented() -> None:
    text = "".join(page.read_text() for page in pages())

    undocumented = {name for name in declared_settings() if not re.search(rf"\b{name}\b", text)}

    assert undocumented == set()


@pytest.mark.parametrize("folder", ["docs", "docs/decisions"])
def test_the_index_of_a_folder_names_every_page(folder: str) -> None:
    index = (ROOT / folder / "README.md").read_text()

    unnamed = {page.name for page in (ROOT / folder).glob("*.md") if f"({page.name})" not in index}

    assert unnamed == {"README.md"}


def test_what_the_architecture_says_to_open_is_there() -> None:
    table = (ROOT / "docs" / "architecture.md").read_text().partition("| to change | open |")[2]
    named = {found["path"] for found in OPENED.finditer(table)} - {"pyproject.toml", "make generate", "make lock"}

    missing = [path for path in named if not list(ROOT.glob(path.replace("…", "src/*").rstrip("/")))]

    assert len(named) > 20
    assert missing == []


def test_anchors_are_made_as_forges_make_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# To change X, open Y\n\n```sh\n# no heading\n```\n## `make test` & friends\n")

    assert anchors(page) == {"to-change-x-open-y", "make-test--friends"}
