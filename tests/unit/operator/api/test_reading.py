from typing import Any

import pytest

from taskfleet_operator.api.reading import allowed_at, read_task_queue
from taskfleet_operator.api.task_queue import OBJECT_RULES
from taskfleet_operator.errors import SpecInvalidError
from tests.unit.operator.api.manifests import MINIMAL, manifest


def faults_of(document: dict[str, Any], **how: Any) -> list[str]:
    with pytest.raises(SpecInvalidError) as caught:
        read_task_queue(document, **how)
    return [str(fault) for fault in caught.value.faults]


def test_minimal_task_queue_gets_its_defaults() -> None:
    queue = read_task_queue(MINIMAL)

    assert (queue.queue, queue.spec.database.secret_ref.key, queue.spec.scaling.max_replicas) == ("episodes", "uri", 100)


def test_queue_of_the_spec_wins_over_the_name_of_the_object() -> None:
    assert read_task_queue(manifest(queue="Films_2")).queue == "Films_2"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"goal": {"maxWaitSeconds": "4"}},
            "spec.goal.maxWaitSeconds: found '4', allowed: an integer from 1 to 31,536,000",
            id="text where a number belongs",
        ),
        pytest.param(
            {"scaling": {"mode": "auto"}},
            "spec.scaling.mode: found 'auto', allowed: one of Auto, Recommend",
            id="a word that is not among the allowed",
        ),
        pytest.param(
            {"kinds": [{"name": "a", "rate": {}}]},
            "spec.kinds[0].rate.starts: found nothing, allowed: an integer from 1 to 1,000,000,000",
            id="a missing field, with its place in the list",
        ),
        pytest.param(
            {"kinds": [{"name": "a"}, {"name": "a"}]},
            "spec.kinds: found a list of 2, allowed: each entry once; a more than once",
            id="a kind listed twice",
        ),
        pytest.param(
            {"scaling": {"pause": ["In", "In"]}},
            "spec.scaling.pause: found a list of 2, allowed: each entry once; In more than once",
            id="a direction listed twice",
        ),
        pytest.param(
            {"scaling": {"minReplicas": 5, "maxReplicas": 4}},
            "spec.scaling: found minReplicas 5, maxReplicas 4, allowed: minReplicas must not be above maxReplicas",
            id="bounds the wrong way round",
        ),
        pytest.param(
            {"kinds": [{"name": "a", "retry": {"minBackoffSeconds": 61}}]},
            "spec.kinds[0].retry: found minBackoffSeconds 61, allowed: minBackoffSeconds must not be above maxBackoffSeconds",
            id="backoff bounds the wrong way round",
        ),
        pytest.param(
            {"worker": {"template": {}, "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "mine"}}},
            "spec.worker: found an object with template, targetRef, allowed: exactly one of template and targetRef must be set",
            id="two kinds of workers",
        ),
        pytest.param(
            {"maxConcurrent": None},
            "spec.maxConcurrent: found null, allowed: an integer from 1 to 1,000,000,000, or the field left out",
            id="null",
        ),
        pytest.param({"kinds": True}, "spec.kinds: found true, allowed: a list of at most 200, each an object", id="no list"),
        pytest.param({"worker": 3}, "spec.worker: found 3, allowed: an object with the fields concurrency,", id="no object"),
        pytest.param({"lanes": [1]}, "spec.lanes: found a list of 1, allowed: an object", id="a list where an object belongs"),
        pytest.param({"queue": "x" * 90}, "spec.queue: found 'xxx", id="long text is cut short"),
    ],
)
def test_fault_names_path_found_and_allowed(spec: dict[str, Any], expected: str) -> None:
    (fault,) = faults_of(manifest(**spec))

    assert fault.startswith(expected)


def test_all_faults_are_told_at_once() -> None:
    faults = faults_of(manifest(maxConcurrent=0, goal={"maxWaitSeconds": 0}))

    assert [fault.split(":")[0] for fault in faults] == ["spec.goal.maxWaitSeconds", "spec.maxConcurrent"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"goals": {}}, "spec.goals: found an unknown field, allowed: did you mean goal? one of queue, database", id="of the spec"
        ),
        pytest.param(
            {"scaling": {"maxreplicas": 3}},
            "spec.scaling.maxreplicas: found an unknown field, allowed: did you mean maxReplicas?",
            id="deeper",
        ),
        pytest.param({"zzz": 1}, "spec.zzz: found an unknown field, allowed: one of queue", id="like nothing known"),
    ],
)
def test_unknown_field_of_a_local_file_is_a_fault_with_a_suggestion(spec: dict[str, Any], expected: str) -> None:
    (fault,) = faults_of(manifest(**spec), unknown_fields=False)

    assert fault.startswith(expected)


def test_unknown_field_beside_the_spec_is_a_fault_too() -> None:
    (fault,) = faults_of({**MINIMAL, "specs": {}}, unknown_fields=False)

    assert fault.startswith("specs: found an unknown field, allowed: did you mean spec?")


def test_unknown_fields_from_the_api_server_are_ignored() -> None:
    assert read_task_queue(manifest(soon={"a": 1})).queue == "episodes"


def test_pod_template_is_passed_on_as_it_is() -> None:
    template = {"spec": {"containers": [{"name": "worker", "env": [{"name": "A", "value": None}]}]}}

    assert read_task_queue(manifest(worker={"template": template}), unknown_fields=False).spec.worker.template == template


def test_wrong_envelope_is_told() -> None:
    faults = faults_of({"apiVersion": "v1", "kind": "TaskQueu", "spec": MINIMAL["spec"]})

    assert faults == [
        "apiVersion: found 'v1', allowed: taskfleet.dev/v1alpha1",
        "kind: found 'TaskQueu', allowed: TaskQueue",
        "metadata.name: found nothing, allowed: a name",
    ]


def test_queue_name_cannot_change() -> None:
    before = read_task_queue(MINIMAL)
    (fault,) = faults_of(manifest(queue="films"), before=before)

    assert fault.endswith("allowed: the name of the queue cannot change: make another TaskQueue for another queue")


def test_naming_the_queue_as_it_was_by_default_is_no_change() -> None:
    before = read_task_queue(MINIMAL)

    assert read_task_queue(manifest(queue="episodes"), before=before).queue == before.queue


def test_long_name_is_refused() -> None:
    (fault,) = faults_of({**MINIMAL, "metadata": {"name": "n" * 64}})

    assert OBJECT_RULES[0].message in fault


def test_metadata_of_the_api_server_is_read() -> None:
    metadata = {**MINIMAL["metadata"], "uid": "u", "generation": 3, "creationTimestamp": "2024-05-01T10:00:00Z", "labels": {"a": "b"}}
    queue = read_task_queue({**MINIMAL, "metadata": metadata})

    assert (queue.uid, queue.generation, queue.labels, queue.created_at and queue.created_at.year) == ("u", 3, {"a": "b"}, 2024)


def test_what_is_allowed_below_the_template_is_anything() -> None:
    assert allowed_at(("spec", "worker", "template", "spec")) == "anything"
