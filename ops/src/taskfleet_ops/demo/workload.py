"""The tasks of the demo: a podcast studio's backlog after a bad weekend.

Pure and deterministic: the demo and the downstream stand-in each make the same workload from the same story, so nothing about
which sources are gone needs to travel between them, or through the queue.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from taskfleet.models import NewTask
from taskfleet_ops.demo.story import Story

TRANSCODE, INDEX = "transcode", "index"
_SHOWS = 97


class Workload:
    """Tasks by number, oldest first: every second one has a source that is gone, every third of those a shared one."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self.gone = story.tasks // 2
        self.good = story.tasks - self.gone
        self._shared = -(-self.gone // 3)

    @property
    def distinct_gone_entities(self) -> int:
        """How many sources are gone: at 88,000 tasks 20 shared ones and 29,333 with one task each."""
        return min(self._shared, self._story.shared_entities) + self.gone - self._shared

    def gone_entities(self) -> frozenset[str]:
        """The sources that the downstream does not have."""
        return frozenset(self._entity(number) for number in range(1, 2 * self.gone, 2))

    def tasks(self, *, now: datetime) -> Iterator[NewTask]:
        """Every task, oldest first, as if it had waited up to three days at `now`."""
        step = self._story.spread_seconds / self._story.tasks
        for number in range(self._story.tasks):
            age = timedelta(seconds=self._story.spread_seconds - number * step)
            yield self._task(number, run_at=now - age)

    def _task(self, number: int, *, run_at: datetime) -> NewTask:
        entity = self._entity(number)
        kind = INDEX if number // 2 % 4 == 0 else TRANSCODE
        show = f"show-{number % _SHOWS:02d}"
        payload = {"episode": number, "show": show, "source": entity, "requested_by": f"editor-{number % 13}"}
        payload |= _TRANSCODE if kind == TRANSCODE else _INDEX
        return NewTask(kind=kind, payload=payload, run_at=run_at, group=show, entity=entity)

    def _entity(self, number: int) -> str:
        gone_number, is_gone = divmod(number, 2)
        if is_gone and gone_number % 3 == 0:
            return f"trailer-{gone_number // 3 % self._story.shared_entities:02d}"
        return f"recording-{number:06d}"


_TRANSCODE: dict[str, object] = {
    "target": {"codec": "aac", "bitrate_kbps": 128, "channels": 2, "sample_rate_hz": 44_100},
    "loudness_lufs": -16.0,
    "output": "media.example/episodes/{episode}.m4a",
}
_INDEX: dict[str, object] = {
    "languages": ["en", "de"],
    "fields": ["title", "chapters", "transcript"],
    "model": "small",
    "store": "search.example",
}
