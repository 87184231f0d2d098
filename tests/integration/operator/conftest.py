from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.operator.stage import Stage
from tests.support.processes import Processes


@pytest.fixture
def stage(tmp_path: Path, processes: Processes) -> Iterator[Stage]:
    """A folder with handlers, and the means to run operators in it."""
    made = Stage(tmp_path, processes)
    yield made
    made.close()
