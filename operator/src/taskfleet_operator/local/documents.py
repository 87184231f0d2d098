"""YAML documents of local files: TaskQueues, and Secrets with their stringData."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from taskfleet_operator.api.task_queue import KIND
from taskfleet_operator.errors import FileInvalidError

Manifest = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SecretKey:
    """One entry of a Secret."""

    namespace: str
    name: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Documents:
    """What files hold."""

    task_queues: tuple[Manifest, ...] = ()
    secrets: Mapping[SecretKey, str] = field(default_factory=dict, repr=False)


class _Loader(yaml.SafeLoader):
    """Reads YAML as kubectl does: only true and false are booleans, no dates, and a key stands once."""


def _resolvers() -> dict[str, list[tuple[str, Any]]]:
    dropped = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool"}
    return {
        first: [(tag, pattern) for tag, pattern in rules if tag not in dropped]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found:
            raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands twice in one object", key_node.start_mark)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.yaml_implicit_resolvers = _resolvers()
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_documents(file: Path) -> Documents:
    """Read one file; raises FileInvalidError when it is no YAML, holds no TaskQueue and no Secret, or cannot be read."""
    try:
        documents = list(yaml.load_all(file.read_text(encoding="utf-8"), Loader=_Loader))
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}; name a file with a TaskQueue"
        raise FileInvalidError(message) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"{file} is no YAML: {' '.join(str(error).split())}"
        raise FileInvalidError(message) from error
    return _sorted_out(file, [document for document in documents if document is not None])


def joined(parts: Sequence[Documents]) -> Documents:
    """Put the documents of several files together."""
    return Documents(
        task_queues=tuple(manifest for part in parts for manifest in part.task_queues),
        secrets={key: value for part in parts for key, value in part.secrets.items()},
    )


def _sorted_out(file: Path, documents: Sequence[object]) -> Documents:
    task_queues: list[Manifest] = []
    secrets: dict[SecretKey, str] = {}
    for number, document in enumerate(documents, start=1):
        kind = document.get("kind") if isinstance(document, Mapping) else None
        if kind == "Secret" and isinstance(document, Mapping):
            secrets.update(_entries(file, document))
        elif isinstance(document, Mapping) and (kind == KIND or "spec" in document):
            task_queues.append(document)
        else:
            message = f"{file}, document {number}: expected kind {KIND} or Secret, found {kind or type(document).__name__}"
            raise FileInvalidError(message)
    if not task_queues and not secrets:
        message = f"{file} holds no document: expected kind {KIND} or Secret"
        raise FileInvalidError(message)
    return Documents(task_queues=tuple(task_queues), secrets=secrets)


def _entries(file: Path, secret: Manifest) -> dict[SecretKey, str]:
    metadata = secret.get("metadata") or {}
    namespace, name = str(metadata.get("namespace") or "default"), str(metadata.get("name") or "")
    entries = {str(key): str(value) for key, value in (secret.get("stringData") or {}).items()}
    for key, value in (secret.get("data") or {}).items():
        try:
            entries.setdefault(str(key), base64.b64decode(str(value), validate=True).decode())
        except (binascii.Error, UnicodeDecodeError) as error:
            message = f"{file}, Secret {namespace}/{name}, data.{key}: not base64 of text; use stringData for plain text"
            raise FileInvalidError(message) from error
    return {SecretKey(namespace=namespace, name=name, key=key): value for key, value in entries.items()}
