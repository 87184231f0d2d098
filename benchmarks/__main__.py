"""Runs every benchmark, each in a process of its own, with the options given here."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__)


def benchmarks() -> Sequence[str]:
    """The modules beside this one that can be run, in the order of the alphabet."""
    beside = (path for path in HERE.parent.glob("*.py") if path != HERE)
    return sorted(path.stem for path in beside if '__name__ == "__main__"' in path.read_text())


def main() -> int:
    """1 if any of them failed."""
    codes = [subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]], check=False).returncode for name in benchmarks()]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
