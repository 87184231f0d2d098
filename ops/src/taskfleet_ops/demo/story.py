"""The story that the demo plays: how much work, how patient, how strong, and what the downstream allows."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Story:
    """Every number of the demo in one place. Only `tasks` is meant to be changed from the command line."""

    tasks: int = 88_000
    """Waiting tasks; half of them have a source that is gone."""

    queue: str = "episodes"

    spread_seconds: float = 259_200.0
    """The oldest task has waited three days, the youngest a moment."""

    shared_entities: int = 20
    """A third of the tasks whose source is gone share these few sources; the others have one each."""

    goal_seconds: float = 60.0
    """What the TaskQueue asks for: no task waits longer."""

    patience_seconds: int = 604_800
    """Fresh lane and expiry: a week, so that neither lanes nor expiry touch a three days old backlog."""

    workers: int = 8
    slots: int = 8
    """Tasks a worker runs at once."""

    lease_seconds: float = 30.0

    calls_per_second: float = 800.0
    """What the downstream allows: less than a third of what 64 slots could send at 20 ms a call."""

    burst_seconds: float = 0.05
    """How much of an unused allowance may be sent at once."""

    call_seconds: float = 0.02

    retry_after_seconds: int = 1
    """What an overload answer asks for. HTTP knows whole seconds only."""

    def __post_init__(self) -> None:
        if self.tasks < 1:
            raise ValueError(f"tasks is {self.tasks}: at least 1 is needed")
