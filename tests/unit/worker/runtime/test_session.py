import logging
from uuid import UUID, uuid4

import pytest

from taskfleet.errors import DatabaseUnreachableError
from taskfleet_worker.runtime.session import Session
from tests.support.fake_worker_store import FakeWorkerStore
from tests.support.workers import SETTINGS


def session() -> tuple[Session, FakeWorkerStore]:
    store = FakeWorkerStore()
    return Session(store, SETTINGS, kinds=["mail"]), store


async def test_every_opening_is_a_new_identity() -> None:
    me, store = session()
    first = await me.open()
    second = await me.open()

    assert first != second
    assert store.sessions[first].new.worker == store.sessions[second].new.worker == "worker-1"
    assert (store.sessions[first].new.slots, store.sessions[first].new.kinds) == (2, ("mail",))


async def test_a_session_that_could_not_be_opened_is_none() -> None:
    me, store = session()
    store.faults.before.append(DatabaseUnreachableError("away"))
    with pytest.raises(DatabaseUnreachableError):
        await me.open()

    assert me.id is None


async def test_the_loss_of_an_older_session_changes_nothing() -> None:
    me, _ = session()
    current = await me.open()

    assert not me.lose(uuid4())
    assert me.id == current
    assert me.lose(current)
    assert me.id is None


async def test_a_drain_mark_is_told_once_and_may_be_taken_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    me, _ = session()
    await me.open()
    for draining in (True, True, False):
        me.told_draining(draining=draining)
        me.drained = draining

    assert [record.message for record in caplog.records if record.message.startswith("worker.")] == ["worker.draining", "worker.undrained"]
    assert not me.drained


async def test_closing_says_goodbye_once() -> None:
    me, store = session()
    await me.open()
    await me.close()
    await me.close()

    assert (store.sessions, store.trips) == (dict[UUID, object](), ["open", "close"])
