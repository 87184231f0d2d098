"""Runs every benchmark, each in a process of its own, with the options given here."""

import pkgutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NOT_BENCHMARKS = {"__main__", "frame"}


def benchmarks() -> Sequence[str]:
    """Their names, in the order of the alphabet."""
    return [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if module.name not in NOT_BENCHMARKS]


def main() -> int:
    """1 if any of them failed."""
    codes = [subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]], check=False).returncode for name in benchmarks()]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
