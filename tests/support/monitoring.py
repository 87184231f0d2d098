"""A real Pushgateway and a real Prometheus that scrapes it, both on loopback; Debian packages prometheus-pushgateway and prometheus."""

import json
import shutil
import socket
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Processes
from tests.support.waiting import wait_until

CONFIGURATION = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
  - job_name: pushgateway
    honor_labels: true
    static_configs: [{{targets: ["{gateway}"]}}]
"""


def program(name: str) -> str:
    """The path of a program; skips the test without it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} here: install Debian's package of that name")
    return found


def fetched(url: str) -> str:
    """What an HTTP server answers."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read(), "utf-8")


class RealGateway:
    """A running Pushgateway."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.url = f"http://{address}"

    def groups(self) -> Sequence[Mapping[str, str]]:
        """The labels of every group that it holds."""
        return [group["labels"] for group in json.loads(fetched(f"{self.url}/api/v1/metrics"))["data"]]


class RealPrometheus:
    """A running Prometheus."""

    def __init__(self, address: str) -> None:
        self.url = f"http://{address}"

    def query(self, expression: str) -> Sequence[Mapping[str, Any]]:
        """The series that an expression yields now: `metric` and `value`."""
        question = urllib.parse.urlencode({"query": expression})
        result: Sequence[Mapping[str, Any]] = json.loads(fetched(f"{self.url}/api/v1/query?{question}"))["data"]["result"]
        return result


@pytest.fixture
def real_gateway(processes: Processes) -> RealGateway:
    """A Pushgateway of this test's own."""
    address = _free_address()
    processes.start([program("prometheus-pushgateway"), f"--web.listen-address={address}"])
    _wait_for(lambda: fetched(f"http://{address}/-/ready"))
    return RealGateway(address)


@pytest.fixture
def real_prometheus(processes: Processes, real_gateway: RealGateway, tmp_path: Path) -> RealPrometheus:
    """A Prometheus that scrapes the Pushgateway every 200 ms."""
    address, configuration = _free_address(), tmp_path / "prometheus.yml"
    configuration.write_text(CONFIGURATION.format(gateway=real_gateway.address), encoding="utf-8")
    options = [f"--config.file={configuration}", f"--storage.tsdb.path={tmp_path / 'series'}", f"--web.listen-address={address}"]
    processes.start([program("prometheus"), *options])
    _wait_for(lambda: fetched(f"http://{address}/-/ready"))
    return RealPrometheus(address)


def _free_address() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def _wait_for(question: Callable[[], str]) -> None:
    def answers() -> bool:
        try:
            return bool(question())
        except OSError:
            return False

    wait_until(answers, within=30.0)
