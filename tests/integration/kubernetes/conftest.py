"""Tests against a real control plane; the root conftest keeps them in one process, so that it is started once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from taskfleet.store import Database
from taskfleet_operator.cluster import Cluster
from tests.chart.fixtures import helm, template
from tests.cluster import programs
from tests.cluster.api import Api
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fixtures import Namespace, api, cluster, control_plane, kubeconfig, namespace
from tests.cluster.operators import Operators, grant_what_the_chart_grants
from tests.integration.kubernetes.stage import Stage
from tests.support.processes import Processes

__all__ = ["api", "cluster", "control_plane", "helm", "kubeconfig", "namespace", "template"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test may have to build the control plane: five to seven minutes, once."""
    if programs.find() is None:
        for item in items:
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture
def operators(
    control_plane: ControlPlane, namespace: Namespace, template: Callable[..., str], processes: Processes, tmp_path: Path
) -> Operators:
    """Starts operators for the test's namespace, with the rights that the chart gives and no other."""
    token = grant_what_the_chart_grants(namespace, template)
    return Operators(namespace, processes, control_plane.write_kubeconfig(tmp_path / "operator-kubeconfig", token=token))


@pytest.fixture
def stage(operators: Operators, namespace: Namespace, api: Api, cluster: Cluster, database: Database, database_url: str) -> Stage:
    """A namespace with everything that a test of the operator needs."""
    return Stage(operators, namespace, api, cluster, database, database_url)
