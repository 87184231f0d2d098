"""Types that several objects of the resource use, with their bounds.

Every string and list is bounded: the API server prices CEL rules by the longest value it must expect.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Final, TypeVar

from pydantic import Field, JsonValue, Strict
from pydantic_core import PydanticCustomError

from taskfleet.names import KIND_LENGTH, KIND_PATTERN, QUEUE_LENGTH, QUEUE_PATTERN

Item = TypeVar("Item")

OBJECT_PATTERN: Final = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"

QueueName = Annotated[str, Field(min_length=1, max_length=QUEUE_LENGTH, pattern=f"^{QUEUE_PATTERN}$")]
"""The name of a queue in the database; also a label value."""

KindName = Annotated[str, Field(min_length=1, max_length=KIND_LENGTH, pattern=f"^{KIND_PATTERN}$")]
"""The name that handlers and producers give to a type of task."""

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=OBJECT_PATTERN)]
"""The name of a Kubernetes object."""

Key = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._A-Za-z0-9]+$")]
"""A key of a Secret."""

Word = Annotated[str, Field(min_length=1, max_length=253)]

Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
PositiveCount = Annotated[int, Field(ge=1, le=1_000_000_000)]
Replicas = Annotated[int, Field(ge=0, le=10_000)]
Seconds = Annotated[int, Field(ge=0, le=315_360_000)]
"""Whole seconds, ten years at most."""
PositiveSeconds = Annotated[int, Field(ge=1, le=315_360_000)]
FineSeconds = Annotated[float, Field(ge=0, le=315_360_000)]
"""Seconds with a fraction: tasks and backoffs are often shorter than one."""
Percent = Annotated[float, Field(ge=0, le=100)]

FreeObject = Annotated[dict[str, JsonValue], Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})]
"""An object of somebody else's schema, passed on as it is."""


def listed_by(key: str) -> dict[str, JsonValue]:
    """Schema of a list that is a map by `key`: entries are unique, and server-side apply merges them by name."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def each_once(entries: tuple[Item, ...], *, of: Sequence[str]) -> tuple[Item, ...]:
    """Give the entries back when no word of `of` is there twice; a fault of the list otherwise."""
    twice = [name for name, count in Counter(of).items() if count > 1]
    if twice:
        raise PydanticCustomError("twice", "each entry once; {names} more than once", {"names": ", ".join(twice)})
    return entries


Tuple = Annotated[tuple[Item, ...], Strict(strict=False)]
"""A list in the resource, a tuple here (JSON has no tuples, hence not strict about the container)."""
