"""The story that the end-to-end test tells: work arrives, pods come, all is done, pods go; a pod dies, its task does not."""

import json
import time
from collections import Counter
from typing import Any

from tests.cluster.e2e.images import OPERATOR, ROOT
from tests.cluster.e2e.report import Report
from tests.cluster.e2e.stage import MANIFESTS, SYSTEM, WORK, wait_until
from tests.cluster.e2e.tools import E2eError, Tools

TASKS = 2_000
OPEN = ("ready", "scheduled", "running")
ENQUEUE = """
import taskfleet
from taskfleet import NewTask

def tasks():
    for number in range({tasks}):
        gone = number % 2 == 1
        yield NewTask(kind="fetch", payload={{"source": f"source-{{number}}", "gone": gone}}, entity=f"source-{{number}}" if gone else None)

with taskfleet.Producer(queue="sources") as producer:
    producer.enqueue_many(tasks())
"""


class Story:
    """Everything that happens in the cluster, in order."""

    def __init__(self, tools: Tools, report: Report) -> None:
        self._tools = tools
        self._report = report

    def apply_task_queue(self) -> None:
        """Apply the TaskQueue and see that an idle queue gets no worker."""
        with self._report.stage("TaskQueue applied and ready") as notes:
            console = (ROOT / "deploy" / "examples" / "console.yaml").read_text()
            console = console.replace("taskfleet-operator:0.1.0", OPERATOR).replace("value: greetings", "value: sources")
            self._tools.kubectl_in(WORK, "apply", "-f", "-", stdin=console)
            self._kubectl("apply", "-f", str(MANIFESTS / "task-queue.yaml"))
            self._kubectl("wait", "--for=condition=Ready", "taskqueue/sources", "--timeout=60s")
            self._kubectl("wait", "--for=condition=Ready", "pod/console", "--timeout=60s")
            notes.append(f"{self._workers()} workers")

    def drain_the_backlog(self) -> None:
        """Enqueue everything at once and see it done by pods that come and go."""
        begun = time.monotonic()
        self._in_console("python", "-c", ENQUEUE.format(tasks=TASKS))
        enqueued = time.monotonic() - begun
        self._report.add("tasks enqueued", enqueued, f"{TASKS:,}, half of them of gone sources")
        wait_until(lambda: self._ready_workers() > 0, within=120, what="a worker pod is ready")
        self._report.add("first pod ready", time.monotonic() - begun, "since the first task was enqueued")
        most = [0]

        def done() -> bool:
            most[0] = max(most[0], self._workers())
            return self._counts()["open"] == 0

        wait_until(done, within=240, what="all tasks are done")
        counts = self._counts()
        self._report.add("all tasks done", time.monotonic() - begun, f"{counts['succeeded']:,} succeeded, {counts['failed']:,} failed")
        half = TASKS // 2
        if (counts["succeeded"], counts["failed"]) != (half, half):
            message = f"expected {half} succeeded and {half} failed tasks, found {dict(counts)}"
            raise E2eError(message)
        wait_until(lambda: self._workers() == 0 and not self._pods(), within=300, what="back to zero workers")
        self._report.add("back to zero", time.monotonic() - begun, f"{most[0]} workers at most")

    def lose_a_pod(self) -> None:
        """Delete the pod that runs a task and see the task done elsewhere, once."""
        with self._report.stage("a pod deleted mid-task") as notes:
            payload = json.dumps({"source": "long", "seconds": 12})
            task = self._in_console("taskfleet", "tasks", "enqueue", "fetch", payload, "--output", "name").strip()
            wait_until(lambda: self._task(task)["state"] == "running", within=120, what=f"task {task} runs")
            victim = str(self._task(task)["worker"])
            self._kubectl("delete", "pod", victim, "--wait=false")
            wait_until(lambda: self._task(task)["state"] == "succeeded", within=120, what=f"task {task} is done elsewhere")
            logged = self._finished_by(task)
            if len(logged) != 1 or victim in logged:
                message = (
                    f"task {task} ran on {victim}, which was deleted; it must be done once elsewhere, and was done by {logged or 'nobody'}"
                )
                raise E2eError(message)
            notes.append(f"done once, by {logged[0]} instead of {victim}")
        with self._report.stage("back to zero again"):
            wait_until(lambda: not self._pods(), within=300, what="back to zero workers")

    def check_the_operator(self) -> None:
        """Fail when a loop of the operator has died and was started again: the story may go well all the same."""
        for line in self._tools.kubectl_in(SYSTEM, "logs", "deployment/taskfleet").splitlines():
            if '"loop.failed"' in line:
                message = f"a loop of the operator failed:\n{line[:2000]}"
                raise E2eError(message)

    def show(self) -> str:
        """Give what a person sees."""
        described = self._kubectl("describe", "taskqueue", "sources")
        return "\n".join((self._kubectl("get", "taskqueues", "-o", "wide"), described[described.index("Events:") :]))

    def _kubectl(self, *arguments: str) -> str:
        return self._tools.kubectl_in(WORK, *arguments)

    def _in_console(self, *command: str) -> str:
        return self._kubectl("exec", "console", "--", *command)

    def _workers(self) -> int:
        return int(self._task_queue().get("status", {}).get("replicas", 0))

    def _ready_workers(self) -> int:
        ready = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
        return self._kubectl("get", "pods", "--selector", "taskfleet.dev/queue", "-o", ready).split().count("True")

    def _task_queue(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._kubectl("get", "taskqueue", "sources", "-o", "json"))
        return found

    def _pods(self) -> list[str]:
        names = self._kubectl("get", "pods", "--selector", "taskfleet.dev/queue", "-o", "name").split()
        return [name.removeprefix("pod/") for name in names]

    def _counts(self) -> Counter[str]:
        """Tasks by state, and how many are still open."""
        stats = json.loads(self._in_console("taskfleet", "stats", "--output", "json"))
        counts = Counter({state: sum(kind[state] for kind in stats["kinds"]) for state in (*OPEN, "succeeded", "failed")})
        counts["open"] = sum(counts[state] for state in OPEN)
        return counts

    def _task(self, task: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._in_console("taskfleet", "tasks", "get", task, "--output", "json"))
        return found

    def _finished_by(self, task: str) -> list[str]:
        """Name the pods whose log says that they completed the task."""
        return [pod for pod in self._pods() if any(_completes(line, task) for line in self._kubectl("logs", pod).splitlines())]


def _completes(line: str, task: str) -> bool:
    try:
        said = json.loads(line)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("event") == "task.completed" and str(said.get("task_id")) == task
