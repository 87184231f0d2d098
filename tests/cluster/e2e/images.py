"""The images of the end-to-end test: built here, loaded into the node, and looked into."""

import json
import os
from pathlib import Path

from tests.cluster.e2e.tools import E2eError, Tools

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
OPERATOR = "taskfleet-operator:e2e"
WORKER = "taskfleet-worker:e2e"
TASKS = "taskfleet-e2e-tasks:e2e"
POSTGRES = "taskfleet-postgres:e2e"
PUBLIC_POSTGRES = "postgres:17-bookworm"

UNWANTED = ("kopf", "kubernetes", "aiohttp", "fastapi", "starlette", "flask", "typer", "taskfleet_operator", "taskfleet_ops", "hatchling")


def build_images(tools: Tools) -> str:
    """Build operator, worker and the user's image; give the name of a PostgreSQL image."""
    _build(tools, OPERATOR, ROOT, "--file", str(ROOT / "Dockerfile.operator"))
    _build(tools, WORKER, ROOT, "--file", str(ROOT / "Dockerfile.worker"))
    _build(tools, TASKS, HERE / "worker", "--build-arg", f"WORKER_IMAGE={WORKER}")
    return _postgres(tools)


def load_images(tools: Tools, cluster: str, *images: str) -> None:
    """Copy images into the cluster's node; nothing is pulled there."""
    tools.run(tools.kind, "load", "docker-image", "--name", cluster, *images, timeout=600)


def check_worker_image(tools: Tools) -> int:
    """Fail when the worker image holds what a worker does not need, or runs as root; give its size in MB."""
    script = (
        "import importlib.util, json, os; "
        f"print(json.dumps({{'found': [each for each in {UNWANTED!r} if importlib.util.find_spec(each)], 'user': os.getuid()}}))"
    )
    seen = json.loads(
        tools.run("docker", "run", "--rm", "--read-only", "--network", "none", "--entrypoint", "python", WORKER, "-c", script)
    )
    if seen["found"]:
        message = f"the worker image holds {', '.join(seen['found'])}: take them out of requirements/worker.txt or Dockerfile.worker"
        raise E2eError(message)
    if seen["user"] == 0:
        message = "the worker image runs as root: Dockerfile.worker must name a numeric USER"
        raise E2eError(message)
    return int(tools.run("docker", "image", "inspect", "--format", "{{.Size}}", WORKER)) // 1_000_000


def _build(tools: Tools, name: str, context: Path, *arguments: str) -> None:
    # The host's network: a build may need the machine's own way to a package index.
    tools.run("docker", "build", "--network", "host", "--tag", name, *arguments, context, timeout=900)


def _postgres(tools: Tools) -> str:
    """Take $POSTGRES_IMAGE, else the official image, else build one from Debian's package where no registry is reachable."""
    chosen = os.environ.get("POSTGRES_IMAGE")
    if chosen:
        if not _is_here(tools, chosen):
            tools.run("docker", "pull", chosen, timeout=600)
        return chosen
    if _is_here(tools, PUBLIC_POSTGRES):
        return PUBLIC_POSTGRES
    try:
        tools.run("docker", "pull", "--quiet", PUBLIC_POSTGRES, timeout=120)
    except E2eError:
        _build(tools, POSTGRES, HERE / "postgres")
        return POSTGRES
    return PUBLIC_POSTGRES


def _is_here(tools: Tools, image: str) -> bool:
    return bool(tools.run("docker", "image", "ls", "--quiet", image).strip())
