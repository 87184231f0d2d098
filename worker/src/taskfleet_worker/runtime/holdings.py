"""Everything this worker holds a lease for: handlers that run, tasks that wait for a slot, endings not yet written, a claim under way."""

import time
from collections.abc import Callable, Iterable, Sequence

from taskfleet.models import ClaimedTask, LeaseRef
from taskfleet.words import ErrorCode
from taskfleet_worker.rules.slots import Slots
from taskfleet_worker.runtime.jobs import Jobs
from taskfleet_worker.runtime.outbox import Outbox
from taskfleet_worker.runtime.shelf import Shelf


class Holdings:
    """What has to be empty before a worker may call itself drained."""

    def __init__(self, jobs: Jobs, outbox: Outbox, slots: Slots, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.jobs = jobs
        self.outbox = outbox
        self.shelf = Shelf()
        self.claiming = False
        """True while a claim is under way: it may bring leases."""
        self._slots = slots
        self._clock = clock

    def leases(self) -> Iterable[LeaseRef]:
        """Every lease that the next heartbeat has to name."""
        yield from self.jobs.leases()
        yield from self.shelf.leases()
        yield from self.outbox.leases()

    @property
    def empty(self) -> bool:
        """True when no lease can be ours."""
        return not self.claiming and not self.jobs.running and not len(self.outbox) and not len(self.shelf)

    def take_in(self, tasks: Sequence[ClaimedTask]) -> None:
        """Start claimed tasks; those without a free slot wait for one."""
        self.shelf.put(tasks, now=self._clock())
        self.fill()

    def fill(self) -> None:
        """Start what waits in the slots that are free."""
        if len(self.shelf) and (free := self._slots.free(now=self._clock())):
            self.jobs.start(self.shelf.take(free))
            self.shelf.moved(now=self._clock())

    def give_back(self) -> None:
        """Release what waits for a slot: none of it has started."""
        for task in self.shelf.clear():
            self.jobs.give_back(task, ErrorCode.UNSTARTED)

    def stop_lost(self, leases: Sequence[LeaseRef]) -> None:
        """These leases are lost: stop their handlers and drop what comes out; do not begin what waits."""
        self.jobs.stop_lost(leases)
        if len(self.shelf):
            for lease in leases:
                self.shelf.drop(lease)

    def stop_cancelled(self, leases: Sequence[LeaseRef]) -> None:
        """Somebody wants these tasks stopped."""
        self.jobs.stop_cancelled(leases)
        if len(self.shelf):
            for task in filter(None, map(self.shelf.drop, leases)):
                self.jobs.refuse_cancelled(task)
