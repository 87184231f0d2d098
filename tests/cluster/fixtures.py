"""Fixtures around the control plane: started once a session, a fresh namespace for every test."""

import json
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from taskfleet_operator.cluster import Cluster
from tests.cluster.api import Api
from tests.cluster.control_plane import ControlPlane
from tests.cluster.programs import ProgramsMissingError, find_or_build

ROOT = Path(__file__).parents[2]
CRDS = sorted((ROOT / "deploy" / "crds").glob("*.yaml"))


@dataclass(frozen=True)
class Namespace:
    """A namespace of the test's own, and kubectl in it."""

    name: str
    control_plane: ControlPlane

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl in this namespace; raises CalledProcessError when it fails."""
        return self.control_plane.run_kubectl("--namespace", self.name, *arguments, stdin=stdin)

    def apply(self, *manifests: Mapping[str, object] | str) -> str:
        """`kubectl apply` manifests, as dicts or as YAML."""
        documents = [each if isinstance(each, str) else json.dumps(each) for each in manifests]
        return self.kubectl("apply", "-f", "-", stdin="\n---\n".join(documents))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Read one object."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def list(self, kind: str, *arguments: str) -> Sequence[dict[str, Any]]:
        """Read all objects of a kind in this namespace."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, *arguments, "-o", "json"))
        return tuple(found["items"])


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A control plane with the project's own custom resource."""
    try:
        programs = find_or_build()
    except ProgramsMissingError as error:
        pytest.skip(str(error))
    with ControlPlane(programs, crds=CRDS) as started:
        yield started


@pytest.fixture
def kubeconfig(control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The administrator's kubeconfig, also in $KUBECONFIG."""
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    return control_plane.kubeconfig


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[Namespace]:
    """A fresh namespace; it is deleted afterwards without waiting for it."""
    name = f"test-{secrets.token_hex(4)}"
    control_plane.run_kubectl("create", "namespace", name)
    yield Namespace(name, control_plane)
    control_plane.run_kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
async def cluster(kubeconfig: Path) -> AsyncIterator[Cluster]:
    """The product's own client, as the administrator."""
    async with await Cluster.connect() as connected:
        yield connected


@pytest.fixture
async def api(control_plane: ControlPlane) -> AsyncIterator[Api]:
    """Plain requests, as the administrator."""
    async with Api(control_plane.url, ca_file=control_plane.ca_file, token=control_plane.token) as opened:
        yield opened
