import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskfleet_worker.errors import TasksNotFoundError
from taskfleet_worker.loading import load_tasks

REGISTRY = "from taskfleet_worker import Tasks\n{name} = Tasks()\n{name}.task('{kind}')(lambda: None)\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to import from; what was imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(path: str, text: str) -> None:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def complaint(target: str) -> str:
    with pytest.raises(TasksNotFoundError) as caught:
        load_tasks(target)
    return str(caught.value)


def test_the_registry_called_tasks_is_found_in_the_current_folder() -> None:
    write("shop_a.py", REGISTRY.format(name="tasks", kind="mail") + REGISTRY.format(name="other", kind="fax"))

    assert list(load_tasks("shop_a").handlers) == ["mail"]


def test_the_only_registry_is_found_whatever_its_name() -> None:
    write("shop_b/__init__.py", "")
    write("shop_b/work.py", REGISTRY.format(name="registry", kind="mail"))

    assert list(load_tasks("shop_b.work").handlers) == ["mail"]


def test_a_registry_can_be_named() -> None:
    write("shop_c.py", REGISTRY.format(name="one", kind="mail") + REGISTRY.format(name="two", kind="fax"))

    assert list(load_tasks("shop_c:two").handlers) == ["fax"]


@pytest.mark.requirement("E10")
def test_a_wrong_module_brings_suggestions() -> None:
    write("shopping.py", "")

    assert complaint("shoping") == "there is no module 'shoping' (--tasks shoping): did you mean shopping?"


def test_a_wrong_module_in_a_package_brings_its_neighbours() -> None:
    write("shop_d/__init__.py", "")
    write("shop_d/handlers.py", "")

    assert complaint("shop_d.handler") == (
        "there is no module 'handler' in package 'shop_d' (--tasks shop_d.handler): did you mean shop_d.handlers?"
    )


def test_a_module_like_no_other_says_where_it_was_looked_for(tmp_path: Path) -> None:
    assert f"it is looked for in {tmp_path}" in complaint("zzzqqqxxx")


@pytest.mark.parametrize("target", ["shop/work.py", "work.py", ".work", ":tasks", ""])
def test_a_path_to_a_file_is_no_module_path(target: str) -> None:
    assert "is no module path" in complaint(target)


def test_an_error_inside_the_module_passes_unchanged() -> None:
    write("shop_e.py", "import nothing_of_that_name")

    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
        load_tasks("shop_e")


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        pytest.param("", "shop_f", "has no Tasks object: add `tasks = Tasks()`", id="no registry"),
        pytest.param("", "shop_f:tasks", "has no registry 'tasks': there is none", id="a named one, none there"),
        pytest.param(REGISTRY.format(name="one", kind="a"), "shop_f:two", "there is one", id="a named one, another there"),
        pytest.param(
            REGISTRY.format(name="one", kind="a") + REGISTRY.format(name="two", kind="b"),
            "shop_f",
            "has several registries: name one, like shop_f:one",
            id="several",
        ),
        pytest.param("from taskfleet_worker import Tasks\ntasks = Tasks()", "shop_f", "registers no handler", id="an empty one"),
    ],
)
@pytest.mark.requirement("E10")
def test_what_is_missing_in_the_module_is_named(text: str, target: str, expected: str) -> None:
    write("shop_f.py", text)

    assert expected in complaint(target)
