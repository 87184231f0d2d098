"""Real processes, but shells instead of workers."""

import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest

from taskfleet_operator.errors import WorkerStartError
from taskfleet_operator.local import crew as crew_module
from taskfleet_operator.local.crew import Crew
from taskfleet_operator.local.launch import Launch
from taskfleet_operator.local.restarts import Restarts
from taskfleet_operator.loop.fleet import FleetState, ScaleOrder
from tests.support.waiting import wait_until

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def launch(script: str = "trap 'exit 0' TERM; while :; do sleep 0.05; done", *, grace: float = 5, colour: str = "green") -> Launch:
    return Launch(command=("sh", "-c", script), environment={"COLOUR": colour}, folder=None, grace_seconds=grace)


FOREVER = launch()


@pytest.fixture
def shown() -> list[bytes]:
    return []


@pytest.fixture
def crew(shown: list[bytes]) -> Iterator[Crew]:
    made = Crew("naps", restarts=Restarts(first_seconds=0.05, longest_seconds=0.4), show=shown.append, environment=ENVIRONMENT)
    yield made
    made.kill()
    wait_until(lambda: ended(made))


def ended(crew: Crew) -> bool:
    crew.reap()
    return crew.empty


def order(replicas: int, *, leave: tuple[str, ...] = (), serving: frozenset[str] | None = None) -> ScaleOrder:
    return ScaleOrder(replicas=replicas, leave=leave, serving=serving)


def pods(state: FleetState) -> list[str]:
    return [worker.pod for worker in state.workers]


def test_missing_workers_are_started_and_the_same_order_changes_nothing(crew: Crew) -> None:
    crew.scale(FOREVER, order(3))
    first = crew.state(FOREVER)
    crew.scale(FOREVER, order(3))

    assert (first.replicas, first.held, first.ready, first.rollout, first.problem) == (3, 3, 3, False, None)
    assert pods(crew.state(FOREVER)) == pods(first)


def test_only_those_who_may_leave_are_told_to_end(crew: Crew) -> None:
    crew.scale(FOREVER, order(3))
    keep, go, other = pods(crew.state(FOREVER))

    gone = crew.scale(FOREVER, order(2, leave=(go, "unknown")))
    state = crew.state(FOREVER)
    wait_until(lambda: crew.state(FOREVER).held == 2)

    assert [worker.leaving for worker in state.workers if worker.pod == go] in ([True], [])
    assert gone[0].endswith("-2")
    assert pods(crew.state(FOREVER)) == [keep, other]


def test_surplus_among_those_that_have_not_started_goes_youngest_first_and_nobody_else(crew: Crew) -> None:
    crew.scale(FOREVER, order(3))
    first, second, _ = pods(crew.state(FOREVER))

    crew.scale(FOREVER, order(2, serving=frozenset({first})))
    crew.scale(FOREVER, order(0))
    wait_until(lambda: crew.state(FOREVER).held == 2)

    assert pods(crew.state(FOREVER)) == [first, second]


def test_worker_that_ends_is_replaced_after_a_pause_and_its_last_words_are_told(crew: Crew, shown: list[bytes]) -> None:
    broken = launch("echo no such module >&2; exit 3")
    crew.scale(broken, order(3))
    wait_until(lambda: not crew.state(broken).held)
    problem = str(crew.state(broken).problem)

    assert problem.startswith("worker naps-")
    assert "ended with code 3 after 0." in problem
    assert problem.endswith("its last words:\nno such module")
    assert b"".join(shown) == b"no such module\n" * 3


def test_after_a_crash_one_goes_ahead_and_the_others_follow_when_it_has_proved_itself(crew: Crew, tmp_path: Path) -> None:
    fixed = tmp_path / "fixed"
    script = launch(f"[ -e {fixed} ] || exit 1; trap 'exit 0' TERM; while :; do sleep 0.05; done")
    crew.scale(script, order(3))
    wait_until(lambda: crew.state(script).problem and crew.state(script).held == 0)
    fixed.touch()
    # Not before the test says so has it proved itself, however long the machine takes from one look to the next.
    with patch.object(crew_module, "PROVEN_SECONDS", 3600):
        wait_until(lambda: crew.scale(script, order(3)) is not None and crew.state(script).held == 1)
        crew.scale(script, order(3))
        assert crew.state(script).held == 1
    with patch.object(crew_module, "PROVEN_SECONDS", 0.0):
        wait_until(lambda: crew.scale(script, order(3)) is not None and crew.state(script).held == 3)

    assert crew.state(script).problem is None


def test_worker_whose_session_was_seen_has_proved_itself(crew: Crew, tmp_path: Path) -> None:
    fixed = tmp_path / "fixed"
    script = launch(f"[ -e {fixed} ] || exit 1; trap 'exit 0' TERM; while :; do sleep 0.05; done")
    crew.scale(script, order(3))
    wait_until(lambda: crew.state(script).problem and not crew.state(script).held)
    fixed.touch()
    wait_until(lambda: crew.scale(script, order(3)) is not None and crew.state(script).held == 1)
    crew.scale(script, order(3, serving=frozenset(pods(crew.state(script)))))
    cleared = crew.state(script)
    crew.scale(script, order(3))

    assert cleared.problem is None
    assert crew.state(script).held == 3


def test_killed_worker_is_told_with_its_signal(crew: Crew) -> None:
    script = launch("kill -9 $$")
    crew.scale(script, order(1))

    problem = wait_until(lambda: crew.state(script).problem)

    assert f"was ended by signal {signal.SIGKILL.value}" in str(problem)


def test_problem_of_a_queue_that_wants_no_workers_is_none(crew: Crew) -> None:
    script = launch("exit 1")
    crew.scale(script, order(1))
    wait_until(lambda: crew.state(script).problem)
    crew.scale(script, order(0))

    assert crew.state(script).problem is None


def test_changed_command_replaces_workers_bit_by_bit(crew: Crew) -> None:
    blue = launch(colour="blue")
    crew.scale(FOREVER, order(4))
    before = set(pods(crew.state(FOREVER)))
    seen: list[int] = []

    def replaced() -> bool:
        state = crew.state(blue)
        seen.append(sum(1 for worker in state.workers if not worker.leaving))
        crew.scale(blue, order(4))
        return not before & set(pods(state)) and state.ready == 4

    with patch.object(crew_module, "PROVEN_SECONDS", 0.1):
        wait_until(replaced, within=30)

    assert min(seen) >= 3
    assert max(seen) <= 4
    assert crew.state(blue).rollout is False


def test_changed_command_that_does_not_run_takes_down_one_worker_only(crew: Crew) -> None:
    crew.scale(FOREVER, order(3))
    broken = launch("exit 1")
    with patch.object(crew_module, "PROVEN_SECONDS", 1.5):
        wait_until(lambda: crew.scale(broken, order(3)) is not None and crew.state(broken).problem)
        for _ in range(20):
            crew.scale(broken, order(3))

    assert crew.state(broken).ready >= 2


def test_worker_that_outstays_its_grace_is_killed(crew: Crew) -> None:
    stubborn = launch("trap '' TERM; while :; do sleep 0.05; done", grace=0.1)
    crew.scale(stubborn, order(1))
    wait_until(lambda: crew.state(stubborn).held == 1)
    with patch.object(crew_module, "KILL_AFTER_SECONDS", 0.1):
        crew.let_go()
        wait_until(lambda: ended(crew))

    assert crew.empty


def test_what_a_worker_left_behind_ends_with_it(crew: Crew, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    leaves = launch(f"sleep 60 & echo $! > {note}.draft; mv {note}.draft {note}; exit 0")
    crew.scale(leaves, order(1))
    wait_until(lambda: ended(crew))
    left = int(note.read_text())

    wait_until(lambda: not alive(left))


def alive(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_folder_that_is_not_there_is_told(crew: Crew, tmp_path: Path) -> None:
    nowhere = Launch(command=("sh",), environment={}, folder=str(tmp_path / "nowhere"), grace_seconds=1)

    with pytest.raises(WorkerStartError, match="could not be started: sh: No such file or directory"):
        crew.scale(nowhere, order(1))
