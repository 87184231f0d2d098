"""Reads a TaskQueue out of a manifest; every fault comes with its path, what was found and what is allowed.

From the API server unknown fields are ignored (a newer release may have written them); in a local file they are faults, since a
misspelt name would silently be a default.
"""

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from taskfleet_operator.api.generate.crd import task_queue_schema
from taskfleet_operator.api.spec import TaskQueueSpec
from taskfleet_operator.api.task_queue import API_VERSION, KIND, OBJECT_RULES, QueueKey, TaskQueue
from taskfleet_operator.errors import Fault, SpecInvalidError

Schema = dict[str, Any]
_TOP_LEVEL = ("apiVersion", "kind", "metadata", "spec", "status")


def read_task_queue(manifest: Mapping[str, Any], *, unknown_fields: bool = True, before: TaskQueue | None = None) -> TaskQueue:
    """Read a manifest as the API server answers it, or as a file holds it (`unknown_fields=False`: each is a fault).

    `before` is the object as it was, for what must not change. Raises SpecInvalidError with all faults.
    """
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    key = QueueKey(namespace=str(metadata.get("namespace") or "default"), name=str(metadata.get("name") or ""))
    faults = list(_envelope_faults(manifest, name=key.name, unknown_fields=unknown_fields))
    spec: TaskQueueSpec | None = None
    try:
        spec = TaskQueueSpec.model_validate(manifest.get("spec", {}), extra="ignore" if unknown_fields else "forbid")
    except ValidationError as error:
        faults.extend(_fault(details) for details in error.errors(include_url=False))
    if spec is None or faults:
        raise SpecInvalidError(str(key), faults)
    return _obeying_rules(
        TaskQueue(
            key=key,
            uid=str(metadata.get("uid", "")),
            generation=int(metadata.get("generation", 0)),
            created_at=_moment(metadata.get("creationTimestamp")),
            labels=dict(metadata.get("labels") or {}),
            spec=spec,
        ),
        before=before,
    )


def allowed_at(path: Sequence[str | int]) -> str:
    """Say in words what may stand at a path of a TaskQueue."""
    node = _node_at(path)
    return "anything" if node is None else _in_words(node)


def path_text(path: Sequence[str | int]) -> str:
    """Write a path as people do: ("spec", "kinds", 1, "name") is spec.kinds[1].name."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _envelope_faults(manifest: Mapping[str, Any], *, name: str, unknown_fields: bool) -> Sequence[Fault]:
    """Find what is wrong around the spec."""
    faults = [
        Fault(path=field, found=_found(manifest.get(field)), allowed=expected)
        for field, expected in (("apiVersion", API_VERSION), ("kind", KIND))
        if manifest.get(field) != expected
    ]
    if not name:
        faults.append(Fault(path="metadata.name", found="nothing", allowed="a name"))
    if not unknown_fields:
        faults.extend(_unknown(field, allowed=_TOP_LEVEL, path=(field,)) for field in manifest if field not in _TOP_LEVEL)
    return faults


def _obeying_rules(queue: TaskQueue, *, before: TaskQueue | None) -> TaskQueue:
    broken = [rule for rule in OBJECT_RULES if not rule.holds(before, queue)]
    if broken:
        found = f"name {queue.key.name!r}, queue {queue.queue!r}" + (f", before {before.queue!r}" if before else "")
        raise SpecInvalidError(str(queue.key), [Fault(path="metadata.name", found=found, allowed=rule.message) for rule in broken])
    return queue


def _fault(details: ErrorDetails) -> Fault:
    """Turn one of pydantic's errors into ours."""
    path = ("spec", *details["loc"])
    match details["type"]:
        case "extra_forbidden":
            node = _node_at(path[:-1]) or {}
            return _unknown(str(path[-1]), allowed=tuple(node.get("properties", {})), path=path)
        case "missing":
            return Fault(path=path_text(path), found="nothing", allowed=allowed_at(path))
        case "rule":
            return Fault(path=path_text(path), found=_numbers(details["input"]), allowed=details["msg"])
        case "twice":
            return Fault(path=path_text(path), found=_found(details["input"]), allowed=details["msg"])
        case "null":
            return Fault(path=path_text(path), found="null", allowed=f"{allowed_at(path)}, or the field left out")
        case _:
            return Fault(path=path_text(path), found=_found(details["input"]), allowed=allowed_at(path))


def _unknown(field: str, *, allowed: Sequence[str], path: Sequence[str | int]) -> Fault:
    close = difflib.get_close_matches(field, allowed, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}? " if close else ""
    return Fault(path=path_text(path), found="an unknown field", allowed=f"{hint}one of {', '.join(allowed)}")


def _found(value: object) -> str:
    """Show a value shortly, never more than a line."""
    match value:
        case None:
            return "nothing"
        case Mapping():
            return f"an object with {', '.join(map(str, value)) or 'no field'}"[:120]
        case list() | tuple():
            return f"a list of {len(value)}"
        case str():
            return repr(value if len(value) <= 80 else value[:77] + "…")
        case bool():
            return str(value).lower()
        case _:
            return str(value)[:80]


def _numbers(value: object) -> str:
    """Show the plain fields of an object that breaks a rule."""
    if not isinstance(value, Mapping):
        return _found(value)
    plain = {name: each for name, each in value.items() if isinstance(each, int | float | str)}
    return ", ".join(f"{name} {each}" for name, each in plain.items()) or _found(value)


def _in_words(node: Schema) -> str:
    """Say what a schema allows."""
    if "enum" in node:
        return "one of " + ", ".join(node["enum"])
    match node["type"]:
        case "integer" | "number" as kind:
            noun = "an integer" if kind == "integer" else "a number"
            if "maximum" not in node:
                return f"{noun} of at least {node.get('minimum', 0):,}"
            return f"{noun} from {node['minimum']:,} to {node['maximum']:,}"
        case "string":
            return f"text of at most {node.get('maxLength', 0)} characters" + (f" like {node['pattern']}" if "pattern" in node else "")
        case "array":
            return f"a list of at most {node.get('maxItems', 0)}, each {_in_words(node['items'])}"
        case _:
            fields = ", ".join(node.get("properties", ()))
            return f"an object with the fields {fields}" if fields else "an object"


@cache
def _schema() -> Schema:
    return task_queue_schema()


def _node_at(path: Sequence[str | int]) -> Schema | None:
    """Find the schema of what stands at a path; None where the schema ends before it."""
    node: Schema | None = _schema()
    for step in path:
        if node is None:
            return None
        node = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
    return node


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
