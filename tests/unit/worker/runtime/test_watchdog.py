"""A handler that blocks the event loop is found while it does, by a thread."""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from taskfleet_worker import Tasks
from taskfleet_worker.runtime.watchdog import Watchdog, stack_of
from tests.support.fake_worker_store import FakeWorkerStore
from tests.support.waiting import eventually
from tests.support.workers import SETTINGS, running_worker

WATCHED = replace(SETTINGS, loops=replace(SETTINGS.loops, blocked_seconds=0.2))


def lines(caplog: pytest.LogCaptureFixture, event: str) -> Sequence[logging.LogRecord]:
    return [record for record in caplog.records if record.message == event]


def blocking_until(said: threading.Event) -> Tasks:
    tasks = Tasks()

    @tasks.task("mail")
    async def compute_without_awaiting() -> None:
        assert said.wait(20.0)

    return tasks


@pytest.mark.requirement("E10")
async def test_a_handler_that_blocks_the_loop_is_named_with_its_stack_while_it_blocks(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store, said = FakeWorkerStore(), threading.Event()

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "loop.blocked" and getattr(record, "kind", "") == "mail":
                said.set()

    listener = Listening()
    logging.getLogger("taskfleet.worker").addHandler(listener)
    try:
        async with running_worker(store, blocking_until(said), WATCHED) as worker:
            store.enqueue("mail", {})
            await eventually(lambda: store.states() == {1: "succeeded"}, within=30.0)
            await eventually(lambda: [line for line in lines(caplog, "loop.unblocked") if getattr(line, "kind", "") == "mail"])
    finally:
        logging.getLogger("taskfleet.worker").removeHandler(listener)

    blocked = vars(next(line for line in lines(caplog, "loop.blocked") if getattr(line, "kind", "") == "mail"))
    assert (blocked["task_id"], blocked["attempt"]) == (1, 1)
    assert "in compute_without_awaiting" in blocked["stack"]
    assert worker.metrics.loop_blocked.counts["mail"] >= 1


async def test_what_is_not_a_handler_is_told_without_a_task(caplog: pytest.LogCaptureFixture) -> None:
    said, told = threading.Event(), list[str]()

    def blocked(kind: str) -> None:
        told.append(kind)
        said.set()

    watchdog = Watchdog(seconds=0.05, who=lambda _future: None, blocked=blocked)
    watchdog.start()
    said.wait(20.0)
    watchdog.stop()
    await eventually(lambda: lines(caplog, "loop.unblocked"))

    assert told == ["unknown"]


async def test_a_worker_may_go_without() -> None:
    before = threading.active_count()
    Watchdog(seconds=0.0, who=lambda _future: None, blocked=lambda _kind: None).start()

    assert threading.active_count() == before


def test_a_watchdog_goes_with_its_loop() -> None:
    async def watched() -> None:
        Watchdog(seconds=0.05, who=lambda _future: None, blocked=lambda _kind: None).start()

    asyncio.run(watched())
    deadline = time.monotonic() + 10.0
    for thread in [thread for thread in threading.enumerate() if thread.name == "taskfleet-watchdog"]:
        thread.join(deadline - time.monotonic())

    assert not [thread for thread in threading.enumerate() if thread.name == "taskfleet-watchdog"]


def test_a_thread_that_is_gone_has_no_stack() -> None:
    assert stack_of(None) == ""
