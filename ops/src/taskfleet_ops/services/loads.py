"""The loads that `taskfleet simulate` can play, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from taskfleet_operator.simulation import stories
from taskfleet_operator.simulation.downstream import Downstream
from taskfleet_operator.simulation.tasks import Workload
from taskfleet_operator.simulation.workloads import FIVE

SHARED = "shared"
"""Not one queue but three under one cap."""
SHARED_CAP = 40


@dataclass(frozen=True, kw_only=True)
class Load:
    """A load that is made from a seed, and what its tasks talk to."""

    make: Callable[[Random], Workload]
    downstream: Callable[[], Downstream] | None = None
    """Made anew for each run; None: nothing that breaks."""


LOADS: Mapping[str, Load] = {
    **{name: Load(make=make) for name, make in FIVE.items()},
    "mixed": Load(make=stories.mixed),
    "lanes": Load(make=stories.lanes),
    "short-goal": Load(make=stories.short_goal),
    "very-long": Load(make=stories.very_long),
    "overload": Load(make=stories.overload, downstream=stories.flooded_downstream),
    "saturation": Load(make=stories.saturation, downstream=stories.silent_downstream),
}
NAMES = (*LOADS, SHARED)
