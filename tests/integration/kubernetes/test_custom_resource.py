"""The TaskQueue as the real API server sees it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from taskfleet_operator.api.reading import read_task_queue
from taskfleet_operator.errors import SpecInvalidError
from tests.cluster.api import Api, ApiError
from tests.cluster.fixtures import CRDS, Namespace
from tests.unit.operator.api.manifests import manifest
from tests.unit.operator.api.test_schema import SPEC, objects_of

CRD_FILE: Path = CRDS[0]


def task_queue(namespace: Namespace, **spec: Any) -> dict[str, Any]:
    made = manifest(**spec)
    made["metadata"]["namespace"] = namespace.name
    return made


def path(namespace: Namespace) -> str:
    return f"/apis/taskfleet.dev/v1alpha1/namespaces/{namespace.name}/taskqueues"


async def offer(api: Api, namespace: Namespace, body: dict[str, Any]) -> dict[str, Any] | str:
    """What the API server would store, or what it says against it. Nothing is written."""
    try:
        return await api.post(f"{path(namespace)}?dryRun=All", body)
    except ApiError as error:
        if error.status not in (400, 422):
            raise
        return error.message


@pytest.mark.requirement("K1")
async def test_the_generated_crd_is_taken_unchanged(api: Api) -> None:
    written = yaml.safe_load(CRD_FILE.read_text())

    taken = await api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/taskqueues.taskfleet.dev")

    conditions = {each["type"]: each["status"] for each in taken["status"]["conditions"]}
    assert taken["spec"]["versions"] == written["spec"]["versions"]
    assert taken["spec"]["names"] == written["spec"]["names"]
    assert conditions == {"NamesAccepted": "True", "Established": "True"}  # and no NonStructuralSchema


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, None, id="the least there is"),
        pytest.param({"scaling": {"minReplicas": 3, "maxReplicas": 3}}, None, id="minimum and maximum may be equal"),
        pytest.param({"scaling": {"minReplicas": 3, "maxReplicas": 2}}, "minReplicas must not be above maxReplicas", id="min above max"),
        pytest.param({"scaling": {"minReplicas": 101}}, "minReplicas must not be above maxReplicas", id="min above the default of max"),
        pytest.param({"worker": {}}, "exactly one of template and targetRef", id="nothing that runs tasks"),
        pytest.param(
            {"worker": {"template": {}, "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}}},
            "exactly one of template and targetRef",
            id="two things that run tasks",
        ),
        pytest.param(
            {"kinds": [{"name": "a", "retry": {"minBackoffSeconds": 61}}]}, "minBackoffSeconds must not be above", id="backoff bounds"
        ),
        pytest.param({"kinds": [{"name": "a"}, {"name": "a"}]}, 'Duplicate value: {"name":"a"}', id="a kind named twice"),
        pytest.param({"goal": {"maxWaitSeconds": 0}}, "spec.goal.maxWaitSeconds", id="a bound"),
        pytest.param({"scaling": {"mode": "auto"}}, 'supported values: "Auto", "Recommend"', id="a word that is none"),
        pytest.param({"kinds": [{"name": f"k{number}"} for number in range(1_001)]}, "Too many", id="a list without end"),
    ],
)
async def test_what_the_api_server_says_to(api: Api, namespace: Namespace, spec: dict[str, Any], expected: str | None) -> None:
    answer = await offer(api, namespace, task_queue(namespace, **spec))

    assert isinstance(answer, dict) if expected is None else expected in answer


async def test_defaults_are_filled_in_by_the_api_server(api: Api, namespace: Namespace) -> None:
    made = await api.post(path(namespace), task_queue(namespace))

    spec = made["spec"]
    assert (spec["goal"], spec["scaling"]["maxReplicas"], spec["stopPolicy"]) == ({"maxWaitSeconds": 120}, 100, "None")
    assert spec["scaling"]["onDatabaseError"]["behavior"] == "CurrentReplicas"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param({}, {"queue": "other"}, "the name of the queue cannot change", id="a name where none was"),
        pytest.param({"queue": "other"}, {}, "the name of the queue cannot change", id="no name where one was"),
        pytest.param({}, {"queue": "episodes"}, None, id="its own name, written down"),
        pytest.param({}, {"goal": {"maxWaitSeconds": 9}}, None, id="anything else"),
    ],
)
async def test_the_queue_keeps_its_name(
    api: Api, namespace: Namespace, before: dict[str, Any], after: dict[str, Any], expected: str | None
) -> None:
    made = await api.post(path(namespace), task_queue(namespace, **before))
    changed = {**task_queue(namespace, **after), "metadata": made["metadata"]}

    try:
        await api.put(f"{path(namespace)}/episodes", changed)
        said = None
    except ApiError as error:
        said = error.message

    assert said is None if expected is None else expected in (said or "")


def test_a_typo_is_refused_by_kubectl_with_its_path(namespace: Namespace) -> None:
    with pytest.raises(subprocess.CalledProcessError) as error:
        namespace.apply(task_queue(namespace, goal={"maxWaitSecond": 60}))

    assert 'unknown field "spec.goal.maxWaitSecond"' in error.value.stderr


def test_explain_teaches(namespace: Namespace) -> None:
    explained = namespace.kubectl("explain", "taskqueue.spec.scaling.panicBacklog")

    assert "More waiting tasks than this" in " ".join(explained.split())


def test_get_shows_the_columns_people_look_for(namespace: Namespace) -> None:
    namespace.apply(task_queue(namespace))

    narrow = namespace.kubectl("get", "tq").splitlines()[0].split()
    wide = namespace.kubectl("get", "taskfleet", "-o", "wide").splitlines()[0].split()

    assert narrow == ["NAME", "READY", "ACTIVE", "REPLICAS", "DESIRED", "MAX", "BACKLOG", "OLDEST", "AGE"]
    assert set(wide) - set(narrow) == {"REASON", "FAILED%", "RATE", "QUEUE"}


def without_integral_floats(value: Any) -> Any:
    """Write 3.0 as 3: the schema takes both for an integer, but a CEL rule beside it refuses 3.0 with an error of its own."""
    match value:
        case dict():
            return {name: without_integral_floats(each) for name, each in value.items()}
        case list():
            return [without_integral_floats(each) for each in value]
        case float() if value.is_integer():
            return int(value)
        case other:
            return other


def model_takes(body: dict[str, Any]) -> bool:
    try:
        read_task_queue(body)
    except SpecInvalidError:
        return False
    return True


async def test_the_model_takes_what_the_api_server_stores_and_refuses_what_it_refuses(api: Api, namespace: Namespace) -> None:
    """Generated specs, some hundreds. Read as stored: the API server turns a null into the default before anyone sees it."""
    specs: list[dict[str, Any]] = []

    @settings(max_examples=300, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(objects_of(SPEC) | objects_of(SPEC, most=1))  # most objects with several fields have a fault in one of them
    def collect(spec: dict[str, Any]) -> None:
        specs.append(without_integral_floats(spec))

    collect()
    stored, differing = 0, []
    for spec in specs:
        body = {**task_queue(namespace), "spec": spec}
        answer = await offer(api, namespace, body)
        stored += isinstance(answer, dict)
        if model_takes(answer if isinstance(answer, dict) else body) != isinstance(answer, dict):
            differing.append(f"{json.dumps(spec)}: {answer}")

    assert differing == []
    assert stored > 10
