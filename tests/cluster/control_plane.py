"""A real Kubernetes control plane in processes: etcd, API server, controllers and scheduler, on loopback, ended with their parent.

Nodes and pods are played by `kubelet.py`. Nothing here runs a container, and no invented address is ever connected to.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from taskfleet.embedded import launcher

START_SECONDS = 90.0
"""Longest wait for one step of the start; three seconds are usual, a busy machine takes longer."""
CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
)


class ControlPlaneError(Exception):
    """A program of the control plane did not come up; the message holds the end of its log."""


class ControlPlane:
    """One cluster without a machine in it.

    `crds` are applied before the controllers start: the garbage collector looks for new kinds of owners only every 30 s.
    """

    def __init__(self, programs: Path, *, crds: Sequence[Path] = (), nodes: int = 3) -> None:
        self._programs = programs
        self._crds = crds
        self._nodes = nodes
        self._folder = Path()
        self.token = secrets.token_urlsafe(24)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.url = ""

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig whose user may do everything."""
        return self._folder / "kubeconfig"

    @property
    def ca_file(self) -> Path:
        """The certificate that the API server can be checked against."""
        return self._folder / "certificates" / "apiserver.crt"

    @property
    def kubectl(self) -> Path:
        """The kubectl of the same version."""
        return self._programs / "kubectl"

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="control-plane-"))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End every program and remove every file. Nothing is worth a graceful end: the data goes with the folder."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()
        self._processes.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def write_kubeconfig(self, path: Path, *, token: str, namespace: str = "default") -> Path:
        """Write a kubeconfig for the bearer of a token."""
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": str(self.ca_file)}}],
                    "users": [{"name": "test", "user": {"token": token}}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
                    "current-context": "test",
                }
            )
        )
        path.chmod(0o600)
        return path

    def pause_api_server(self) -> None:
        """Freeze the API server: connections stay open, nothing answers."""
        self._processes["kube-apiserver"].send_signal(signal.SIGSTOP)

    def resume_api_server(self) -> None:
        """Let a frozen API server go on."""
        self._processes["kube-apiserver"].send_signal(signal.SIGCONT)

    def _start(self) -> None:
        etcd_port, api_port = _free_ports(2)
        self.url = f"https://127.0.0.1:{api_port}"
        etcd_url = f"http://127.0.0.1:{etcd_port}"
        (self._folder / "tokens.csv").write_text(f'{self.token},test-admin,test-admin,"system:masters"\n')
        self._run("etcd", *_etcd_flags(self._folder, etcd_url))
        self._run("kube-apiserver", *_api_server_flags(self._folder, etcd_url, api_port))
        self._wait_until_ready()
        self.write_kubeconfig(self.kubeconfig, token=self.token)
        for crd in self._crds:
            self.run_kubectl("apply", "--server-side", "-f", str(crd))
        shared = ("--kubeconfig", str(self.kubeconfig), "--leader-elect=false", "--secure-port=0", "--profiling=false")
        limits = ("--kube-api-qps=500", "--kube-api-burst=1000")
        self._run("kube-controller-manager", *shared, *limits, "--controllers", ",".join(CONTROLLERS))
        self._run("kube-scheduler", *shared, *limits)
        self._run("kubelet", self.url, str(self.ca_file), str(self._nodes), program=[sys.executable, "-m", "tests.cluster.kubelet"])
        self.run_kubectl("wait", "--for=create", "serviceaccount/default", f"--timeout={START_SECONDS:g}s")

    def run_kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as the administrator; raises CalledProcessError (with its stderr) when it fails."""
        done = subprocess.run(
            [self.kubectl, "--kubeconfig", self.kubeconfig, *arguments], check=False, capture_output=True, text=True, input=stdin
        )
        if done.returncode != 0:
            error = subprocess.CalledProcessError(done.returncode, ["kubectl", *arguments], done.stdout, done.stderr)
            error.add_note(done.stderr)
            raise error
        return done.stdout

    def _run(self, name: str, *arguments: str, program: Sequence[str] = ()) -> None:
        command = [*(program or [str(self._programs / name)]), *arguments]
        # The launcher asks the kernel to end the program with us, however we end.
        executable = shutil.which(command[0]) or command[0]
        launched = [sys.executable, "-I", "-S", launcher.__file__, str(os.getpid()), "-1", "-1", str(int(signal.SIGKILL)), executable]
        with self._log(name).open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [*launched, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "TEST_CLUSTER_TOKEN": self.token},
            )

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    message = f"{name} ended with {process.returncode}:\n{self._log(name).read_text()[-2000:]}"
                    raise ControlPlaneError(message)
            if time.monotonic() > deadline:
                message = f"the API server is not ready after {START_SECONDS:g} s:\n{self._log('kube-apiserver').read_text()[-2000:]}"
                raise ControlPlaneError(message)
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            trust = ssl.create_default_context(cafile=self.ca_file)
            request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self.token}"})
            with urllib.request.urlopen(request, context=trust, timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def _etcd_flags(folder: Path, url: str) -> tuple[str, ...]:
    return (
        f"--data-dir={folder / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        "--listen-peer-urls=http://127.0.0.1:0",
    )


def _api_server_flags(folder: Path, etcd_url: str, port: int) -> tuple[str, ...]:
    certificates = folder / "certificates"
    return (
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={certificates}",  # it makes its own certificate there
        "--service-account-issuer=https://kubernetes.default.svc",
        # The key of that certificate is as good as another for a cluster that lives for minutes.
        f"--service-account-key-file={certificates / 'apiserver.key'}",
        f"--service-account-signing-key-file={certificates / 'apiserver.key'}",
        "--service-cluster-ip-range=192.0.2.0/24",  # documentation addresses: nobody has them
        "--endpoint-reconciler-type=none",
        "--authorization-mode=RBAC",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--enable-priority-and-fairness=false",
        "--profiling=false",
    )


def _free_ports(count: int) -> list[int]:
    """Find free ports; all are held until the last is found, so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
