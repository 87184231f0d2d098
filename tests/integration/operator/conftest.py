from pathlib import Path

import pytest

from tests.integration.operator.stage import Stage
from tests.support.processes import Processes


@pytest.fixture
def stage(tmp_path: Path, processes: Processes) -> Stage:
    """A folder with handlers, and the means to run an operator in it."""
    return Stage(tmp_path, processes)
