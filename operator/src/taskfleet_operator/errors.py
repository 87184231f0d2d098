"""What can go wrong for the operator, apart from the queue's own errors (taskfleet.errors, SettingsError among them).

OperatorError
├── SpecInvalidError          a TaskQueue that cannot be followed; carries every fault with its path
├── FileInvalidError          a local file that holds no readable TaskQueue
├── SecretMissingError        the database URL is not where the TaskQueue says
├── WorkerTemplateError       the pod template has nothing that could be run
├── PortTakenError            the port for health and metrics is in use
├── QueueHeldError            another operator scales this queue already
├── WorkerStartError          a worker process could not be started at all
├── LeadershipLostError       another operator leads now: end this process
└── ClusterError
    ├── CrdMissingError           the cluster does not know TaskQueues
    ├── ClusterUnreachableError   no proper answer from the API server
    ├── ClusterRefusedError       the operator's Role does not allow it
    ├── ObjectMissingError        there is no such object, or no such key in it
    ├── ObjectConflictError       somebody changed the object since it was read
    └── ObjectInvalidError        the API server refuses the object as it is
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass


class OperatorError(Exception):
    """Base of every error that the operator raises on purpose."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong in a resource."""

    path: str
    """As kubectl explain writes it: spec.kinds[1].rate.starts."""
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.path}: found {self.found}, allowed: {self.allowed}"


class SpecInvalidError(OperatorError):
    """A TaskQueue that cannot be followed. `faults` holds each thing that is wrong; nothing was changed."""

    def __init__(self, name: str, faults: Sequence[Fault]) -> None:
        super().__init__(f"TaskQueue {name}: " + " · ".join(str(fault) for fault in faults))
        self.name, self.faults = name, tuple(faults)


class FileInvalidError(OperatorError):
    """A local file that cannot be read as YAML documents of TaskQueues and Secrets."""


class SecretMissingError(OperatorError):
    """The database URL is not where the TaskQueue says."""


class WorkerTemplateError(OperatorError):
    """The pod template holds nothing that could be run as worker."""


class PortTakenError(OperatorError):
    """The port for health and metrics cannot be had."""

    def __init__(self, *, host: str, port: int, in_use: bool = True) -> None:
        why = "another program listens there" if in_use else "this user may not listen there"
        super().__init__(
            f"health and metrics cannot be served at {host}:{port}: {why}; choose another port with --metrics-port (0 takes any free one)"
        )
        self.host, self.port = host, port


class QueueHeldError(OperatorError):
    """Another operator scales this queue already; this one leaves it alone until the other is gone."""

    def __init__(self, *, queue: str) -> None:
        super().__init__(f"another operator scales queue {queue!r} in this database: end it, or let this one wait; it takes over by itself")
        self.queue = queue


class WorkerStartError(OperatorError):
    """A worker process could not be started at all; the message holds the command and why."""


class LeadershipLostError(OperatorError):
    """This process led, and another operator leads now: end it, a new one waits its turn."""

    def __init__(self, holder: str | None) -> None:
        super().__init__(f"another operator leads now ({holder or 'unknown'}): this one ends, its successor waits its turn")
        self.holder = holder


class ClusterError(OperatorError):
    """A request to the Kubernetes API server that did not do what it should."""


class CrdMissingError(ClusterError):
    """The cluster does not know TaskQueues."""

    def __init__(self) -> None:
        super().__init__("the cluster does not know TaskQueues: install the chart, or run `kubectl apply --server-side -f deploy/crds`")


class ClusterUnreachableError(ClusterError):
    """No proper answer came from the API server; the next tick tries again."""


class ClusterRefusedError(ClusterError):
    """The operator may not do this; the message names the missing right."""


class ObjectMissingError(ClusterError):
    """There is no such object, or no such key in it."""


class ObjectConflictError(ClusterError):
    """Somebody changed the object since it was read; nothing was written."""


class ObjectInvalidError(ClusterError):
    """The API server refuses the object as it is; the message holds its words."""


def refusal_of(status: int, text: str, *, attempt: str) -> ClusterError:
    """The error that says what an answer of the API server that is not good means, in the API server's own words."""
    try:
        reason = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        reason = text[:300] or f"status {status}"
    match status:
        case 401 | 403:
            return ClusterRefusedError(f"{reason} ({attempt}): grant it in the operator's Role")
        case 404:
            return ObjectMissingError(reason)
        case 409:
            return ObjectConflictError(reason)
        case 400 | 422:
            return ObjectInvalidError(reason)
        case _:
            return ClusterUnreachableError(f"the Kubernetes API server answered {attempt} with {status}: {reason}")
