"""What the command line tells the garbage collector before a worker starts."""

import subprocess
import sys


def test_what_is_loaded_is_left_out_of_collections_which_come_less_often() -> None:
    program = "import gc; from taskfleet_worker.cli import settle_heap; settle_heap(); print(gc.get_freeze_count() > 0, gc.get_threshold())"

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert told == "True (10000, 20, 50)\n"
