import sys

import yaml

from taskfleet_operator.api.reading import read_task_queue
from taskfleet_ops.demo.stage.task_queue import DOWNSTREAM_VARIABLE, task_queue_documents
from taskfleet_ops.demo.story import Story


def test_the_task_queue_asks_for_what_the_story_tells() -> None:
    documents = list(yaml.safe_load_all(task_queue_documents(Story(), database_url="postgresql://here", downstream="127.0.0.1:9")))
    spec = documents[0]["spec"]
    worker = spec["worker"]
    container = worker["template"]["spec"]["containers"][0]

    assert documents[1]["stringData"] == {"uri": "postgresql://here"}
    assert spec["database"]["secretRef"] == {"name": documents[1]["metadata"]["name"], "key": "uri"}
    assert spec["goal"] == {"maxWaitSeconds": 60}
    assert spec["scaling"]["maxReplicas"] == 8
    assert (spec["lanes"]["freshSeconds"], spec["expiry"]["waitingSeconds"]) == (604_800, 604_800)
    assert (worker["concurrency"], container["name"]) == (8, "worker")
    assert container["command"] == [sys.executable, "-m", "taskfleet_worker"]
    assert container["args"] == ["run", "--tasks", "taskfleet_ops.demo.tasks"]
    assert container["env"] == [{"name": DOWNSTREAM_VARIABLE, "value": "127.0.0.1:9"}]


def test_the_operators_model_takes_it_without_a_fault() -> None:
    documents = list(yaml.safe_load_all(task_queue_documents(Story(), database_url="postgresql://here", downstream="127.0.0.1:9")))

    queue = read_task_queue(documents[0], unknown_fields=False)

    assert queue.queue == "episodes"
