"""The programs of the end-to-end test: Docker, kind, Helm and kubectl, found or fetched, and run with their words kept."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.chart.helm import HelmMissingError, find_or_fetch
from tests.cluster import programs

KIND = "sigs.k8s.io/kind@v0.30.0"


class E2eError(Exception):
    """The test failed or cannot run; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Where the programs are, and the cluster that kubectl and Helm talk to."""

    kind: str
    helm: str
    kubectl: str
    kubeconfig: Path

    def run(self, *command: str | Path, stdin: str | None = None, timeout: float = 300) -> str:
        """Run a program and give what it printed; E2eError with its words when it fails."""
        line = [str(part) for part in command]
        try:
            done = subprocess.run(
                line, check=False, capture_output=True, text=True, input=stdin, timeout=timeout, env={**os.environ, **self.environment}
            )
        except subprocess.TimeoutExpired as error:
            message = f"`{' '.join(line)}` did not end within {timeout:g} s"
            raise E2eError(message) from error
        if done.returncode != 0:
            message = f"`{' '.join(line)}` failed with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
            raise E2eError(message)
        return done.stdout

    def kubectl_in(self, namespace: str, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl in a namespace."""
        return self.run(self.kubectl, "--namespace", namespace, *arguments, stdin=stdin)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the programs need beside our own environment."""
        return {"KUBECONFIG": str(self.kubeconfig)}


def find_tools(folder: Path) -> Tools:
    """Find everything; E2eError names what is missing and how to get it."""
    if shutil.which("docker") is None or subprocess.run(["docker", "version"], check=False, capture_output=True).returncode != 0:
        message = "no Docker daemon answers: install Docker and start it (docs/development.md)"
        raise E2eError(message)
    try:
        helm = str(find_or_fetch())
    except HelmMissingError as error:
        raise E2eError(str(error)) from error
    return Tools(kind=_kind(), helm=helm, kubectl=_kubectl(), kubeconfig=folder / "kubeconfig")


def _kind() -> str:
    cached = programs.cache() / "bin" / "kind"
    found = shutil.which("kind") or (str(cached) if cached.exists() else None)
    if found:
        return found
    if shutil.which("go") is None:
        message = "kind is neither on PATH nor in the cache, and there is no Go to install it: see https://kind.sigs.k8s.io"
        raise E2eError(message)
    sys.stderr.write(f"installing {KIND} into {cached.parent}\n")
    subprocess.run(
        ["go", "install", "-trimpath", KIND], check=True, env={**os.environ, "GOBIN": str(cached.parent), "GOFLAGS": ""}, cwd="/"
    )
    return str(cached)


def _kubectl() -> str:
    built = programs.find()
    if built is not None:
        return str(built / "kubectl")
    on_path = shutil.which("kubectl")
    if on_path is None:
        message = "kubectl is not on PATH: install it (https://kubernetes.io/docs/tasks/tools), or run tests/cluster/control-plane kubectl"
        raise E2eError(message)
    return on_path
