"""How one worker process is started: the container `worker` of the pod template, and what every pod is told. Pure but for the PATH."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from taskfleet_operator.api.convert import termination_grace_seconds
from taskfleet_operator.api.task_queue import TaskQueue
from taskfleet_operator.api.template import worker_container
from taskfleet_operator.errors import WorkerTemplateError

DEFAULT_COMMAND: Final = ("taskfleet-worker", "run")
OPERATOR_PREFIX: Final = "TASKFLEET_OPERATOR_"


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A worker process to be: everything but its own identity."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    """What the operator and the template set; the rest is inherited."""
    folder: str | None
    grace_seconds: float

    @property
    def revision(self) -> str:
        """Changes when workers have to be replaced: another command, environment or folder."""
        content = json.dumps([self.command, sorted(self.environment.items()), self.folder])
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def inherited(self, environment: Mapping[str, str], **identity: str) -> dict[str, str]:
        """Give the whole environment of one process; what the template set wins over its identity, and that over what is inherited."""
        kept = {name: value for name, value in environment.items() if not name.startswith(OPERATOR_PREFIX)}
        return {**kept, **identity, **self.environment}


def launch_of(task_queue: TaskQueue, *, database_url: str, schema: str) -> Launch:
    """Read the launch out of a TaskQueue; raises WorkerTemplateError naming what cannot be run on a machine without a cluster."""
    if task_queue.spec.worker.template is None:
        message = f"TaskQueue {task_queue.key}: spec.worker.targetRef names an object of a cluster; locally use spec.worker.template"
        raise WorkerTemplateError(message)
    container = worker_container(task_queue)
    worker = task_queue.spec.worker
    grace = termination_grace_seconds(task_queue)
    contract = {
        "TASKFLEET_DATABASE_URL": database_url,
        "TASKFLEET_SCHEMA": schema,
        "TASKFLEET_QUEUE": task_queue.queue,
        "TASKFLEET_CONCURRENCY": str(worker.concurrency),
        "TASKFLEET_LEASE_SECONDS": str(worker.lease_seconds),
        "TASKFLEET_DRAIN_SECONDS": str(grace),
    }
    return Launch(
        command=_command(task_queue, container),
        environment=contract | _literals(task_queue, container),
        folder=container.get("workingDir"),
        grace_seconds=grace,
    )


def found_program(command: Sequence[str], *, path: str | None) -> str:
    """Give the full path of the program, looked for on the PATH and beside this Python; raises WorkerTemplateError."""
    program = command[0]
    places = os.pathsep.join(filter(None, (path, str(Path(sys.executable).parent))))
    found = shutil.which(program, path=places)
    if found is None:
        message = f"the workers' program {program!r} is not there: install it, or name another in the command of the container `worker`"
        raise WorkerTemplateError(message)
    return found


def _command(task_queue: TaskQueue, container: Mapping[str, Any]) -> tuple[str, ...]:
    command, arguments = container.get("command") or [], container.get("args") or []
    if not all(isinstance(word, str) for word in [*command, *arguments]):
        message = f"TaskQueue {task_queue.key}: command and args of the container `worker` must be lists of text"
        raise WorkerTemplateError(message)
    if command:
        return (*command, *arguments)
    # Arguments alone follow what the worker image starts; it may be repeated in them.
    return (*DEFAULT_COMMAND[:1], *arguments) if arguments[:1] == [DEFAULT_COMMAND[1]] else (*DEFAULT_COMMAND, *arguments)


def _literals(task_queue: TaskQueue, container: Mapping[str, Any]) -> dict[str, str]:
    if container.get("envFrom"):
        message = f"TaskQueue {task_queue.key}: envFrom needs a cluster; locally give each variable a value"
        raise WorkerTemplateError(message)
    literals: dict[str, str] = {}
    for entry in container.get("env") or []:
        if "valueFrom" in entry:
            message = (
                f"TaskQueue {task_queue.key}: variable {entry.get('name')} has a valueFrom, which needs a cluster; locally give it a value"
            )
            raise WorkerTemplateError(message)
        literals[str(entry["name"])] = str(entry.get("value", ""))
    return literals
