"""What people do to tasks: cancel, retry, pause, resume and clear them, or their group, kind or queue."""

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.stateful.model import KINDS, Model
from tests.stateful.world import World

GROUP = "tenant"


class People(RuleBasedStateMachine):
    """The rules of people, over a model and a world that all rules share."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()

    @precondition(lambda self: self.model.tasks)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        task_id = self._task(data)
        answer = self.world.do(self.world.producer.cancel(task_id))

        assert (answer.outcome, answer.holder_id) == self.model.cancel(task_id)

    @precondition(lambda self: self.model.tasks)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        task_id = self._task(data, "failed", "cancelled")
        answer = self.world.do(self.world.producer.retry(task_id))

        assert (answer.outcome, answer.holder_id) == self.model.retry(task_id)

    @precondition(lambda self: self.model.tasks)
    @rule(data=st.data())
    def pause(self, data: st.DataObject) -> None:
        task_id = self._task(data)
        answer = self.world.do(self.world.producer.pause_task(task_id))

        assert (answer.outcome, answer.holder_id) == self.model.pause(task_id)

    @precondition(lambda self: self.model.tasks)
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        task_id = self._task(data, "paused")
        answer = self.world.do(self.world.producer.resume_task(task_id))

        assert (answer.outcome, answer.holder_id) == self.model.resume(task_id)

    @rule(kind=st.sampled_from([None, *KINDS]), group=st.sampled_from([None, GROUP]))
    def clear(self, kind: str | None, group: str | None) -> None:
        cleared = self.world.do(self.world.producer.clear(kind=kind, group=group))

        assert (cleared.waiting, cleared.paused) == self.model.clear(kind, group)

    @rule(paused=st.booleans())
    def pause_group(self, paused: bool) -> None:
        """Maintenance goes on with it at once: what is on its way is for the tests of races."""
        change, new = self._change(paused, GROUP in self.model.paused_groups, self.model.pause_group, self.model.resume_group)
        switch = self.world.producer.pause_group if paused else self.world.producer.resume_group

        assert self.world.do(switch(GROUP)) == new
        while self.world.do(self.world.scene.maintenance.carry_out_requests(due_seconds=0, limit=2)).more:
            continue
        self.world.do(self.world.scene.maintenance.carry_out_requests(due_seconds=0, limit=100))
        change(GROUP)

    @rule(kind=st.sampled_from(KINDS), paused=st.booleans())
    def pause_kind(self, kind: str, paused: bool) -> None:
        new = (kind in self.model.paused_kinds) != paused
        switch = self.world.producer.pause_kind if paused else self.world.producer.resume_kind

        assert self.world.do(switch(kind)) == new
        if not paused and new:
            self.model.resumed_at[kind] = self.model.now
        self.model.paused_kinds = self.model.paused_kinds | {kind} if paused else self.model.paused_kinds - {kind}

    @rule(paused=st.sampled_from([False, False, True]))
    def pause_queue(self, paused: bool) -> None:
        new = self.model.queue_paused != paused
        switch = self.world.producer.pause_queue if paused else self.world.producer.resume_queue

        assert self.world.do(switch()) == new
        if not paused and new:
            self.model.resumed_at[None] = self.model.now
        self.model.queue_paused = paused

    def _change(
        self, paused: bool, before: bool, pause: Callable[[str], None], resume: Callable[[str], None]
    ) -> tuple[Callable[[str], None], bool]:
        return (pause if paused else resume), before != paused

    def _task(self, data: st.DataObject, *states: str) -> int:
        """Some task, one in these states if there is any."""
        wanted = [id_ for id_, task in self.model.tasks.items() if task.state in states]
        return data.draw(st.sampled_from(wanted or list(self.model.tasks)), label="task")
