"""Batches of new tasks as COPY takes them, and their ledger entries. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from struct import Struct
from typing import NamedTuple, TypeVar

from taskfleet.client.validation import PreparedTask, prepare
from taskfleet.errors import InvalidTaskError
from taskfleet.models import NewTask

Chunk = TypeVar("Chunk", str, bytes)
CHUNK_ROWS = 500
"""Rows a write to the COPY stream: some ten kilobytes."""
_READY = Struct(">hiqiqiqiiih").pack
"""A row of copy_ready.sql: how many columns, then the width and the value of each."""
_BINARY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_BINARY_END = b"\xff\xff"
_NO_NAMES = "\t\\N" * 4
_BUCKET_SECONDS = 5
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Where the database's buckets start (backlog_bucket)."""


class PlacedTask(NamedTuple):
    """A task with its id, its kind's id and the moment it may run at. A tuple: a hundred thousand a second are made of these."""

    task_id: int
    kind_id: int
    run_at: datetime
    task: PreparedTask


@dataclass(frozen=True, kw_only=True)
class LedgerGroup:
    """Tasks of one kind and priority in one 5-second bucket of run_at."""

    kind_id: int
    priority: int
    bucket: datetime
    count: int


class PreparedBatches:
    """New tasks, checked and in batches of at most `size`; taken from the iterable only when they are fetched."""

    def __init__(self, tasks: Iterable[NewTask], *, size: int) -> None:
        self._tasks = iter(tasks)
        self._position = 0
        self._size = size
        self._fetched: list[PreparedTask] = []

    def fetch(self, most: int | None = None) -> None:
        """Prepare what is missing of the next batch, or at most so many; raises InvalidTaskError that names the position of the task."""
        missing = self._size - len(self._fetched)
        try:
            for task in islice(self._tasks, missing if most is None else min(missing, most)):
                self._fetched.append(prepare(task))
                self._position += 1
        except InvalidTaskError as error:
            raise InvalidTaskError(f"task {self._position} of the batch: {error}") from None

    def take(self) -> Sequence[PreparedTask]:
        """The next batch; empty when there is no more."""
        self.fetch()
        fetched, self._fetched = self._fetched, []
        return fetched


def alongside(work: Callable[[], None], chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The chunks, with some work after each: the server is busy with that one, and the next would wait for it."""
    for chunk in chunks:
        yield chunk
        work()


def followed_by(work: Callable[[], None], chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The chunks, and after the last, before the stream ends, some work: the server is busy with the chunks then."""
    yield from chunks
    work()


def task_lines(placed: Iterable[PlacedTask], *, now: datetime) -> Iterator[str]:
    """Lines for copy_tasks.sql, some hundred at a time."""
    created = now.isoformat()
    return _joined(
        f"{task_id}\t{kind_id}\t{_number(task.max_attempts)}\t{'t' if task.wants_result else 'f'}\t{created}"
        f"\t{_text(task.payload)}{_names(task)}\n"
        for task_id, kind_id, _, task in placed
    )


def ready_rows(placed: Iterable[PlacedTask]) -> Iterator[bytes]:
    """Rows for copy_ready.sql in COPY's binary format, some hundred at a time, with its head and its end.

    All columns have one width, and the server takes a microsecond a task less than for text: it reads no moment as a date.
    """
    moments = lru_cache(maxsize=1024)(_microseconds)
    rows = (
        _READY(5, 8, task_id, 8, moment, 8, moment, 4, kind_id, 2, task.priority)
        for task_id, kind_id, run_at, task in placed
        for moment in (moments(run_at),)
    )
    yield _BINARY_HEAD
    while chunk := b"".join(islice(rows, CHUNK_ROWS)):
        yield chunk
    yield _BINARY_END


def held_lines(placed: Iterable[PlacedTask], *, now: datetime) -> Iterator[str]:
    """Lines for copy_held.sql, some hundred at a time."""
    held_at = now.isoformat()
    return _joined(
        f"{item.task_id}\t{moment}\t{moment}\t{held_at}\t{item.kind_id}\t0\t{item.task.priority}\tf\t{_text(item.task.group)}\n"
        for item in placed
        for moment in (item.run_at.isoformat(),)
    )


def ledger_groups(placed: Iterable[PlacedTask]) -> Sequence[LedgerGroup]:
    """What the batch adds to the backlog ledger."""
    counts = Counter((item.kind_id, item.task.priority, item.run_at) for item in placed)
    groups: Counter[tuple[int, int, datetime]] = Counter()
    for (kind_id, priority, run_at), count in counts.items():
        groups[kind_id, priority, _bucket(run_at)] += count
    return [LedgerGroup(kind_id=kind_id, priority=priority, bucket=bucket, count=n) for (kind_id, priority, bucket), n in groups.items()]


def _microseconds(moment: datetime) -> int:
    """A moment as the database counts it: since 2000."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _bucket(run_at: datetime) -> datetime:
    # Whole numbers: a timestamp as a float would round the microseconds of far moments up into the next bucket.
    since = run_at - _EPOCH
    return _EPOCH + timedelta(seconds=(since.days * 86_400 + since.seconds) // _BUCKET_SECONDS * _BUCKET_SECONDS)


def _joined(lines: Iterator[str]) -> Iterator[str]:
    while chunk := "".join(islice(lines, CHUNK_ROWS)):
        yield chunk


def _names(task: PreparedTask) -> str:
    """The columns that few tasks have."""
    if task.headers is None and task.group is None and task.entity is None and task.idempotency_key is None:
        return _NO_NAMES
    return f"\t{_text(task.headers)}\t{_text(task.group)}\t{_text(task.entity)}\t{_text(task.idempotency_key)}"


def _number(value: int | None) -> str:
    return r"\N" if value is None else str(value)


def _text(text: str | None) -> str:
    if text is None:
        return r"\N"
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    # JSON text has no raw control characters; names of groups and entities may.
    if "\n" in text or "\t" in text or "\r" in text:
        text = text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return text
