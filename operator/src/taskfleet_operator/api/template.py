"""The pod template of a TaskQueue, which the schema leaves open: the few things that must hold in it."""

from collections.abc import Mapping
from typing import Any, Final

from taskfleet_operator.api.task_queue import TaskQueue
from taskfleet_operator.errors import Fault, SpecInvalidError

WORKER_CONTAINER: Final = "worker"
_PATH: Final = "spec.worker.template.spec.containers"


def worker_container(task_queue: TaskQueue) -> Mapping[str, Any]:
    """Give the container `worker` of the template; raises SpecInvalidError with the path when there is none, or its env is malformed."""
    template: Mapping[str, Any] = task_queue.spec.worker.template or {}
    pod = template.get("spec")
    containers: Any = pod.get("containers") if isinstance(pod, Mapping) else None
    if not isinstance(containers, list) or not all(isinstance(container, Mapping) for container in containers):
        raise _invalid(task_queue, path=_PATH, found="no list of containers", allowed=f"a list with a container named {WORKER_CONTAINER}")
    for index, container in enumerate(containers):
        if container.get("name") == WORKER_CONTAINER:
            found: Mapping[str, Any] = container
            _check_env(task_queue, found, path=f"{_PATH}[{index}].env")
            return found
    names = ", ".join(str(container.get("name")) for container in containers) or "no container"
    raise _invalid(task_queue, path=_PATH, found=names, allowed=f"a container named {WORKER_CONTAINER} among them")


def _check_env(task_queue: TaskQueue, container: Mapping[str, Any], *, path: str) -> None:
    entries = container.get("env") or []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) and isinstance(entry.get("name"), str) for entry in entries):
        raise _invalid(task_queue, path=path, found="something else", allowed="a list of objects with name and value")


def _invalid(task_queue: TaskQueue, *, path: str, found: str, allowed: str) -> SpecInvalidError:
    return SpecInvalidError(str(task_queue.key), [Fault(path=path, found=found, allowed=allowed)])
