"""What the demo's result rests on: the tasks themselves as the database keeps them, the downstream's own counts, the operator's decisions.

The ledgers, which the live view shows, are not asked here: a verdict must not rest on the counters that it is to confirm.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from taskfleet.models import Task
from taskfleet.store import Database, ReaderStore
from taskfleet.words import ErrorCode, TaskState
from taskfleet_ops.demo.downstream.answers import AnswerCounts
from taskfleet_ops.demo.glance import History
from taskfleet_ops.demo.result import DemoResult, GoneTasks, GoodTasks
from taskfleet_ops.demo.story import Story
from taskfleet_ops.demo.watch import Watch
from taskfleet_ops.demo.workload import Workload
from taskfleet_ops.services.fleet import scale_actions

_PAGE: Final = 10_000
_ALL_DECISIONS: Final = 100_000


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The result, and what the report shows beside it."""

    result: DemoResult
    history: History
    failed_by_code: Mapping[str, int]


@dataclass(kw_only=True)
class Tally:
    """Finished tasks, counted one by one."""

    goal_seconds: float
    succeeded: int = 0
    late: int = 0
    failed_by_code: Counter[str] = field(default_factory=Counter)
    gone_attempts: int = 0
    """The most attempts that a task with a gone source used."""

    def add(self, task: Task) -> None:
        """Count one more."""
        if task.state is TaskState.SUCCEEDED:
            self.succeeded += 1
        else:
            self.failed_by_code[task.code or ""] += 1
        if task.code == ErrorCode.ENTITY_NOT_FOUND:
            self.gone_attempts = max(self.gone_attempts, task.attempt_count)
        if task.last_attempt_at is not None and (task.last_attempt_at - task.created_at).total_seconds() > self.goal_seconds:
            self.late += 1

    @property
    def finished(self) -> int:
        """All of them."""
        return self.succeeded + self.failed_by_code.total()


async def gather(watch: Watch, *, database: Database, story: Story) -> Evidence:
    """Look at every task once more, and at what the others say."""
    reader = ReaderStore(database)
    tally = Tally(goal_seconds=story.goal_seconds)
    for state in (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED):
        async for task in _tasks(reader, story.queue, state=state):
            tally.add(task)
    decisions = await reader.decisions(story.queue, limit=_ALL_DECISIONS)
    result = result_of(
        tally, answers=await watch.answers(), history=watch.history, scale_actions=scale_actions(reversed(decisions)), story=story
    )
    return Evidence(result=result, history=watch.history, failed_by_code=tally.failed_by_code)


def result_of(tally: Tally, *, answers: AnswerCounts, history: History, scale_actions: int, story: Story) -> DemoResult:
    """Put together what was found out."""
    workload = Workload(story)
    return DemoResult(
        good=GoodTasks(total=workload.good, succeeded=tally.succeeded, duplicates=answers.duplicates),
        gone=GoneTasks(
            total=workload.gone,
            failed=tally.failed_by_code[ErrorCode.ENTITY_NOT_FOUND],
            max_attempts_used=tally.gone_attempts,
            distinct_entities=workload.distinct_gone_entities,
        ),
        lost=story.tasks - tally.finished,
        killed=history.latest.killed,
        late=tally.late,
        calls_for_good=answers.good_answers,
        calls_for_gone=answers.gone_answers,
        overload_answers=answers.overload_answers,
        peak_workers=history.peak_workers,
        final_workers=history.latest.workers,
        scale_actions=scale_actions,
        pod_seconds=round(history.pod_seconds, 1),
        seconds=round(history.latest.seconds, 1),
    )


async def _tasks(reader: ReaderStore, queue: str, *, state: TaskState) -> AsyncIterator[Task]:
    after: int | None = None
    while page := await reader.list_tasks(queue, state=state, limit=_PAGE, after=after):
        for task in page:
            yield task
        after = page[-1].task_id
