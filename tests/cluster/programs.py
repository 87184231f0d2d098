"""Where the programs of the control plane are: $KUBEBUILDER_ASSETS, else the cache folder, else built by Go into it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
_HERE = Path(__file__).parent


class ProgramsMissingError(Exception):
    """The programs are not here and cannot be built; the message says what to install."""


def find() -> Path | None:
    """Find the folder that holds all programs, without building anything."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    candidates = ([Path(assets)] if assets else []) + [_built()]
    return next((folder for folder in candidates if all(os.access(folder / name, os.X_OK) for name in PROGRAMS)), None)


def find_or_build() -> Path:
    """Find the folder that holds all programs; the first time Go builds them, which takes some minutes."""
    found = find()
    if found is not None:
        return found
    if shutil.which("go") is None:
        message = (
            f"no Kubernetes control plane: neither $KUBEBUILDER_ASSETS nor {_built()} holds {', '.join(PROGRAMS)}, and there is no Go "
            "to build them; install Go 1.26 or newer and run tests/cluster/control-plane"
        )
        raise ProgramsMissingError(message)
    built = subprocess.run([_HERE / "control-plane"], check=False, capture_output=True, text=True)
    if built.returncode != 0:
        message = f"the Kubernetes control plane could not be built:\n{built.stderr[-2000:]}"
        raise ProgramsMissingError(message)
    return Path(built.stdout.strip())


def cache() -> Path:
    """Where programs are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taskfleet"


def _built() -> Path:
    version = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (_HERE / "kubernetes" / "go.mod").read_text(), re.MULTILINE)
    assert version is not None
    return cache() / "kubernetes" / version[1]
