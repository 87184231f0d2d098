from pathlib import Path

import pytest

from taskfleet_operator.errors import FileInvalidError
from taskfleet_operator.local.documents import SecretKey, joined, read_documents


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "queue.yaml"


def test_task_queues_and_secrets_are_told_apart(file: Path) -> None:
    file.write_text(
        "---\nkind: Secret\nmetadata: {name: db}\nstringData: {uri: plain}\ndata: {uri: aWdub3JlZA==, other: b3RoZXI=}\n"
        "---\nkind: TaskQueue\nmetadata: {name: a}\n---\n"
    )

    found = read_documents(file)

    assert [each["metadata"]["name"] for each in found.task_queues] == ["a"]
    assert {key.key: value for key, value in found.secrets.items()} == {"uri": "plain", "other": "other"}


def test_yaml_is_read_as_kubectl_reads_it(file: Path) -> None:
    file.write_text("kind: TaskQueue\nspec: {pause: [In, Off], day: 2024-01-01, yes: true, count: 0o10, no: null}\n")

    (found,) = read_documents(file).task_queues

    assert found["spec"] == {"pause": ["In", "Off"], "day": "2024-01-01", "yes": True, "count": "0o10", "no": None}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("spec: [", "is no YAML: while parsing a flow node", id="no YAML"),
        pytest.param("kind: TaskQueue\nkind: Secret\n", "'kind' stands twice in one object", id="a key twice"),
        pytest.param("kind: Deployment\n", "document 1: expected kind TaskQueue or Secret, found Deployment", id="another kind"),
        pytest.param("- 1\n", "document 1: expected kind TaskQueue or Secret, found list", id="no object"),
        pytest.param("", "holds no document", id="nothing"),
        pytest.param(
            "kind: Secret\ndata: {uri: '%'}\n", r"Secret default/, data\.uri: not base64 of text", id="a Secret that is not base64"
        ),
        pytest.param(b"\xff\xfe\x00", "is no YAML", id="no text"),
    ],
)
def test_broken_file_is_told_by_name(file: Path, content: str | bytes, expected: str) -> None:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(FileInvalidError, match=expected) as caught:
        read_documents(file)

    assert str(file) in str(caught.value)


def test_object_that_looks_like_a_task_queue_is_left_to_its_reader(file: Path) -> None:
    file.write_text("kind: TaskQueu\nspec: {}\n")

    assert len(read_documents(file).task_queues) == 1


def test_documents_of_files_are_put_together(file: Path) -> None:
    file.write_text("kind: Secret\nmetadata: {name: db, namespace: media}\nstringData: {uri: x}\n---\nkind: TaskQueue\n")

    both = joined([read_documents(file), read_documents(file)])

    assert len(both.task_queues) == 2
    assert both.secrets == {SecretKey(namespace="media", name="db", key="uri"): "x"}
