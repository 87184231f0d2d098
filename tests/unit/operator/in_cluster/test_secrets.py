import pytest

from taskfleet_operator.errors import ClusterUnreachableError, ObjectMissingError, SecretMissingError
from taskfleet_operator.in_cluster.secrets import ClusterSecrets
from taskfleet_operator.objects import ObjectKey
from taskfleet_operator.settings import OperatorSettings
from tests.unit.operator.facts import task_queue

QUEUE = task_queue(database={"secretRef": {"name": "db"}, "migrate": {"secretRef": {"name": "db", "key": "admin"}}})


class Reader:
    def __init__(self) -> None:
        self.values = {"uri": "first", "admin": "more"}
        self.error: Exception | None = None
        self.reads: list[str] = []

    async def secret_value(self, secret: ObjectKey, *, key: str) -> str:
        self.reads.append(f"{secret}/{key}")
        if self.error:
            raise self.error
        return self.values[key]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secrets(reader: Reader, clock: Clock) -> ClusterSecrets:
    return ClusterSecrets(reader, settings=lambda: OperatorSettings(secret_seconds=60), clock=clock)


async def test_secret_is_read_by_name_and_then_remembered_for_a_while(secrets: ClusterSecrets, reader: Reader, clock: Clock) -> None:
    access = await secrets.access_of(QUEUE)
    reader.values["uri"] = "second"
    clock.now = 59
    remembered = await secrets.access_of(QUEUE)
    clock.now = 61
    anew = await secrets.access_of(QUEUE)

    assert (access.url, access.migrate_url, remembered.url, anew.url) == ("first", "more", "first", "second")
    assert reader.reads[:2] == ["media/db/uri", "media/db/admin"]


async def test_url_that_the_database_refused_is_read_anew(secrets: ClusterSecrets, reader: Reader) -> None:
    await secrets.access_of(QUEUE)
    reader.values["uri"] = "second"
    secrets.distrust(QUEUE)

    assert (await secrets.access_of(QUEUE)).url == "second"


async def test_last_known_url_serves_while_the_api_server_is_away(secrets: ClusterSecrets, reader: Reader, clock: Clock) -> None:
    await secrets.access_of(QUEUE)
    clock.now, reader.error = 100, ClusterUnreachableError("away")

    assert (await secrets.access_of(QUEUE)).url == "first"


async def test_unknown_url_of_an_unreachable_api_server_is_an_error(secrets: ClusterSecrets, reader: Reader) -> None:
    reader.error = ClusterUnreachableError("away")

    with pytest.raises(ClusterUnreachableError):
        await secrets.access_of(QUEUE)


async def test_missing_secret_is_told_with_its_name(secrets: ClusterSecrets, reader: Reader) -> None:
    reader.error = ObjectMissingError('secrets "db" not found')

    with pytest.raises(SecretMissingError, match=r"the database URL is to come from Secret media/db, key 'uri': secrets \"db\" not found"):
        await secrets.access_of(QUEUE)
