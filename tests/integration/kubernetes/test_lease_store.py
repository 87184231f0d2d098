"""What every lease store does: the one in memory that unit tests use, and the API server."""

import pytest

from taskfleet_operator.cluster import Cluster
from taskfleet_operator.errors import ObjectConflictError
from taskfleet_operator.leadership import Leadership, LeaseStore
from taskfleet_operator.objects import LeaseSeen, ObjectKey
from tests.cluster.fixtures import Namespace
from tests.support.leases import MemoryLeases


@pytest.fixture(params=["in memory", "API server"])
def leases(request: pytest.FixtureRequest, cluster: Cluster) -> LeaseStore:
    return MemoryLeases() if request.param == "in memory" else cluster


@pytest.fixture
def key(namespace: Namespace) -> ObjectKey:
    return ObjectKey(namespace=namespace.name, name="taskfleet-operator")


async def test_a_lease_that_was_never_written_is_none(leases: LeaseStore, key: ObjectKey) -> None:
    found = await leases.lease(key)

    assert found is None


async def test_what_is_written_is_read(leases: LeaseStore, key: ObjectKey) -> None:
    written = await leases.write_lease(key, LeaseSeen(holder="first", duration_seconds=15, transitions=3))

    assert await leases.lease(key) == written
    assert (written.holder, written.duration_seconds, written.transitions) == ("first", 15, 3)


async def test_every_write_makes_a_new_version(leases: LeaseStore, key: ObjectKey) -> None:
    first = await leases.write_lease(key, LeaseSeen(holder="first", duration_seconds=15))
    second = await leases.write_lease(key, first)

    assert first.resource_version != second.resource_version


async def test_creating_a_lease_that_is_there_is_refused(leases: LeaseStore, key: ObjectKey) -> None:
    await leases.write_lease(key, LeaseSeen(holder="first", duration_seconds=15))

    with pytest.raises(ObjectConflictError):
        await leases.write_lease(key, LeaseSeen(holder="second", duration_seconds=15))


async def test_a_write_over_an_old_version_is_refused(leases: LeaseStore, key: ObjectKey) -> None:
    first = await leases.write_lease(key, LeaseSeen(holder="first", duration_seconds=15))
    await leases.write_lease(key, first)

    with pytest.raises(ObjectConflictError):
        await leases.write_lease(key, first)


async def test_a_released_lease_has_no_holder(leases: LeaseStore, key: ObjectKey) -> None:
    written = await leases.write_lease(key, LeaseSeen(holder=None, duration_seconds=15))

    assert written.holder is None


async def test_of_two_operators_one_leads_and_the_other_follows_it(leases: LeaseStore, key: ObjectKey) -> None:
    first, second = (Leadership(leases, key=key, identity=name) for name in ("first", "second"))
    await first.take_part()
    await second.take_part()
    before = (first.leading, second.leading)

    await first.release()
    await second.take_part()

    assert (before, first.leading, second.leading) == ((True, False), False, True)
