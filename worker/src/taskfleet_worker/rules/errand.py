"""How long a worker works: until it is told to stop, or until its errand is done, as a job wants it."""

from enum import StrEnum

from taskfleet.words import Verdict


class Errand(StrEnum):
    """What a worker process was started for."""

    ENDLESS = "endless"
    ONCE = "once"
    """One claim, and what it brings."""
    UNTIL_EMPTY = "until_empty"
    """Until nothing is ready for it any more."""


def is_done(errand: Errand, verdict: Verdict, *, quiet: bool) -> bool:
    """Whether this claim was the last one; it brought what it brought.

    `quiet`: when it was made no task ran, no slot paused, and it asked for all kinds. Only then does an empty answer mean that the queue
    is empty: a running task may enqueue others. A quota, a rate or the ceiling says that there is work; it is waited for. A queue that is
    paused, or a worker that is to drain, has nothing to wait for.
    """
    match errand:
        case Errand.ENDLESS:
            return False
        case Errand.ONCE:
            return verdict is not Verdict.SESSION_LOST
        case Errand.UNTIL_EMPTY:
            return quiet and verdict in (Verdict.IDLE, Verdict.PAUSED, Verdict.DRAINING)
