"""What a worker tells the garbage collector before it starts."""

import subprocess
import sys

import pytest

SEARCHES = {"our own modules": ("False", "False"), "the modules of handlers": ("True", "True")}


def printed(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_what_is_loaded_is_left_out_of_collections_which_come_less_often() -> None:
    program = """
import gc
from taskfleet_worker.heap import leave_heap_alone, settle_heap

leave_heap_alone()
undisturbed = not gc.isenabled()
settle_heap(search=False)
print(undisturbed, gc.isenabled(), gc.get_freeze_count() > 0, gc.get_threshold())
"""

    assert printed(program) == "True True True (10000, 20, 50)"


@pytest.mark.parametrize(("search", "gone"), SEARCHES.values(), ids=SEARCHES)
def test_cycles_are_thrown_away_where_they_are_looked_for(search: str, gone: str) -> None:
    program = f"""
import weakref
from taskfleet_worker.heap import settle_heap

class Loop:
    pass

loop = Loop()
loop.itself, seen = loop, weakref.ref(loop)
del loop
settle_heap(search={search})
print(seen() is None)
"""

    assert printed(program) == gone
