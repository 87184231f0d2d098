import subprocess
import sys
from importlib import import_module

import pytest

from taskfleet.first_use import loaded_on_first_use

load = loaded_on_first_use(__name__, {"Fraction": "fractions"})


def test_a_name_is_loaded_when_it_is_asked_for_and_kept() -> None:
    assert "Fraction" not in globals()

    loaded = load("Fraction")

    assert loaded.__module__ == "fractions"
    assert globals()["Fraction"] is loaded


def test_a_name_without_a_home_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=f"module '{__name__}' has no attribute 'nothing'"):
        load("nothing")


@pytest.mark.parametrize("package", ["taskfleet", "taskfleet.models", "taskfleet.store", "taskfleet_worker"])
def test_every_name_that_a_package_offers_can_be_had(package: str) -> None:
    module = import_module(package)

    assert [name for name in module.__all__ if getattr(module, name, None) is None] == []


def test_the_store_loads_only_what_is_asked_for() -> None:
    program = "import sys; from taskfleet.store import WorkerStore; print('taskfleet.store.reader_store' in sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout == "False\n"
