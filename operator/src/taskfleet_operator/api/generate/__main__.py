"""Writes the CRD: `python -m taskfleet_operator.api.generate [--check] [FILE]`."""

import argparse
import sys
from pathlib import Path

from taskfleet_operator.api.generate.crd import crd_text

DEFAULT_FILE = Path("deploy/crds/taskqueues.taskfleet.dev.yaml")


def main(arguments: list[str] | None = None) -> int:
    """Write the file, or with --check say whether it is what the model makes; 1 when it is not."""
    parser = argparse.ArgumentParser(prog="python -m taskfleet_operator.api.generate", description="Generate the CRD out of the model.")
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT_FILE, help="where it goes (%(default)s)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is not up to date")
    chosen = parser.parse_args(arguments)
    wanted = crd_text()
    if not chosen.check:
        chosen.file.parent.mkdir(parents=True, exist_ok=True)
        chosen.file.write_text(wanted)
        return 0
    if chosen.file.is_file() and chosen.file.read_text() == wanted:
        return 0
    sys.stderr.write(f"{chosen.file} is not what the model makes: run `make generate` and commit the change\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
