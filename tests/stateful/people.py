"""What people do to tasks."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.stateful.model import Model
from tests.stateful.world import World


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

    def _task(self, data: st.DataObject, *states: str) -> int:
        """Some task, one in these states if there is any."""
        wanted = [id_ for id_, task in self.model.tasks.items() if task.state in states]
        return data.draw(st.sampled_from(wanted or list(self.model.tasks)), label="task")
