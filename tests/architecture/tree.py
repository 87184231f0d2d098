"""The files of the project as they lie in the work tree, whether committed yet or not."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEMBERS = ("queue", "worker", "operator", "ops")
NOT_OURS = {"dist", "build", "htmlcov", "node_modules"}
"""Left behind by tools, beside everything that begins with a dot."""
HIDDEN_BUT_OURS = {".ci", ".importlinter", ".editorconfig", ".gitattributes", ".gitignore", ".dockerignore", ".helmignore"}
BINARY = {".png", ".ico", ".woff2", ".gz", ".tgz"}


def files(*folders: str, suffix: str = "") -> Iterator[Path]:
    """Every text file below the folders (all, if none are named) whose name ends with the suffix."""
    for folder in folders or (".",):
        for path in sorted((ROOT / folder).iterdir()) if (ROOT / folder).is_dir() else ():
            if is_ours(path.name) and path.is_dir() and not path.is_symlink():
                yield from files(str(path.relative_to(ROOT)), suffix=suffix)
            elif is_ours(path.name) and path.is_file() and path.name.endswith(suffix) and path.suffix not in BINARY:
                yield path


def is_ours(name: str) -> bool:
    """Whether a file or folder of this name belongs to the project."""
    if name.startswith("."):
        return name in HIDDEN_BUT_OURS
    return name not in NOT_OURS and name != "__pycache__" and not name.endswith((".egg-info", ".log", ".pyc"))


def python_files() -> Iterator[Path]:
    """Every Python file of members, tests, scripts and benchmarks."""
    return files(*MEMBERS, "tests", "scripts", "benchmarks", suffix=".py")


def shown(path: Path) -> str:
    """The path as people name it."""
    return path.relative_to(ROOT).as_posix()
