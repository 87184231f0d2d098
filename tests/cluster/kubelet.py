"""Plays every node of the test cluster: pods that were scheduled come up, pods that are deleted go. Runs no container.

    TEST_CLUSTER_TOKEN=… python -m tests.cluster.kubelet URL CA_FILE NODES

A pod's annotations say how it behaves; they may be changed while it runs:

    test.taskfleet.dev/start-seconds   from being scheduled to running, 0.2 by default; `never` leaves it pending
    test.taskfleet.dev/ready           `false`: it runs, but is not ready
    test.taskfleet.dev/stop-seconds    from its deletion to its end, 0.2 by default; `never` leaves it terminating
"""

import asyncio
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from tests.cluster.api import STRATEGIC, Api, ApiError

PREFIX = "test.taskfleet.dev/"
DEFAULT_SECONDS = "0.2"


class Kubelet:
    """All nodes in one loop: one task a pod that has something to wait for."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        """By pod uid and what is done with it, so that it is done once."""

    async def run(self) -> None:
        """Follow all pods for ever; a stream that ends is opened anew."""
        while True:
            with suppress(aiohttp.ClientError, ApiError, TimeoutError):
                await self._follow()
            await asyncio.sleep(0.2)

    async def _follow(self) -> None:
        listed = await self._api.get("/api/v1/pods")
        for pod in listed["items"]:
            self._see(pod)
        async for event in self._api.watch("/api/v1/pods", resourceVersion=listed["metadata"]["resourceVersion"]):
            if event["type"] == "ERROR":
                return
            if event["type"] != "DELETED":
                self._see(event["object"])

    def _see(self, pod: dict[str, Any]) -> None:
        if "nodeName" not in pod["spec"]:
            return
        if "deletionTimestamp" in pod["metadata"]:
            self._once("stop", pod)
        elif pod.get("status", {}).get("phase", "Pending") == "Pending":
            self._once("start", pod)
        elif pod["status"]["phase"] == "Running" and _is_ready(pod) != _wants_ready(pod):
            self._once(f"ready-{_wants_ready(pod)}-{pod['metadata']['resourceVersion']}", pod)

    def _once(self, what: str, pod: dict[str, Any]) -> None:
        key = (pod["metadata"]["uid"], what)
        if _annotation(pod, f"{what}-seconds") == "never" or key in self._tasks:
            return
        act = self._stop(pod) if what == "stop" else self._start(pod) if what == "start" else self._write_status(pod)
        task = asyncio.create_task(act)
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _start(self, pod: dict[str, Any]) -> None:
        await asyncio.sleep(float(_annotation(pod, "start-seconds")))
        await self._write_status(pod)

    async def _stop(self, pod: dict[str, Any]) -> None:
        await asyncio.sleep(float(_annotation(pod, "stop-seconds")))
        with suppress(ApiError):
            await self._api.delete(_path(pod), {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}})

    async def _write_status(self, pod: dict[str, Any]) -> None:
        with suppress(ApiError):  # 404: it went meanwhile
            await self._api.patch(f"{_path(pod)}/status", {"status": _running_status(pod)}, content_type=STRATEGIC)


async def create_nodes(api: Api, count: int) -> None:
    """Make nodes that are ready and have room; nobody runs the node lifecycle controller, so they stay that way."""
    room = {"cpu": "64", "memory": "256Gi", "pods": "500"}
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Played",
        "message": "",
        "lastTransitionTime": _now(),
        "lastHeartbeatTime": _now(),
    }
    for number in range(1, count + 1):
        name = f"node-{number}"
        await api.post("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        await api.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": None}})  # admission taints every new node not-ready
        status = {"capacity": room, "allocatable": room, "conditions": [ready]}
        await api.patch(f"/api/v1/nodes/{name}/status", {"status": status})


def _running_status(pod: dict[str, Any]) -> dict[str, Any]:
    """A running pod's status, without an address: nobody shall ever connect to it."""
    now, ready = _now(), _wants_ready(pod)
    truth = {"Initialized": True, "PodScheduled": True, "ContainersReady": ready, "Ready": ready}
    return {
        "phase": "Running",
        "startTime": now,
        "conditions": [{"type": each, "status": str(is_true), "lastTransitionTime": now} for each, is_true in truth.items()],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "restartCount": 0,
                "ready": ready,
                "started": True,
                "state": {"running": {"startedAt": now}},
            }
            for container in pod["spec"]["containers"]
        ],
    }


def _is_ready(pod: dict[str, Any]) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def _wants_ready(pod: dict[str, Any]) -> bool:
    return _annotation(pod, "ready") != "false"


def _annotation(pod: dict[str, Any], name: str) -> str:
    return str(pod["metadata"].get("annotations", {}).get(PREFIX + name, DEFAULT_SECONDS))


def _path(pod: dict[str, Any]) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def main(url: str, ca_file: str, nodes: str) -> None:
    """Make the nodes, then play them for ever."""
    async with Api(url, ca_file=Path(ca_file), token=os.environ["TEST_CLUSTER_TOKEN"]) as api:
        await create_nodes(api, int(nodes))
        await Kubelet(api).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
