from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from taskfleet import NewTask
from tests.integration.queue_client.conftest import EitherProducer, plain


@pytest.fixture
def heard(database_url: str) -> Iterator[Callable[[float], int]]:
    """How many wake-ups of the queue `orders` arrive within so many seconds, at least one if any does."""
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute("LISTEN taskfleet_queue_orders")

        yield lambda seconds: len(list(listener.notifies(timeout=seconds, stop_after=1)))


async def test_what_a_producer_commits_wakes_the_queue(producer: EitherProducer, heard: Callable[[float], int]) -> None:
    await producer.enqueue("mail")

    assert heard(10) >= 1


async def test_a_batch_wakes_the_queue(producer: EitherProducer, heard: Callable[[float], int]) -> None:
    await producer.enqueue_many([NewTask(kind="mail")])

    assert heard(10) >= 1


async def test_what_the_caller_commits_wakes_nobody_until_asked(
    producer: EitherProducer, own_connection: Callable[..., Any], heard: Callable[[float], int]
) -> None:
    async with own_connection() as own:
        await producer.enqueue("mail", connection=own)
        await plain(own.commit())
    unasked = heard(0.1)
    await producer.wake()

    assert (unasked, heard(10)) == (0, 1)


async def test_many_commits_in_a_row_are_few_wake_ups_and_none_is_lost(producer: EitherProducer, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute("LISTEN taskfleet_queue_orders")
        for _ in range(50):
            await producer.enqueue("mail")
        await producer.close()

        notices = len(list(listener.notifies(timeout=0.2)))

    assert 1 <= notices < 50


async def test_a_wake_up_that_cannot_be_sent_is_only_logged(
    producer: EitherProducer, connection: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    await producer.open()
    monkeypatch.setattr("taskfleet.client.producer.wakeup_channel", lambda _: "x" * 10_000)
    monkeypatch.setattr("taskfleet.store.wakeups.wakeup_channel", lambda _: "x" * 10_000)

    await producer.wake()

    assert "notifications.not_sent" in [record.message for record in caplog.records]
