import threading

from taskfleet.client.waker import Waker
from tests.support.waiting import wait_until


class Sent:
    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def __call__(self) -> None:
        self.threads.append(threading.current_thread())


def test_the_first_is_sent_at_once_in_the_callers_thread() -> None:
    sent = Sent()

    Waker(sent, seconds=60).wake()

    assert sent.threads == [threading.current_thread()]


def test_those_that_follow_are_sent_together_when_the_time_is_over() -> None:
    sent = Sent()
    waker = Waker(sent, seconds=0.05)

    for _ in range(10):
        waker.wake()

    wait_until(lambda: len(sent.threads) == 2)
    assert sent.threads[1] is not threading.current_thread()


def test_what_waits_is_sent_when_it_is_flushed_and_only_once() -> None:
    sent = Sent()
    waker = Waker(sent, seconds=60)
    waker.wake()
    waker.wake()

    waker.flush()
    waker.flush()

    assert len(sent.threads) == 2


def test_nothing_waiting_flushes_nothing() -> None:
    sent = Sent()

    Waker(sent, seconds=60).flush()

    assert sent.threads == []


def test_a_flush_waits_for_all_that_is_being_sent() -> None:
    main, go_on = threading.current_thread(), threading.Event()
    begun: list[threading.Thread] = []
    sent: list[threading.Thread] = []

    def send() -> None:
        this = threading.current_thread()
        if this is not main:
            begun.append(this)
            go_on.wait(10)
        sent.append(this)

    waker = Waker(send, seconds=0.2)
    waker.wake()
    waker.wake()
    wait_until(lambda: len(begun) == 1)

    def two_have_begun() -> bool:
        waker.wake()
        return len(begun) >= 2

    wait_until(two_have_begun)
    threading.Timer(0.05, go_on.set).start()

    waker.flush()

    assert {*begun} <= {*sent}
