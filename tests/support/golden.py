"""Golden files: what a thing looked like when a person last read it. `make golden` writes them anew, to be read in the diff."""

import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden"


def assert_golden(name: str, actual: str) -> None:
    """Compare with tests/golden/NAME; with UPDATE_GOLDEN=1 write it instead."""
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(actual)
    assert path.exists(), f"{path} is not there yet: run `make golden` and read what it wrote"
    assert actual == path.read_text(), f"{path} differs: run `make golden` and read the diff"
