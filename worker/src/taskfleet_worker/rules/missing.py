"""Entities that were found missing, remembered by this process for a short while (the fleet's memory is in the database)."""

from collections import OrderedDict


class MissingEntities:
    """A bounded memory with an age: the longest unused entity is forgotten first.

    It covers what the database cannot know yet: tasks of the same entity that were claimed before the first answer was written.
    """

    def __init__(self, *, seconds: float, size: int) -> None:
        self._seconds = seconds
        self._size = size
        self._until: OrderedDict[str, float] = OrderedDict()

    def remember(self, entity: str, *, now: float) -> None:
        """The entity is gone as of now."""
        self._until[entity] = now + self._seconds
        self._until.move_to_end(entity)
        if len(self._until) > self._size:
            self._until.popitem(last=False)

    def knows(self, entity: str, *, now: float) -> bool:
        """Whether the entity was found missing within the remembered time."""
        until = self._until.get(entity)
        if until is None:
            return False
        if until <= now:
            del self._until[entity]
            return False
        self._until.move_to_end(entity)
        return True

    def __len__(self) -> int:
        return len(self._until)
