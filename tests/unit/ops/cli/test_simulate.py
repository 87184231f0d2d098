"""`taskfleet simulate`: a small history, played under several controllers; no database anywhere."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from taskfleet_operator.simulation.downstream import Saturating
from taskfleet_operator.simulation.tasks import SimulatedTask, Workload
from taskfleet_ops import pictures
from taskfleet_ops.services import loads, shared_cap, simulation
from taskfleet_ops.services.loads import Load
from tests.support.command_line import CommandLine

PNG = b"\x89PNG\r\n"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """200 tasks of two seconds within ten minutes."""
    path = tmp_path / "monday.csv"
    path.write_text("arrival,service\n" + "".join(f"{3 * number},2\n" for number in range(200)))
    return path


def test_a_history_is_played_under_each_controller(taskfleet: CommandLine, history: Path) -> None:
    answer = taskfleet("simulate", "--trace", str(history), "-c", "taskfleet, keda,fixed:3,keda", "--seeds", "2", "--goal", "30")
    lines = answer.out.splitlines()

    assert [line.split()[0] for line in lines[:4]] == ["CONTROLLER", "taskfleet", "keda", "fixed:3"]
    assert lines[-1].startswith(
        "monday: 200 tasks that should start within 30 s; at most 100 pods of 1 slot that start in 10 to 20 s; nobody"
    )
    assert lines[-1].endswith(" pod-seconds; means of 2 runs")


def test_json_says_everything(taskfleet: CommandLine, history: Path, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    options = ("--max-replicas", "7", "--concurrency", "2", "--startup", "1-3", "--seeds", "1", "--json", str(file))
    answer = taskfleet("simulate", "--trace", str(history), "-c", "taskfleet", *options, "-o", "json")
    row = answer.json["rows"][0]

    assert answer.json == json.loads(file.read_text())
    assert (answer.json["max_pods"], answer.json["slots"], answer.json["startup_seconds"]) == (7, 2, [1.0, 3.0])
    assert (row["late_percent"], row["killed"], row["calls_per_task"]) == (0.0, 0.0, 1.0)
    assert row["about"] == "taskfleet's law, told the goal only"


def test_the_same_command_gives_the_same_answer(taskfleet: CommandLine, history: Path) -> None:
    command = ("simulate", "--trace", str(history), "-c", "keda", "--seeds", "1", "--startup", "5", "-o", "json")

    assert taskfleet(*command).out == taskfleet(*command).out


def test_a_picture_is_drawn_and_drawn_alike(taskfleet: CommandLine, history: Path, tmp_path: Path) -> None:
    command = ("simulate", "--trace", str(history), "-c", "taskfleet", "--seeds", "1", "--plot")
    one, two, png = tmp_path / "one.svg", tmp_path / "two.svg", tmp_path / "one.png"
    for path in (one, two, png):
        assert taskfleet(*command, str(path)).code == 0

    assert one.read_bytes() == two.read_bytes()
    assert ET.parse(one).getroot().tag.endswith("svg")
    assert png.read_bytes().startswith(PNG)


def test_a_made_load_has_a_name(taskfleet: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "LOADS", {"bursty": Load(make=lambda random: small())})

    assert "small: 20 tasks" in taskfleet("simulate", "-c", "fixed:2").out


def test_a_story_brings_its_downstream_and_has_no_bound(taskfleet: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four at once are too many for something that carries two: they take twice as long, and nobody says a word."""
    batch = Workload(name="batch", tasks=(SimulatedTask(arrival=0.0, service=1.0),) * 20, max_wait_seconds=60, max_pods=4)
    made = {"saturation": Load(make=lambda _: batch, downstream=lambda: Saturating(capacity=2)), "step": Load(make=lambda _: batch)}
    for module in (simulation, loads):
        monkeypatch.setattr(module, "LOADS", made)
    options = ("-c", "fixed:4,plan", "--startup", "1", "--seeds", "1", "-o", "json")
    story, healthy = (taskfleet("simulate", "-w", name, *options).json for name in ("saturation", "step"))

    assert [row["controller"] for row in story["rows"]] == ["fixed:4"]
    assert story["bound_pod_seconds"] is None
    assert story["rows"][0]["pod_seconds"] > healthy["rows"][0]["pod_seconds"]


def test_queues_under_a_shared_cap_have_a_row_each_and_a_picture(
    taskfleet: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shared_cap, "PART", 40)
    picture = tmp_path / "shared.svg"
    answer = taskfleet("simulate", "-w", "shared", "--max-replicas", "9", "--seeds", "1", "--plot", str(picture), "-o", "json").json

    assert [row["controller"] for row in answer["rows"]] == ["taskfleet: first", "taskfleet: second", "taskfleet: third"]
    assert (answer["workload"], answer["tasks"], answer["max_pods"]) == ("shared", 450, 9)
    assert max(row["most_pods"] for row in answer["rows"]) <= 9
    assert "taskfleet: third" in picture.read_text()


def test_the_best_plan_found_stands_beside_the_others(taskfleet: CommandLine, history: Path) -> None:
    rows = taskfleet("simulate", "--trace", str(history), "-c", "taskfleet,plan", "--seeds", "2", "--goal", "60", "-o", "json").json["rows"]

    assert [row["controller"] for row in rows] == ["taskfleet", "plan"]
    assert rows[1]["late_percent"] == 0
    assert 1 <= rows[1]["of_the_bound"] < rows[0]["of_the_bound"]


def test_without_a_plan_there_is_no_row_for_it(taskfleet: CommandLine, history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "best_plan", lambda workload, *, seed: None)

    assert taskfleet("simulate", "--trace", str(history), "-c", "fixed:2,plan", "--seeds", "1", "-o", "name").out == "fixed:2\n"


def small() -> Workload:
    tasks = tuple(SimulatedTask(arrival=float(number), service=1.0) for number in range(20))
    return Workload(name="small", tasks=tasks, max_wait_seconds=60, max_pods=4)


def test_the_best_keda_setting_is_found_by_trying(taskfleet: CommandLine, history: Path) -> None:
    row = taskfleet("simulate", "--trace", str(history), "-c", "keda-best", "--seeds", "1", "-o", "json").json["rows"][0]

    assert row["about"].startswith("best of 24 settings, chosen with hindsight: ")


def test_names_only(taskfleet: CommandLine, history: Path) -> None:
    assert taskfleet("simulate", "--trace", str(history), "-c", "fixed:2", "--seeds", "1", "-o", "name").out == "fixed:2\n"


def test_all_means_every_controller() -> None:
    from taskfleet_ops.cli.simulate_terms import chosen_controllers

    assert chosen_controllers("all")[0] == "taskfleet"
    assert list(chosen_controllers("all")[-2:]) == ["keda-best", "plan"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--workload", "weekly"), "there is no workload 'weekly': one of step, daily, bursty, hourly, long, mixed, lanes, "),
        (("-w", "shared", "-c", "keda"), "--workload shared: only taskfleet shares a cap among queues; leave --controllers out"),
        (("-w", "shared", "-f", __file__), "--workload shared is several queues: leave --task-queue out"),
        (("--controllers", "hpa"), "there is no controller 'hpa': taskfleet, keda"),
        (("--controllers", ","), "--controllers names none"),
        (("--startup", "20-10"), "--startup '20-10' is no span of seconds: write it as 10-20, or as 15"),
        (("--startup", "soon"), "--startup 'soon' is no span of seconds"),
    ],
)
def test_what_makes_no_sense_is_refused(taskfleet: CommandLine, arguments: tuple[str, ...], says: str) -> None:
    answer = taskfleet("simulate", *arguments)

    assert answer.code == 2
    assert says in answer.err


def test_a_bad_trace_is_named(taskfleet: CommandLine, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("arrival,service\n1,never\n")
    missing = taskfleet("simulate", "--trace", str(tmp_path / "missing.csv"))

    assert taskfleet("simulate", "--trace", str(bad)).err == (
        f"taskfleet: the trace {bad}: line 2: service must be seconds, 0 or more, not 'never'\n"
    )
    assert (missing.code, "No such file" in missing.err) == (1, True)


def test_a_picture_needs_a_name_that_says_its_format(taskfleet: CommandLine) -> None:
    assert taskfleet("simulate", "--plot", "out.gif").err == "taskfleet: --plot out.gif: the name must end in .png or .svg\n"


def test_without_the_library_it_says_what_to_install(taskfleet: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda name: None)

    assert taskfleet("simulate", "--plot", "out.png").err == (
        "taskfleet: --plot needs matplotlib: install it with `pip install 'taskfleet-ops[simulate]'`\n"
    )


def test_a_picture_that_cannot_be_written_is_an_error(taskfleet: CommandLine, history: Path, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "out.png"
    answer = taskfleet("simulate", "--trace", str(history), "-c", "fixed:2", "--seeds", "1", "--plot", str(path))

    assert (answer.code, answer.err) == (1, f"taskfleet: --plot {path}: No such file or directory\n")


QUEUE = """
apiVersion: v1
kind: Secret
---
apiVersion: taskfleet.dev/v1alpha1
kind: TaskQueue
metadata: {name: monday}
spec:
  database: {secretRef: {name: d, key: uri}}
  goal: {maxWaitSeconds: 45}
  scaling: {minReplicas: 2, maxReplicas: 6}
  kinds: [{name: task, maxConcurrent: 3}]
  worker: {concurrency: 2, template: {spec: {containers: [{name: worker, image: i}]}}}
"""


def test_a_task_queue_says_goal_limits_and_quotas(taskfleet: CommandLine, history: Path, tmp_path: Path) -> None:
    file = tmp_path / "queue.yaml"
    file.write_text(QUEUE)
    answer = taskfleet("simulate", "--trace", str(history), "-f", str(file), "-c", "taskfleet,fixed:1", "--seeds", "1", "-o", "json").json
    narrowed = taskfleet("simulate", "--trace", str(history), "-f", str(file), "-c", "fixed:1", "--seeds", "1", "--goal", "9", "-o", "json")

    assert (answer["goal_seconds"], answer["max_pods"], answer["slots"]) == (45.0, 6, 2)
    assert [row["about"] for row in answer["rows"]] == ["our law, as the TaskQueue asks for", "1 pods all the time"]
    assert answer["rows"][0]["most_pods"] == 2
    assert narrowed.json["goal_seconds"] == 9.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: [", "the file {path}: while parsing"),
        ("kind: Deployment", "it holds 0 TaskQueues where one is wanted"),
        (f"{QUEUE}---{QUEUE.partition('---')[2]}", "it holds 2 TaskQueues where one is wanted"),
        (QUEUE.replace("maxReplicas: 6", "maxReplicas: many"), "spec.scaling.maxReplicas: found"),
    ],
)
def test_a_file_without_a_task_queue_is_refused(taskfleet: CommandLine, tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "queue.yaml"
    file.write_text(text)
    answer = taskfleet("simulate", "-f", str(file))

    assert answer.code == 1
    assert says.format(path=file) in answer.err


def test_costs_are_compared_with_the_lower_bound(taskfleet: CommandLine, history: Path) -> None:
    answer = taskfleet("simulate", "--trace", str(history), "-c", "taskfleet,fixed:3", "--seeds", "1", "-o", "json").json
    ours, fixed = answer["rows"]

    assert ours["of_the_bound"] == pytest.approx(ours["pod_seconds"] / answer["bound_pod_seconds"])
    assert 1 <= ours["of_the_bound"] < fixed["of_the_bound"]


def test_without_a_bound_the_column_is_a_dash(taskfleet: CommandLine, history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "lower_bound", lambda workload: None)

    assert taskfleet("simulate", "--trace", str(history), "-c", "fixed:3", "--seeds", "1").out.splitlines()[1].split()[2] == "–"
