"""The SQL functions of docs/sql-contract.md: what they do, what they answer, what they refuse."""

import threading
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

import taskfleet
from taskfleet import Producer, QueueSettings
from taskfleet.migrations import Migrator
from taskfleet.store import Database
from taskfleet.words import TaskState
from tests.integration.contract.conftest import Rows, Sql
from tests.integration.queue.scene import Scene

OPEN = "SELECT taskfleet.open_session(%s, 'shop', 'go-1', 4, ARRAY['mail'])"
ENQUEUE = "SELECT * FROM taskfleet.enqueue('shop', 'mail', %s::jsonb)"


def opened(sql: Sql, *, kinds: str = "{mail}", lease_seconds: float = 60) -> str:
    session = str(uuid4())
    sql("SELECT taskfleet.open_session(%s, 'shop', 'go-1', 4, %s, %s)", session, kinds, lease_seconds)
    return session


def claimed(sql: Sql, session: str, limit: int = 10) -> Rows:
    return sql("SELECT * FROM taskfleet.claim(%s, '{mail}', %s)", session, limit)


def leases_of(*tasks: dict[str, Any]) -> tuple[list[int], list[UUID]]:
    return [task["task_id"] for task in tasks], [task["token"] for task in tasks]


def refused(sql: Sql, statement: str, *parameters: object) -> tuple[str | None, str]:
    with pytest.raises(psycopg.Error) as caught:
        sql(statement, *parameters)
    return caught.value.sqlstate, str(caught.value)


@pytest.mark.requirement("E3")
def test_what_sql_enqueues_is_what_the_producer_would_have_enqueued(sql: Sql, database_url: str) -> None:
    row = sql(
        "SELECT * FROM taskfleet.enqueue('shop', 'mail', payload => '{\"a\": 1}', priority => 2, delay_seconds => 60, group_name => 'g',"
        " entity => 'e', idempotency_key => 'k', headers => '{\"x\": \"y\"}', max_attempts => 7, wants_result => true)"
    )[0]
    with Producer(database_url, queue="shop") as producer:
        task = producer.get_task(row["task_id"])
        again = producer.enqueue("mail", idempotency_key="k")

        assert producer.length() == 1
    assert (task.state, task.kind, task.payload, task.priority) == (TaskState.SCHEDULED, "mail", {"a": 1}, 2)
    assert (task.group, task.entity, task.idempotency_key, task.headers, task.max_attempts) == ("g", "e", "k", {"x": "y"}, 7)
    assert (again.task_id, again.duplicate, row["duplicate"]) == (row["task_id"], True, False)


@pytest.mark.requirement("B7")
def test_the_same_key_is_one_task_until_it_has_finished(sql: Sql) -> None:
    keyed = "SELECT * FROM taskfleet.enqueue('shop', 'mail', idempotency_key => 'order-8')"
    first, second = sql(keyed)[0], sql(keyed)[0]
    session = opened(sql)
    task = claimed(sql, session)[0]
    sql("SELECT * FROM taskfleet.complete(%s, %s)", [task["task_id"]], [task["token"]])
    third = sql(keyed)[0]

    assert second == {"task_id": first["task_id"], "duplicate": True}
    assert (third["task_id"] != first["task_id"], third["duplicate"]) == (True, False)


@pytest.mark.requirement("B7")
def test_a_duplicate_of_a_task_that_commits_meanwhile_gets_its_id(sql: Sql, database_url: str) -> None:
    keyed = "SELECT * FROM taskfleet.enqueue('shop', 'mail', idempotency_key => 'order-9')"
    answers: list[Rows] = []
    with psycopg.connect(database_url) as other:
        first = other.execute(keyed.encode()).fetchone()
        meeting = threading.Thread(target=lambda: answers.append(sql(keyed)))
        meeting.start()
        with psycopg.connect(database_url, autocommit=True) as observer:
            while observer.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
                pass
        other.commit()
        meeting.join()

    assert first is not None
    assert answers == [[{"task_id": first[0], "duplicate": True}]]


@pytest.mark.requirement("E7")
def test_a_full_queue_refuses_and_a_rollback_gives_the_room_back(sql: Sql, database_url: str) -> None:
    sql("SELECT taskfleet.create_kinds_v1('shop', '{mail}')")
    sql("UPDATE taskfleet.queues SET max_length = 3")
    sql(ENQUEUE, "1")
    with psycopg.connect(database_url) as other:
        other.execute(ENQUEUE.encode(), ["2"])
        other.execute(ENQUEUE.encode(), ["3"])
        with pytest.raises(psycopg.Error, match="queue 'shop' holds 3 tasks, its limit is 3") as caught, other.transaction():
            other.execute(ENQUEUE.encode(), ["4"])
        other.rollback()
        other.execute(ENQUEUE.encode(), ["5"])
        other.execute(ENQUEUE.encode(), ["6"])
        other.commit()

    assert caught.value.sqlstate == "TQ001"
    assert refused(sql, ENQUEUE, "7")[0] == "TQ001"
    assert sql("SELECT count(*) FROM taskfleet.ready") == [{"count": 3}]


def test_many_tasks_of_one_statement_look_at_the_length_seldom_and_are_all_counted(sql: Sql, database_url: str) -> None:
    sql("SELECT taskfleet.enqueue('shop', 'mail', to_jsonb(number)) FROM generate_series(1, 500) AS number")
    with Producer(database_url, queue="shop") as producer:
        assert producer.length() == 500


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    {
        "priority": ("priority => 10", "priority is 10, it must be 0 to 9"),
        "delay": ("delay_seconds => -1", "delay_seconds is -1, it must be 0 to 315360000"),
        "two moments": ("delay_seconds => 1, run_at => now()", "exclude each other"),
        "no moment": ("run_at => 'infinity'", "run_at is infinity"),
        "attempts": ("max_attempts => 0", "max_attempts is 0"),
        "headers as list": ("headers => '[1]'", "headers must be an object of texts"),
        "headers of numbers": ("headers => '{\"a\": 1}'", "headers must be an object of texts"),
        "headers of lists": ('headers => \'{"a": ["b"]}\'', "headers must be an object of texts"),
        "an empty group": ("group_name => ''", "group_name has 0 bytes, it must have 1 to 512"),
        "a long entity": ("entity => repeat('x', 513)", "entity has 513 bytes"),
        "a long key": ("idempotency_key => repeat('ü', 300)", "idempotency_key has 600 bytes"),
        "a large payload": ("payload => to_jsonb(repeat('x', 300000))", "the payload has 300002 bytes as JSON, queue 'shop' takes 262144"),
    }.values(),
)
@pytest.mark.requirement("E10")
def test_a_wrong_task_is_refused_with_what_is_allowed(sql: Sql, arguments: str, sentence: str) -> None:
    state, message = refused(sql, f"SELECT taskfleet.enqueue('shop', 'mail', {arguments})")

    assert (state, sentence in message) == ("22023", True), message
    assert sql("SELECT id FROM taskfleet.tasks") == []


@pytest.mark.parametrize(("queue", "kind"), [("", "mail"), ("shop", "a b"), ("-shop", "mail"), ("shop", None), ("shop", "x" * 101)])
def test_a_wrong_name_is_refused(sql: Sql, queue: str, kind: str | None) -> None:
    state, message = refused(sql, "SELECT taskfleet.enqueue(%s, %s)", queue, kind)

    assert (state, "is no name of a" in message) == ("22023", True)


@pytest.mark.requirement("B2")
def test_a_worker_claims_settles_and_is_fenced(sql: Sql) -> None:
    for number in range(4):
        sql(ENQUEUE, str(number))
    session = opened(sql)
    good, bad, later, stale = claimed(sql, session)

    done = sql("SELECT * FROM taskfleet.complete(%s, %s, ARRAY['1']::jsonb[])", *leases_of(good))
    failed = sql("SELECT * FROM taskfleet.fail(%s, %s, ARRAY['TASK_PAYLOAD_INVALID'], ARRAY['wrong'])", *leases_of(bad))
    released = sql("SELECT * FROM taskfleet.release(%s, %s, ARRAY['TASK_OVERLOADED'], ARRAY[60])", *leases_of(later))
    forged = sql("SELECT * FROM taskfleet.complete(%s, %s)", [stale["task_id"]], [str(uuid4())])

    assert done == [{"task_id": good["task_id"], "result_wanted": False}]
    assert failed == [{"task_id": bad["task_id"], "outcome": "failed"}]
    assert released == [{"task_id": later["task_id"], "outcome": "released"}]
    assert forged == []
    assert sql("SELECT reason, code FROM taskfleet.dead_letters") == [{"reason": "non_retryable", "code": "TASK_PAYLOAD_INVALID"}]
    assert sql("SELECT taskfleet.close_session(%s) AS back", session) == [{"back": 1}]
    assert claimed(sql, session)[0]["verdict"] == "session_lost"


@pytest.mark.requirement("B2")
def test_a_lease_that_is_named_twice_is_settled_as_it_was_named_first(sql: Sql) -> None:
    sql(ENQUEUE, "{}")
    (task,) = claimed(sql, opened(sql))
    ids, tokens = leases_of(task, task)

    failed = sql("SELECT outcome FROM taskfleet.fail(%s, %s, '{FIRST,SECOND}', '{a,b}', retryables => '{false,true}')", ids, tokens)

    assert failed == [{"outcome": "failed"}]
    assert sql("SELECT code, message FROM taskfleet.dead_letters") == [{"code": "FIRST", "message": "a"}]


def test_an_execution_that_failed_is_tried_again_and_texts_are_bounded(sql: Sql) -> None:
    sql(ENQUEUE, "1")
    task = claimed(sql, opened(sql))[0]
    failed = sql(
        "SELECT * FROM taskfleet.fail(%s, %s, ARRAY['TASK_EXECUTION_FAILED'], ARRAY[repeat('m', 20000)],"
        " ARRAY[repeat('s', 60000) || 'end'])",
        [task["task_id"]],
        [task["token"]],
    )

    assert failed == [{"task_id": task["task_id"], "outcome": "retried"}]
    assert sql("SELECT length(message) AS message, length(stack) AS stack, right(stack, 3) AS tail FROM taskfleet.attempts") == [
        {"message": 10_000, "stack": 50_000, "tail": "end"}
    ]


@pytest.mark.requirement("B4")
def test_a_renewal_names_what_is_held_and_hears_what_is_lost(sql: Sql) -> None:
    sql(ENQUEUE, "1")
    sql(ENQUEUE, "2")
    session = opened(sql)
    first, second = claimed(sql, session)
    sql("SELECT * FROM taskfleet.complete(%s, %s)", [second["task_id"]], [second["token"]])
    ids, tokens = [first["task_id"], second["task_id"]], [first["token"], second["token"]]

    beat = sql("SELECT * FROM taskfleet.renew(%s, %s, %s)", session, ids, tokens)[0]
    unknown = sql("SELECT * FROM taskfleet.renew(%s, %s, %s)", str(uuid4()), ids, tokens)[0]

    assert beat == {"known": True, "draining": False, "lost": [second["task_id"]], "cancelled": [], "released": 0, "stale_share": 0.2}
    assert (unknown["known"], unknown["lost"]) == (False, ids)


def test_a_draining_worker_says_when_it_is_empty(sql: Sql) -> None:
    sql(ENQUEUE, "1")
    session = opened(sql)
    task = claimed(sql, session)[0]
    drained = "SELECT taskfleet.mark_drained(%s) AS drained"
    before = sql(drained, session)
    sql("UPDATE taskfleet.sessions SET draining = true")
    holding = sql(drained, session)
    sql("SELECT * FROM taskfleet.complete(%s, %s)", [task["task_id"]], [task["token"]])

    assert (before, holding, sql(drained, session)) == ([{"drained": False}], [{"drained": False}], [{"drained": True}])
    assert claimed(sql, session)[0]["verdict"] == "draining"


WRONG_CALLS: dict[str, tuple[str, Sequence[object], str]] = {
    "fewer tokens": ("SELECT taskfleet.complete('{1,2}', %s)", [[str(uuid4())]], "tokens has 1 elements, task_ids has 2"),
    "no tokens": ("SELECT taskfleet.complete('{1}', NULL)", [], "tokens has no elements"),
    "fewer results": ("SELECT taskfleet.complete('{}', '{}', ARRAY['1'::jsonb])", [], "results has 1 elements, task_ids has 0"),
    "fewer codes": ("SELECT taskfleet.fail('{1}', %s, '{}', '{x}')", [[str(uuid4())]], "codes has 0 elements"),
    "no message": ("SELECT taskfleet.fail('{1}', %s, '{x}', '{NULL}')", [[str(uuid4())]], "codes and messages may not be NULL"),
    "no reason": ("SELECT taskfleet.release('{1}', %s, '{NULL}')", [[str(uuid4())]], "codes may not be NULL"),
    "fewer delays": ("SELECT taskfleet.release('{1}', %s, '{x}', '{1,2}')", [[str(uuid4())]], "delays has 2 elements"),
    "no room": ("SELECT taskfleet.claim(%s, '{mail}', 0)", [str(uuid4())], "task_limit is 0, it must be 1 to 10000"),
    "no kinds": ("SELECT taskfleet.open_session(%s, 'shop', 'w', 1, '{}')", [str(uuid4())], "at least one kind"),
    "a short lease": ("SELECT taskfleet.open_session(%s, 'shop', 'w', 1, '{a}', 0.5)", [str(uuid4())], "a lease of at least 1 s"),
    "a wrong kind": ("SELECT taskfleet.open_session(%s, 'shop', 'w', 1, '{\"a b\"}')", [str(uuid4())], "kind 'a b' is no name of a kind"),
    "fewer leases": ("SELECT taskfleet.renew(%s, '{1}', '{}')", [str(uuid4())], "tokens has 0 elements"),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_wrong_call_of_a_worker_is_refused(sql: Sql, name: str) -> None:
    statement, parameters, sentence = WRONG_CALLS[name]
    state, message = refused(sql, statement, *parameters)

    assert (state, sentence in message) == ("22023", True), message


@pytest.mark.requirement("C4")
def test_a_task_of_a_paused_group_is_put_aside(sql: Sql, database_url: str) -> None:
    sql("SELECT taskfleet.create_kinds_v1('shop', '{mail}')")
    paused = "SELECT id, 'g', 'paused', now() FROM taskfleet.queues"
    sql(f"INSERT INTO taskfleet.paused_groups (queue_id, group_name, state, changed_at) {paused}")
    task_id = sql("SELECT task_id FROM taskfleet.enqueue('shop', 'mail', group_name => 'g')")[0]["task_id"]
    with Producer(database_url, queue="shop") as producer:
        assert producer.get_task(task_id).state is TaskState.PAUSED


def test_a_task_that_somebody_cancels_is_named_and_ends_when_it_is_given_back(sql: Sql) -> None:
    sql(ENQUEUE, "1")
    session = opened(sql)
    task = claimed(sql, session)[0]
    sql("SELECT * FROM taskfleet.cancel_v1(%s)", [task["task_id"]])
    beat = sql("SELECT cancelled FROM taskfleet.renew(%s, %s, %s)", session, [task["task_id"]], [task["token"]])
    given_back = sql("SELECT outcome FROM taskfleet.release(%s, %s, '{TASK_CANCELLED}')", [task["task_id"]], [task["token"]])

    assert (beat, given_back) == ([{"cancelled": [task["task_id"]]}], [{"outcome": "cancelled"}])


async def test_waking_is_heard_by_workers_and_announcing_by_those_who_wait(database_url: str, sql: Sql) -> None:
    async with Database(database_url) as database, database.listen("shop") as wakeups:
        await wakeups.ready()
        await wakeups.wait(timeout_seconds=5)
        sql("SELECT taskfleet.wake('shop')")

        assert await wakeups.wait(timeout_seconds=5)
    with psycopg.connect(database_url, autocommit=True) as waiting:
        waiting.execute("LISTEN taskfleet_results")
        sql("SELECT taskfleet.announce('{7,8}')")

        assert [notice.payload for notice in waiting.notifies(timeout=5, stop_after=2)] == ["7", "8"]


async def test_the_ledgers_are_right_after_all_of_it(database_url: str, sql: Sql) -> None:
    for number in range(6):
        sql(ENQUEUE, str(number))
    tasks = claimed(sql, opened(sql), 4)
    leases = [task["task_id"] for task in tasks], [task["token"] for task in tasks]
    sql("SELECT * FROM taskfleet.complete(%s, %s)", leases[0][:1], leases[1][:1])
    sql("SELECT * FROM taskfleet.fail(%s, %s, '{TASK_EXECUTION_FAILED}', '{x}')", leases[0][1:2], leases[1][1:2])
    sql("SELECT * FROM taskfleet.release(%s, %s, '{TASK_OVERLOADED}')", leases[0][2:3], leases[1][2:3])
    async with Database(database_url) as database:
        assert await Scene(database=database, queue="shop").faults() == []


def test_it_works_in_a_schema_of_another_name(empty_database_url: str) -> None:
    Migrator(empty_database_url, "jobs").up()
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        row = connection.execute("SELECT task_id FROM jobs.enqueue('shop', 'mail', idempotency_key => 'k')").fetchone()
    with taskfleet.Producer(empty_database_url, queue="shop", settings=QueueSettings(schema_name="jobs")) as producer:
        assert row == (producer.enqueue("mail", idempotency_key="k").task_id,)
