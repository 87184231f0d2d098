"""What the end-to-end test stands on: a kind cluster with restricted namespaces, PostgreSQL, the chart."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster.e2e.images import OPERATOR, PUBLIC_POSTGRES, ROOT, TASKS, load_images
from tests.cluster.e2e.tools import E2eError, Tools

CLUSTER = "taskfleet-e2e"
MANIFESTS = Path(__file__).parent / "manifests"
SYSTEM, WORK, DATABASE = "taskfleet", "work", "taskfleet-database"


def create_cluster(tools: Tools) -> None:
    """Create the cluster, and namespaces where only restricted pods may run."""
    delete_cluster(tools)  # one that an earlier run left behind
    node_image = os.environ.get("KIND_NODE_IMAGE")
    tools.run(
        tools.kind, "create", "cluster", "--name", CLUSTER, "--wait", "180s", *(["--image", node_image] if node_image else []), timeout=600
    )
    for namespace in (SYSTEM, WORK, DATABASE):
        tools.run(tools.kubectl, "create", "namespace", namespace)
    for namespace in (SYSTEM, WORK, DATABASE, "default"):
        tools.run(tools.kubectl, "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")


def delete_cluster(tools: Tools) -> None:
    """Delete the cluster and all that is in it."""
    tools.run(tools.kind, "delete", "cluster", "--name", CLUSTER)


def start_database(tools: Tools, postgres_image: str) -> None:
    """Start PostgreSQL, and put its URL into the Secrets of those who need it."""
    load_images(tools, CLUSTER, postgres_image)
    if postgres_image != PUBLIC_POSTGRES:
        # In the node alone it gets the name that the manifest knows.
        names = [f"docker.io/{name}" if name.count("/") else f"docker.io/library/{name}" for name in (postgres_image, PUBLIC_POSTGRES)]
        tools.run("docker", "exec", f"{CLUSTER}-control-plane", "ctr", "--namespace", "k8s.io", "images", "tag", "--force", *names)
    tools.kubectl_in(DATABASE, "apply", "-f", str(ROOT / "deploy" / "demo" / "postgres.yaml"))
    for namespace in (SYSTEM, WORK):
        tools.kubectl_in(namespace, "apply", "-f", str(MANIFESTS / "database-secret.yaml"))
    tools.kubectl_in(DATABASE, "rollout", "status", "deployment/postgres", "--timeout=120s")


def install_chart(tools: Tools) -> None:
    """Install the operator with Helm; a Job of the chart makes the schema first."""
    load_images(tools, CLUSTER, OPERATOR, TASKS)
    repository, tag = OPERATOR.split(":")
    settings = {
        "image.repository": repository,
        "image.tag": tag,
        "migration.enabled": "true",
        "database.existingSecret": "queue-database",
        "settings.globalMaxReplicas": "10",
    }
    values = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    command = ["install", "taskfleet", str(ROOT / "charts" / "taskfleet"), "--namespace", SYSTEM, "--wait", "--timeout", "180s"]
    tools.run(tools.helm, *command, *values, timeout=240)


def uninstall_chart(tools: Tools) -> None:
    """Uninstall the operator and see that TaskQueues and their workers outlive it."""
    tools.run(tools.helm, "uninstall", "taskfleet", "--namespace", SYSTEM, "--wait")
    tools.kubectl_in(WORK, "get", "taskqueue/sources", "deployment/sources-workers")


def wait_until(look: Callable[[], bool], *, within: float, what: str) -> float:
    """Look twice a second until it is true, and give how long that took; E2eError when it is not in time."""
    begun = time.monotonic()
    while not look():
        if time.monotonic() - begun > within:
            message = f"not within {within:g} s: {what}"
            raise E2eError(message)
        time.sleep(0.5)
    return time.monotonic() - begun


def describe_failure(tools: Tools) -> str:
    """Collect what a person would look at first."""
    looks = (
        (WORK, "get", "taskqueues,deployments,pods", "-o", "wide"),
        (WORK, "describe", "taskqueues"),
        (WORK, "logs", "--selector", "taskfleet.dev/queue", "--tail", "30", "--prefix"),
        (WORK, "get", "events", "--sort-by=.lastTimestamp"),
        (SYSTEM, "get", "pods", "-o", "wide"),
        (SYSTEM, "logs", "deployment/taskfleet", "--tail", "60"),
        (SYSTEM, "logs", "job/taskfleet-migrate", "--tail", "20"),
        (DATABASE, "logs", "deployment/postgres", "--tail", "20"),
    )
    said = []
    for namespace, *arguments in looks:
        try:
            said.append(f"$ kubectl --namespace {namespace} {' '.join(arguments)}\n{tools.kubectl_in(namespace, *arguments)}")
        except E2eError as error:
            said.append(str(error))
    return "\n".join(said)


def clean_up(tools: Tools, folder: Path, *, keep: bool) -> None:
    """Leave nothing behind, unless somebody wants to look around."""
    if not keep:
        delete_cluster(tools)
        shutil.rmtree(folder, ignore_errors=True)
