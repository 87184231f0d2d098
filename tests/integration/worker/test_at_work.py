"""What one worker does with tasks of every sort, as its process shows it."""

import itertools
import json
import signal
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from taskfleet.store import Database, OperatorStore
from tests.support.pushgateway import Gateway, gateway
from tests.support.waiting import eventually, wait_until

if TYPE_CHECKING:
    from tests.integration.worker.conftest import Fleet
    from tests.support.processes import RunningProcess

    Logged = Callable[[RunningProcess, str], Sequence[Mapping[str, Any]]]

__all__ = ["gateway"]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}


def fetch(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read(), "utf-8")


def port_of(worker: "RunningProcess", logged: "Logged") -> int:
    (line,) = logged(worker, "probes.listening")
    return int(line["port"])


@pytest.mark.requirement("B3")
@pytest.mark.requirement("B6")
def test_every_ending_is_logged_with_what_identifies_it(fleet: "Fleet", logged: "Logged") -> None:
    worker = fleet.start(POLL_SECONDS="0.05")
    fine = fleet.enqueue("fine", {}, headers=HEADERS)
    broken = fleet.enqueue("broken", {}, max_attempts=2)
    fleet.wait_for_state(fine, "succeeded")
    dead = fleet.wait_for_state(broken, "failed")
    wait_until(lambda: logged(worker, "task.failed"))

    (completed,), (requeued,), (failed,) = (logged(worker, f"task.{event}") for event in ("completed", "requeued", "failed"))
    claimed = [task for line in logged(worker, "task.claimed") for task in line["tasks"]]
    assert {"task_id": fine, "kind": "fine", "attempt": 1, "trace_id": TRACE} in claimed
    assert (completed["task_id"], completed["kind"], completed["attempt"], completed["trace_id"]) == (fine, "fine", 1, TRACE)
    assert completed["duration_ms"] >= 0
    assert (requeued["task_id"], requeued["attempt"], requeued["code"]) == (broken, 1, "TASK_EXECUTION_FAILED")
    assert (failed["task_id"], failed["attempt"], failed["message"]) == (broken, 2, "ValueError: it broke")
    assert (dead.dead_reason, dead.code, dead.attempt_count) == ("max_attempts_exceeded", "TASK_EXECUTION_FAILED", 2)
    assert dead.stack is not None
    assert "it broke" in dead.stack


@pytest.mark.requirement("B6")
@pytest.mark.requirement("E10")
@pytest.mark.parametrize(
    ("payload", "code"), [(None, "TASK_PAYLOAD_MISSING"), ("text", "TASK_PAYLOAD_INVALID")], ids=["missing", "malformed"]
)
def test_a_bad_payload_is_a_dead_letter_at_once(fleet: "Fleet", payload: object, code: str) -> None:
    fleet.start()
    task = fleet.wait_for_state(fleet.enqueue("fine", payload), "failed")

    assert (task.code, task.dead_reason, task.attempt_count) == (code, "non_retryable", 1)


@pytest.mark.requirement("A5")
def test_a_missing_entity_is_asked_for_once_by_the_whole_fleet(fleet: "Fleet") -> None:
    fleet.start(CONCURRENCY="1", POLL_SECONDS="0.05")
    first = fleet.enqueue("gone", {}, entity="episode-1")
    found = fleet.wait_for_state(first, "failed")
    fleet.start(CONCURRENCY="1", POLL_SECONDS="0.05")
    later = [fleet.enqueue("gone", {}, entity="episode-1") for _ in range(6)]
    tasks = [fleet.wait_for_state(task_id, "failed") for task_id in later]

    assert (found.code, found.attempt_count) == ("TASK_ENTITY_NOT_FOUND", 1)
    assert {(task.code, task.attempt_count) for task in tasks} == {("TASK_ENTITY_NOT_FOUND", 1)}
    assert [file.name for file in fleet.witness.glob("*-asked")] == [f"{first}-1-asked"]


@pytest.mark.requirement("B6")
def test_an_overload_answer_uses_no_attempt_and_pauses_the_slot(fleet: "Fleet", logged: "Logged") -> None:
    worker = fleet.start(CONCURRENCY="1", POLL_SECONDS="0.02")
    task_id = fleet.enqueue("busy", {})
    wait_until(lambda: len(list(fleet.witness.glob("busy-*"))) >= 3)
    (fleet.witness / "calm").touch()
    task = fleet.wait_for_state(task_id, "succeeded")

    asked = sorted(float(file.name.removeprefix("busy-")) for file in fleet.witness.glob("busy-*"))
    assert task.attempt_count == 1
    assert min(second - first for first, second in itertools.pairwise(asked)) >= 0.2
    assert {line["code"] for line in logged(worker, "task.requeued")} == {"TASK_OVERLOADED"}


def test_retry_later_comes_back_without_using_an_attempt(fleet: "Fleet", logged: "Logged") -> None:
    worker = fleet.start(POLL_SECONDS="0.02")
    task = fleet.wait_for_state(fleet.enqueue("later", {}), "succeeded")

    assert task.attempt_count == 1
    assert [line["code"] for line in logged(worker, "task.requeued")] == ["TASK_RETRY_LATER"]


def test_a_kind_without_a_handler_waits_for_a_worker_that_has_one(fleet: "Fleet") -> None:
    fleet.start(POLL_SECONDS="0.02")
    unknown = fleet.enqueue("unheard-of", {})
    fleet.wait_for_state(fleet.enqueue("fine", {}), "succeeded")

    assert fleet.task(unknown).state == "ready"


@pytest.mark.requirement("B6")
def test_a_worker_that_is_told_to_fails_what_it_has_no_handler_for(fleet: "Fleet", logged: "Logged") -> None:
    unknown = fleet.enqueue("unheard-of", {})
    worker = fleet.start(POLL_SECONDS="0.02", FAIL_UNKNOWN_KINDS="true")
    task = fleet.wait_for_state(unknown, "failed")

    assert (task.code, task.dead_reason, task.attempt_count) == ("TASK_PAYLOAD_UNSUPPORTED", "non_retryable", 1)
    assert [line["ran"] for line in logged(worker, "task.failed")] == [False]


@pytest.mark.requirement("A10")
def test_an_idle_worker_is_woken_long_before_its_next_poll(fleet: "Fleet") -> None:
    worker = fleet.start(POLL_SECONDS="600", LOG_LEVEL="DEBUG")
    fleet.wait_for_state(fleet.enqueue("fine", {}), "succeeded", within=60.0)
    # The first found it quick still; by now it polls slower and slower, and what follows can only come by a wake-up.
    for _ in range(5):
        fleet.wait_for_state(fleet.enqueue("fine", {}), "succeeded", within=60.0)

    assert worker.alive


@pytest.mark.requirement("A10")
def test_behind_a_pooler_polling_alone_finds_the_work(fleet: "Fleet") -> None:
    fleet.start(POOLED="true", POLL_SECONDS="0.2")

    fleet.wait_for_state(fleet.enqueue("fine", {}), "succeeded")


@pytest.mark.requirement("A2")
@pytest.mark.requirement("E8")
@pytest.mark.requirement("K4")
def test_probes_and_metrics_answer_over_http(fleet: "Fleet", logged: "Logged") -> None:
    worker = fleet.start(HTTP_PORT="0")
    fleet.wait_for_state(fleet.enqueue("fine", {}), "succeeded")
    port = port_of(worker, logged)
    wait_until(lambda: 'taskfleet_task_duration_seconds_count{kind="fine",outcome="succeeded"' in fetch(port, "/metrics"))

    assert (fetch(port, "/livez"), fetch(port, "/readyz")) == ("alive\n", "started\n")
    assert 'taskfleet_slots{queue="default"} 4.0' in fetch(port, "/metrics")


@pytest.mark.requirement("K4")
def test_pushed_numbers_are_gone_after_the_worker(fleet: "Fleet", gateway: Gateway) -> None:
    worker = fleet.start(PUSHGATEWAY_URL=gateway.url, WORKER_ID="mail-7f", NAMESPACE="media", OWNER="taskfleet", PUSH_SECONDS="1")
    wait_until(lambda: gateway.requests)
    worker.send(signal.SIGTERM)

    assert worker.wait() == 0
    first, last = gateway.requests[0], gateway.requests[-1]
    assert (first[0], last[0]) == ("PUT", "DELETE")
    assert "/pod/mail-7f" in last[1]
    assert "taskfleet_slots" in first[2]


async def test_a_drain_mark_is_honoured_and_the_worker_stays_up_idle(fleet: "Fleet", logged: "Logged") -> None:
    worker = fleet.start(HTTP_PORT="0", POLL_SECONDS="0.5")
    running = fleet.enqueue("hold")
    fleet.wait_for(f"{running}-1-started")
    async with Database(fleet.url) as database:
        operator = OperatorStore(database)
        epoch = await operator.take_lead("test")

        async def seen() -> Any:
            (session,) = (await operator.measure(["default"]))["default"].sessions
            return session

        await operator.mark_draining([(await seen()).session_id], draining=True, epoch=epoch)
        await eventually(lambda: logged(worker, "worker.draining"), within=10.0)
        waiting = fleet.enqueue("fine", {})
        still_busy = await seen()
        fleet.let_go(running)
        await eventually(lambda: logged(worker, "worker.drained"), within=10.0)
        empty = await seen()
        states = (fleet.task(running).state, fleet.task(waiting).state)
        ready = fetch(port_of(worker, logged), "/readyz")
        await operator.mark_draining([empty.session_id], draining=False, epoch=epoch)
        await eventually(lambda: fleet.task(waiting).state == "succeeded", within=10.0)

    assert (still_busy.draining, still_busy.drained, empty.drained, empty.leases) == (True, False, True, 0)
    assert states == ("succeeded", "ready")
    assert (ready, worker.alive) == ("started\n", True)


def test_text_logs_are_for_people(fleet: "Fleet") -> None:
    worker = fleet.launch(LOG_FORMAT="text")

    worker.wait_for_output("info    worker.started concurrency=4")
    with pytest.raises(json.JSONDecodeError):
        json.loads(worker.output.splitlines()[0])


@pytest.mark.requirement("K3")
def test_an_idle_worker_is_small(fleet: "Fleet", logged: "Logged") -> None:
    worker = fleet.start(HTTP_PORT="0", CONCURRENCY="10")
    fleet.wait_for_state(fleet.enqueue("fine", {}), "succeeded")
    fetch(port_of(worker, logged), "/metrics")

    megabytes = psutil.Process(worker.pid).memory_info().rss / 2**20
    assert megabytes <= 60
