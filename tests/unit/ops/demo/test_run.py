import io
import json
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from taskfleet_ops.demo.evidence import Evidence
from taskfleet_ops.demo.glance import History
from taskfleet_ops.demo.result import DemoResult, GoneTasks, GoodTasks
from taskfleet_ops.demo.run import DemoOptions, _judge, _own_settings, run_demo
from taskfleet_ops.demo.stage import endings
from taskfleet_ops.demo.story import Story
from taskfleet_ops.errors import OperationError

RESULT = DemoResult(
    good=GoodTasks(total=1, succeeded=1, duplicates=0),
    gone=GoneTasks(total=1, failed=1, max_attempts_used=1, distinct_entities=1),
    lost=0,
    killed=0,
    late=0,
    calls_for_good=1,
    calls_for_gone=1,
    overload_answers=0,
    peak_workers=1,
    final_workers=0,
    scale_actions=2,
    pod_seconds=3.0,
    seconds=4.0,
)


def judged(result: DemoResult, options: DemoOptions) -> int:
    evidence = Evidence(result=result, history=History(), failed_by_code={})
    return _judge(evidence, options=options, console=Console(file=io.StringIO()))


@pytest.mark.requirement("A1")
def test_kept_promises_are_exit_code_0_and_the_json_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = judged(RESULT, DemoOptions(story=Story(tasks=2), json_file=tmp_path / "result.json"))

    assert (code, capsys.readouterr().err) == (0, "")
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8")) == RESULT.to_dict()


@pytest.mark.requirement("A1")
def test_each_broken_promise_is_named_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = judged(replace(RESULT, lost=1, killed=2), DemoOptions(story=Story(tasks=2), json_file=tmp_path / "result.json"))

    assert code == 1
    assert capsys.readouterr().err == "taskfleet: broken: 1 tasks were lost\ntaskfleet: broken: 2 running tasks were cut off\n"
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["lost"] == 1


def test_a_json_file_that_cannot_be_written_is_told_before_three_minutes_of_work(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match=r"there is no folder .*nowhere: make it first"):
        run_demo(DemoOptions(story=Story(tasks=2), json_file=tmp_path / "nowhere" / "result.json"))


def test_the_callers_settings_are_hidden_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", "postgresql://production")
    with _own_settings():
        inside = "TASKFLEET_DATABASE_URL" in os.environ

    assert (inside, os.environ["TASKFLEET_DATABASE_URL"]) == (False, "postgresql://production")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_polite_signal_ends_like_ctrl_c(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), endings.tidy_end():
        signal.raise_signal(number)

    assert signal.getsignal(number) is before


def test_an_orphan_ends_like_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([100, 100, 1])
    monkeypatch.setattr(endings, "_PARENT_SECONDS", 0.001)
    monkeypatch.setattr(os, "getppid", lambda: next(parents, 1))

    with pytest.raises(KeyboardInterrupt), endings.tidy_end(with_parent=True):
        threading.Event().wait(10)


def test_nohup_keeps_its_meaning() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with endings.tidy_end():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
