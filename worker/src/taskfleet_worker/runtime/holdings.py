"""Everything this worker holds a lease for: handlers that run, endings not yet written, a claim whose answer is on its way."""

from collections.abc import Iterable

from taskfleet.models import LeaseRef
from taskfleet_worker.runtime.jobs import Jobs
from taskfleet_worker.runtime.outbox import Outbox


class Holdings:
    """What has to be empty before a worker may call itself drained."""

    def __init__(self, jobs: Jobs, outbox: Outbox) -> None:
        self.jobs = jobs
        self.outbox = outbox
        self.claiming = False
        """True while a claim is under way: it may bring leases."""

    def leases(self) -> Iterable[LeaseRef]:
        """Every lease that the next heartbeat has to name."""
        yield from self.jobs.leases()
        yield from self.outbox.leases()

    @property
    def empty(self) -> bool:
        """True when no lease can be ours."""
        return not self.claiming and not self.jobs.running and not len(self.outbox)
