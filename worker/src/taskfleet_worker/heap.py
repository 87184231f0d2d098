"""What the garbage collector is told at the start of a worker.

What a program loads stays. To walk over it again and again in search of cycles is a tenth of the start and a tenth of a busy worker's time.
"""

import gc

COLLECT_AFTER = 10_000
"""Objects made before the collector looks for cycles among them; Python's own 700 are made by a few tasks."""


def leave_heap_alone() -> None:
    """Look for no cycles while our own modules are loaded, until `settle_heap`."""
    gc.disable()


def settle_heap(*, search: bool) -> None:
    """Leave what is loaded out of every search from now on, and search less often.

    `search` once before, among what was loaded since the last time: not worth it among our own modules, where it takes 20 ms.
    """
    if search:
        gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)
    gc.enable()
