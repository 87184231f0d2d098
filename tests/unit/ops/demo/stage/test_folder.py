from pathlib import Path

import pytest

from taskfleet_ops.demo.stage.folder import DemoFolder, sweep


def names(parent: Path) -> list[str]:
    return sorted(folder.name for folder in parent.iterdir())


def dead_demo(parent: Path, name: str = "taskfleet-demo-dead") -> Path:
    folder = parent / name
    (folder / "postgres").mkdir(parents=True)
    (folder / "lock").touch()
    return folder


def test_the_folder_is_gone_afterwards(tmp_path: Path) -> None:
    with DemoFolder(parent=tmp_path) as folder:
        (folder.path / "operator.log").write_text("much", encoding="utf-8")
        there = folder.path.exists()

    assert there
    assert names(tmp_path) == []


def test_another_user_may_pass_through_but_not_look_around(tmp_path: Path) -> None:
    with DemoFolder(parent=tmp_path) as folder:
        mode = folder.path.stat().st_mode & 0o777

    assert mode == 0o711


def test_a_folder_to_keep_stays_and_no_later_demo_sweeps_it(tmp_path: Path) -> None:
    with DemoFolder(parent=tmp_path, keep=True) as folder:
        kept = folder.path
    with DemoFolder(parent=tmp_path):
        pass

    assert names(tmp_path) == [kept.name]


def test_the_next_demo_sweeps_what_a_killed_one_left(tmp_path: Path) -> None:
    dead_demo(tmp_path)

    with DemoFolder(parent=tmp_path) as folder:
        actual = names(tmp_path)

    assert actual == [folder.path.name]


@pytest.mark.parametrize("name", ["somebody-elses", "taskfleet-demo-without-a-lock"])
def test_a_folder_that_is_no_dead_demos_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()

    removed = sweep(tmp_path)

    assert removed == []
    assert names(tmp_path) == [name]


def test_a_running_demo_keeps_its_folder(tmp_path: Path) -> None:
    with DemoFolder(parent=tmp_path) as folder:
        removed = sweep(tmp_path)

        assert removed == []
        assert folder.path.exists()
