from pathlib import Path

import pytest
import yaml

from taskfleet_operator.api.generate.__main__ import DEFAULT_FILE, main
from taskfleet_operator.api.generate.crd import crd_text

ROOT = Path(__file__).parents[4]


def test_committed_crd_is_what_the_model_makes() -> None:
    assert (ROOT / DEFAULT_FILE).read_text() == crd_text()


def test_check_tells_a_stale_file_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "crds" / "crd.yaml"
    missing = main(["--check", str(file)])
    written = main([str(file)])
    fresh = main(["--check", str(file)])

    assert (missing, written, fresh) == (1, 0, 0)
    assert f"{file} is not what the model makes: run `make generate`" in capsys.readouterr().err


def test_crd_repeats_itself_rather_than_using_yaml_anchors() -> None:
    assert "&id" not in crd_text()
    assert yaml.safe_load(crd_text())["metadata"]["name"] == "taskqueues.taskfleet.dev"
