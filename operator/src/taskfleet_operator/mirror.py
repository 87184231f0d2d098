"""Mirrors: copies in memory of the objects that the operator reads at every tick, kept up to date by watching.

A tick over a thousand queues asks the API server for nothing, and sees no more than a moment of delay.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Generic, Protocol, TypeVar

from taskfleet_operator.objects import ObjectKey, ObjectKind, Sighting, key_of

Seen = TypeVar("Seen")
Group = TypeVar("Group", bound=Hashable)

REOPEN_SECONDS: Final = 0.2
"""Between two streams, so that one that ends at once floods nobody."""
_NOTHING: Final[Mapping[ObjectKey, Any]] = MappingProxyType({})


class Watcher(Protocol):
    """Where objects can be watched."""

    def watch(self, kind: ObjectKind, /, *, namespace: str | None = None, labels: str = "") -> AsyncIterator[Sighting]:
        """Give what is there, then every change, until the stream ends."""
        ...


class Mirror(Generic[Group, Seen]):
    """The objects of one kind that carry a label, as values, found by the group they belong to (a fleet)."""

    def __init__(
        self,
        watcher: Watcher,
        kind: ObjectKind,
        *,
        labels: str,
        read: Callable[[Mapping[str, Any]], Seen],
        group: Callable[[Seen], Group],
        namespaces: Sequence[str] = (),
    ) -> None:
        self._watcher = watcher
        self._kind = kind
        self._labels = labels
        self._read = read
        self._group = group
        self._groups: defaultdict[Group, dict[ObjectKey, Seen]] = defaultdict(dict)
        self._where: dict[ObjectKey, Group] = {}
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._missing = set(self._namespaces)
        self.complete = asyncio.Event()
        """Set once everything that was there at the start is known: an empty group means nothing before."""

    def of(self, group: Group) -> Mapping[ObjectKey, Seen]:
        """Give the objects of one group as they are now."""
        return self._groups.get(group, _NOTHING)

    async def run(self, beat: Callable[[], None]) -> None:
        """Watch for ever, saying `beat` at each sign of life.

        Raises a group of ClusterErrors when a stream cannot be opened or breaks off; what was known stays until the next run brings it
        up to date.
        """
        async with asyncio.TaskGroup() as group:
            for namespace in self._namespaces:
                group.create_task(self._follow(namespace, beat))

    async def _follow(self, namespace: str | None, beat: Callable[[], None]) -> None:
        while True:
            async for sighting in self._watcher.watch(self._kind, namespace=namespace, labels=self._labels):
                beat()
                self._see(sighting, namespace=namespace)
            await asyncio.sleep(REOPEN_SECONDS)

    def _see(self, sighting: Sighting, *, namespace: str | None) -> None:
        if sighting.everything:
            there = {key_of(manifest) for manifest in sighting.present}
            for key in [key for key in self._where if namespace in (None, key.namespace) and key not in there]:
                self._drop(key)
        for manifest in sighting.present:
            key, seen = key_of(manifest), self._read(manifest)
            self._drop(key)
            self._where[key] = self._group(seen)
            self._groups[self._where[key]][key] = seen
        for manifest in sighting.gone:
            self._drop(key_of(manifest))
        if sighting.everything:
            self._missing.discard(namespace)
            if not self._missing:
                self.complete.set()

    def _drop(self, key: ObjectKey) -> None:
        group = self._where.pop(key, None)
        if group is not None:
            del self._groups[group][key]
            if not self._groups[group]:
                del self._groups[group]
