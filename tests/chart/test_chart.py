import subprocess
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.fixtures import CHART, Render
from tests.support.golden import assert_golden

ROOT = Path(__file__).parents[2]
VALUES = sorted((CHART / "ci").glob("*-values.yaml"))


def only(manifests: Any, kind: str) -> dict[str, Any]:
    (found,) = [each for each in manifests if each["kind"] == kind]
    return dict(found)


def words_of(error: pytest.ExceptionInfo[subprocess.CalledProcessError]) -> str:
    return str(error.value.stderr)


def test_the_chart_has_no_lint(helm: Callable[..., str]) -> None:
    for values in VALUES:
        helm("lint", "--strict", CHART, "--values", values)


@pytest.mark.golden
@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_what_the_chart_installs(render: Render, values: Path) -> None:
    manifests = render("--values", values, "--set", "crds.install=false")

    # As values, not as text: Helm 3 and Helm 4 lay out the same manifests differently.
    in_order = sorted(manifests, key=lambda each: (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]))
    assert_golden(f"chart/{values.stem.removesuffix('-values')}.yaml", yaml.safe_dump_all(in_order, sort_keys=False, width=140))


@pytest.mark.requirement("K5")
def test_the_crd_is_the_generated_one_and_outlives_the_release(render: Render) -> None:
    (generated,) = (ROOT / "deploy" / "crds").glob("*.yaml")
    expected = yaml.safe_load(generated.read_text())
    expected["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}

    installed = only(render(), "CustomResourceDefinition")

    assert installed == expected


def test_the_version_is_that_of_the_members() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    members = {
        line.split('"')[1]
        for member in ("queue", "worker", "operator", "ops")
        for line in (ROOT / member / "pyproject.toml").read_text().splitlines()
        if line.startswith("version = ")
    }

    assert {chart["version"], chart["appVersion"]} == members


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        pytest.param("replica=2", "replica", id="a typo at the top"),
        pytest.param("settings.tickSecond=2", "tickSecond", id="a typo below"),
        pytest.param("image.pullPolicy=Sometimes", "pullPolicy", id="a word that is none"),
        pytest.param("settings.tickSeconds=0", "tickSeconds", id="a number out of range"),
        pytest.param("image.digest=latest", "digest", id="a digest that is none"),
    ],
)
def test_wrong_values_are_refused_by_name(template: Callable[..., str], setting: str, expected: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as error:
        template("--set", setting)

    assert expected in words_of(error)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        pytest.param("migration.enabled=true", "migration.enabled needs database.existingSecret", id="a migration without a database"),
        pytest.param("serviceAccount.create=false", "serviceAccount.name must name", id="no service account at all"),
    ],
)
def test_values_that_contradict_each_other_say_what_is_needed(template: Callable[..., str], setting: str, expected: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as error:
        template("--set", setting)

    assert expected in words_of(error)


def undocumented(lines: Sequence[str]) -> list[str]:
    """Values without `# --` above them or above an object that they are part of."""
    found, documented_above = [], [False]
    for before, line in pairwise(["", *lines]):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        documented = before.lstrip().startswith("#") or documented_above[depth]
        documented_above[depth + 1 :] = [documented]
        if not documented and not line.endswith(":"):
            found.append(line)
    return found


def test_every_value_is_documented() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()

    assert undocumented(lines) == []
    assert undocumented(["a:", "  # -- b", "  b: 1", "  c: 2"]) == ["  c: 2"]


def rules(manifests: Any) -> Mapping[tuple[str, str], set[str]]:
    """Every right, by API group and resource."""
    found: dict[tuple[str, str], set[str]] = {}
    for each in manifests:
        if each["kind"] in ("Role", "ClusterRole") and not each["metadata"]["name"].endswith(("-view", "-edit")):
            for rule in each["rules"]:
                for group in rule["apiGroups"]:
                    for resource in rule["resources"]:
                        found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def test_the_operator_may_do_nothing_with_everything_and_lists_no_secrets(render: Render) -> None:
    granted = rules(render())

    assert granted["", "secrets"] == {"get"}
    assert not any("*" in (group, resource) or "*" in verbs for (group, resource), verbs in granted.items())


def test_named_namespaces_need_no_rights_in_the_cluster(render: Render) -> None:
    installed = render("--values", CHART / "ci" / "namespaced-values.yaml")

    roles = sorted((each["metadata"]["namespace"], each["metadata"]["name"]) for each in installed if each["kind"] == "Role")
    assert roles == [("mail", "taskfleet"), ("media", "taskfleet"), ("taskfleet-system", "taskfleet-leader")]
    assert not [each["kind"] for each in installed if each["kind"].startswith("ClusterRole")]


def test_the_roles_are_equal_for_a_cluster_and_for_namespaces(render: Render) -> None:
    of_cluster, of_namespaces = rules(render()), rules(render("--values", CHART / "ci" / "namespaced-values.yaml"))

    assert of_cluster == of_namespaces


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_all_pods_are_restricted(render: Render, values: Path) -> None:
    for workload in (each for each in render("--values", values) if each["kind"] in ("Deployment", "Job")):
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_a_digest_wins_over_a_tag(render: Render) -> None:
    digest = "sha256:" + "0" * 64

    deployment = only(render("--set-string", "image.tag=1", "--set", f"image.digest={digest}"), "Deployment")

    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"taskfleet-operator@{digest}"


def test_every_variable_the_chart_sets_is_a_setting_of_the_operator(render: Render) -> None:
    from taskfleet_operator.settings import PREFIX, OperatorSettings

    deployment = only(render("--values", CHART / "ci" / "full-values.yaml"), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    names = {each["name"].removeprefix(PREFIX).lower() for each in container["env"] if each["name"].startswith(PREFIX)}

    assert names <= set(OperatorSettings.model_fields)
