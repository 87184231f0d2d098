"""Watching with scripted looks: what ends the watch, and what it does not survive."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import pytest

from taskfleet.words import Outcome
from taskfleet_ops.demo import watch as watching
from taskfleet_ops.demo.errors import DemoError
from taskfleet_ops.demo.glance import Glance, History
from taskfleet_ops.demo.story import Story
from taskfleet_ops.demo.watch import Watch


class Silent:
    """A view that remembers how often it was asked to show something."""

    def __init__(self) -> None:
        self.shown = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing."""

    def say(self, sentence: str) -> None:
        """Nothing."""

    def show(self, history: History) -> None:
        self.shown += 1


class Scripted(Watch):
    """Looks that were written down before; the last one repeats."""

    def __init__(self, looks: Sequence[Glance], *, story: Story) -> None:
        self._looks: Iterator[Glance] = iter(looks)
        self._story = story
        self.history = History()

    async def look(self) -> Glance:
        self.history.add(next(self._looks, self.history.latest))
        return self.history.latest


class Child:
    """The operator, as the watch sees it."""

    def require_running(self) -> None:
        """It runs."""

    def fault(self, what: str) -> DemoError:
        return DemoError(f"the operator {what}")


class DeadChild(Child):
    def require_running(self) -> None:
        raise self.fault("ended with exit code 1")


def at(*, finished: int = 0, waiting: int = 0, workers: int = 0) -> Glance:
    return Glance(seconds=0, waiting=waiting, workers=workers, outcomes={(Outcome.SUCCEEDED.value, ""): finished})


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(watching, "STALL_SECONDS", 0.05)
    monkeypatch.setattr(watching, "DECISION_SECONDS", 0.05)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        pytest.param(at(finished=2), True, id="all finished, no worker left"),
        pytest.param(at(finished=2, workers=1), False, id="a worker stays"),
        pytest.param(at(finished=1), False, id="a task is lost"),
        pytest.param(at(finished=1, waiting=1), False, id="a task waits for ever"),
    ],
)
async def test_it_ends_when_all_is_done_or_nothing_moves_any_more(last: Glance, expected: bool) -> None:
    view = Silent()
    watch = Scripted([at(waiting=2), at(finished=1, waiting=1, workers=1), last], story=Story(tasks=2))

    actual = await watch.until_over(view=view, children=[])

    assert actual is expected
    assert view.shown == len(watch.history.glances) >= 3


async def test_a_child_that_ends_by_itself_ends_the_watch() -> None:
    watch = Scripted([at(waiting=2)], story=Story(tasks=2))

    with pytest.raises(DemoError, match="the operator ended"):
        await watch.until_over(view=Silent(), children=[DeadChild()])
    with pytest.raises(DemoError, match="the operator ended"):
        await watch.until_decided(child=DeadChild())


async def test_an_operator_that_never_decides_is_not_waited_for_for_ever() -> None:
    watch = Scripted([at()], story=Story(tasks=2))

    with pytest.raises(DemoError, match=r"the operator decided nothing about queue episodes within 0\.05 s"):
        await watch.until_decided(child=Child())
