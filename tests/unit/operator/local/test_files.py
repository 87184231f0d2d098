import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from taskfleet_operator.api.task_queue import TaskQueue
from taskfleet_operator.errors import SecretMissingError
from taskfleet_operator.local.files import LocalFiles
from taskfleet_operator.loop.known import KnownQueues
from tests.unit.operator.api.manifests import manifest

SECRET = {"kind": "Secret", "metadata": {"name": "episodes-db", "namespace": "media"}, "stringData": {"uri": " url\n", "admin": "more"}}


class Folder:
    def __init__(self, path: Path) -> None:
        self.path, self.version = path, 0

    def write(self, name: str, *documents: dict[str, Any] | str) -> Path:
        self.version += 1
        file = self.path / name
        file.write_text("---\n".join(each if isinstance(each, str) else yaml.safe_dump(each) for each in documents))
        os.utime(file, ns=(self.version, self.version))
        return file


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def followed(known: KnownQueues) -> dict[str, int | None]:
    return {str(each.key): each.followed.spec.max_concurrent for each in known.all() if each.followed}


def test_changed_files_are_followed(folder: Folder) -> None:
    file, known = folder.write("a.yaml", manifest(maxConcurrent=1)), KnownQueues()
    files = LocalFiles([file], known)
    files.load()
    first = followed(known)
    files.load()
    folder.write("a.yaml", manifest(maxConcurrent=2))
    files.load()

    assert (first, followed(known)) == ({"media/episodes": 1}, {"media/episodes": 2})


def test_task_queue_that_is_taken_out_is_forgotten(folder: Folder) -> None:
    other = manifest()
    other["metadata"] = {"name": "other"}
    file, known = folder.write("a.yaml", manifest(), other), KnownQueues()
    files = LocalFiles([file], known)
    files.load()
    folder.write("a.yaml", other)
    files.load()

    assert list(followed(known)) == ["default/other"]


def test_broken_file_keeps_what_it_held_and_is_told_once(folder: Folder) -> None:
    file, known = folder.write("a.yaml", manifest()), KnownQueues()
    files = LocalFiles([file], known)
    files.load()
    folder.write("a.yaml", "spec: [")

    errors = [len(files.load()), len(files.load())]
    file.unlink()
    gone = files.load()

    assert errors == [1, 0]
    assert "No such file" in str(gone[0])
    assert list(followed(known)) == ["media/episodes"]


def test_second_document_of_the_same_name_is_left_out(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    known = KnownQueues()
    LocalFiles([folder.write("a.yaml", manifest(maxConcurrent=1), manifest(maxConcurrent=2))], known).load()

    assert followed(known) == {"media/episodes": 1}
    assert [record.message for record in caplog.records] == ["file.duplicate"]


def queue_of(known: KnownQueues) -> TaskQueue:
    (entry,) = known.all()
    assert entry.followed is not None
    return entry.followed


async def test_database_url_is_in_the_secret_of_the_namespace(folder: Folder) -> None:
    database = {"secretRef": {"name": "episodes-db"}, "migrate": {"secretRef": {"name": "episodes-db", "key": "admin"}}}
    known = KnownQueues()
    files = LocalFiles([folder.write("a.yaml", manifest(database=database), SECRET)], known, environment={})
    files.load()
    files.distrust(queue_of(known))

    access = await files.access_of(queue_of(known))

    assert (access.url, access.migrate_url) == ("url", "more")
    assert "url" not in repr(access).replace("url=", "")


async def test_environment_names_the_database_where_no_file_does(folder: Folder) -> None:
    without = manifest()
    del without["spec"]["database"]
    known = KnownQueues()
    files = LocalFiles([folder.write("a.yaml", without)], known, environment={"TASKFLEET_DATABASE_URL": "url"})
    files.load()

    assert (await files.access_of(queue_of(known))).url == "url"


async def test_missing_secret_names_what_to_add(folder: Folder) -> None:
    known = KnownQueues()
    files = LocalFiles([folder.write("a.yaml", manifest())], known, environment={})
    files.load()

    with pytest.raises(
        SecretMissingError, match="no file holds Secret media/episodes-db with key 'uri', and TASKFLEET_DATABASE_URL is not set"
    ):
        await files.access_of(queue_of(known))


def test_task_queue_without_database_is_faulty_where_the_environment_names_none(folder: Folder) -> None:
    without = manifest()
    del without["spec"]["database"]
    known = KnownQueues()
    files = LocalFiles([folder.write("a.yaml", without, "kind: TaskQueue\nspec: 3\n")], known, environment={})
    files.load()

    assert [len(each.faults) > 0 for each in files.queues] == [True, True]


async def test_the_way_past_a_pooler_is_that_of_the_environments_database_only(folder: Folder) -> None:
    environment = {"TASKFLEET_DATABASE_URL": "pooled", "TASKFLEET_DIRECT_DATABASE_URL": "direct"}
    known = KnownQueues()
    found = []
    for documents in ((manifest(),), (manifest(), SECRET)):
        files = LocalFiles([folder.write("a.yaml", *documents)], known, environment=environment)
        files.load()
        (queue,) = (each.followed for each in known.all() if each.followed)
        access = await files.access_of(queue)
        found.append((access.url, access.direct_url))

    assert found == [("pooled", "direct"), ("url", None)]
