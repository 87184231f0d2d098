"""What the exchange does when the database refuses content or goes away in between, or a log does (the rest is in test_worker.py)."""

import logging

import pytest

from taskfleet.errors import DatabaseUnreachableError
from taskfleet.models import Completion, Settlement
from taskfleet_worker import Tasks
from taskfleet_worker.rules.endings import Ending
from taskfleet_worker.runtime.exchange import blames_content
from taskfleet_worker.runtime.worker import Parts, put_together
from tests.support.fake_worker_store import FakeWorkerStore
from tests.support.waiting import eventually
from tests.support.workers import SETTINGS, claimed_task, running_worker


class Coded(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


class DataError(Coded):
    """Named as the driver names it."""


def parts(store: FakeWorkerStore) -> Parts:
    tasks = Tasks()
    tasks.task("mail")(lambda: None)
    return put_together(store, tasks, SETTINGS)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(Coded("22P05"), True, id="a data exception"),
        pytest.param(DataError(None), True, id="refused by the driver"),
        pytest.param(ValueError("NUL"), True, id="refused before it was sent"),
        pytest.param(TypeError("no"), True, id="of a type nobody can send"),
        pytest.param(Coded("42501"), False, id="a missing right"),
        pytest.param(Coded("53100"), False, id="a full disk"),
        pytest.param(Coded(None), False, id="a lost connection"),
        pytest.param(DatabaseUnreachableError("away"), False, id="an unreachable database"),
        pytest.param(KeyboardInterrupt(), False, id="no error of the database at all"),
    ],
)
def test_only_content_that_will_never_fit_is_blamed(error: BaseException, expected: bool) -> None:
    assert blames_content(error) is expected


@pytest.mark.requirement("E10")
async def test_a_database_that_goes_away_between_single_writes_keeps_what_is_left() -> None:
    store = FakeWorkerStore()
    worker = parts(store)
    for _ in range(2):
        task_id = store.enqueue("mail")
        store.tasks[task_id].lease = claimed_task(task_id).lease
        task = claimed_task(task_id)
        worker.holdings.outbox.add(Ending(task=task, record=Completion(lease=task.lease), seconds=0.1, ended_at=0.0))

    def refuse(settlement: Settlement) -> Exception | None:
        if len(settlement.completions) == 2:
            return ValueError("one of them is bad")
        return DatabaseUnreachableError("away") if settlement.completions[0].lease.task_id == 2 else None

    store.faults.refuse = refuse
    with pytest.raises(DatabaseUnreachableError):
        await worker.exchange.once()

    assert [(ending.task.task_id, ending.tries) for ending in worker.holdings.outbox.take(10)] == [(2, 2)]
    assert store.tasks[1].state == "succeeded"


@pytest.mark.requirement("E10")
async def test_what_a_log_handler_raises_leaves_no_claimed_task_behind(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            if record.getMessage().startswith("task."):
                raise OSError("the disk of the log is full")
            return False

    caplog.set_level(logging.INFO)
    tasks, store, ran = Tasks(), FakeWorkerStore(), list[int]()
    tasks.task("mail")(lambda _payload, context: ran.append(context.task_id))
    ids = [store.enqueue("mail", {}) for _ in range(5)]
    broken = Broken()
    logging.getLogger("taskfleet.worker").addHandler(broken)
    try:
        async with running_worker(store, tasks):
            await eventually(lambda: set(store.states().values()) == {"succeeded"})
    finally:
        logging.getLogger("taskfleet.worker").removeHandler(broken)

    assert sorted(ran) == ids
