from typing import Any

from taskfleet_operator.api.task_queue import QueueKey
from taskfleet_operator.loop.known import KnownQueues, key_of
from tests.unit.operator.api.manifests import manifest

KEY = QueueKey(namespace="media", name="episodes")


def written(uid: str = "u", *, created: str | None = None, name: str = "episodes", **spec: Any) -> dict[str, Any]:
    made = manifest(**spec)
    made["metadata"] |= {"uid": uid, "name": name, "generation": 1} | ({"creationTimestamp": created} if created else {})
    return made


def test_new_task_queue_is_known_and_wakes_the_loop() -> None:
    known = KnownQueues()
    known.remember(written())

    assert known.changed.is_set()
    assert [(each.key, each.faults) for each in known.all()] == [(KEY, ())]


def test_same_again_wakes_nobody() -> None:
    known = KnownQueues()
    known.remember(written())
    known.changed.clear()
    known.remember(written() | {"status": {"replicas": 3}})

    assert not known.changed.is_set()


def test_faulty_change_keeps_the_last_good_version() -> None:
    known = KnownQueues()
    known.remember(written(maxConcurrent=4))
    known.remember(written(maxConcurrent=0))

    (now,) = known.all()
    assert now.followed is not None
    assert (now.followed.spec.max_concurrent, len(now.faults)) == (4, 1)


def test_renaming_the_queue_is_a_fault_but_not_for_an_object_made_anew() -> None:
    known = KnownQueues()
    known.remember(written("first"))
    changed = known.remember(written("first", queue="films"))
    anew = known.remember(written("second", queue="films"))

    assert (bool(changed.faults), bool(anew.faults)) == (True, False)
    assert anew.followed is not None
    assert anew.followed.queue == "films"


def test_faulty_object_made_anew_inherits_nothing() -> None:
    known = KnownQueues()
    known.remember(written("first"))

    assert known.remember(written("second", maxConcurrent=0)).followed is None


def test_deleted_one_is_forgotten_and_wakes_the_loop() -> None:
    known = KnownQueues()
    known.remember(written())
    known.changed.clear()
    known.forget(KEY)
    woken = known.changed.is_set()
    known.changed.clear()
    known.forget(KEY)

    assert (woken, known.changed.is_set(), known.all()) == (True, False, ())


def test_oldest_comes_first_and_those_without_a_date_last() -> None:
    known = KnownQueues()
    known.remember(written("a", name="a"))
    known.remember(written("b", name="b", created="2026-01-02T00:00:00Z"))
    known.remember(written("c", name="c", created="2026-01-01T00:00:00Z"))
    known.remember(written("d", name="d", maxConcurrent=0))

    assert [each.key.name for each in known.all()] == ["c", "b", "a", "d"]


def test_key_is_read_out_of_anything() -> None:
    assert key_of({"metadata": "nonsense"}) == QueueKey(namespace="default", name="")
