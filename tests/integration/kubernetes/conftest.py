"""Tests against a real control plane; the root conftest keeps them in one process, so that it is started once."""

import pytest

from tests.cluster import programs
from tests.cluster.fixtures import api, cluster, control_plane, kubeconfig, namespace

__all__ = ["api", "cluster", "control_plane", "kubeconfig", "namespace"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test may have to build the control plane: five to seven minutes, once."""
    if programs.find() is None:
        for item in items:
            item.add_marker(pytest.mark.timeout(1800))
