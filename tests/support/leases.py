"""A lease store in memory, for election tests that move the clock; held to the real API server by a contract test."""

import asyncio
from dataclasses import replace

from taskfleet_operator.errors import ClusterUnreachableError, ObjectConflictError
from taskfleet_operator.objects import LeaseSeen, ObjectKey


class MemoryLeases:
    """Behaves as the API server does with leases: versions grow, a write over an old version is refused."""

    def __init__(self) -> None:
        self._leases: dict[ObjectKey, LeaseSeen] = {}
        self.written = 0
        """Writes so far."""
        self.reachable = True
        """False: every request fails at once."""
        self.silent = False
        """True: no request is ever answered."""
        self.forgets_answers = False
        """True: writes arrive, their answers do not."""

    async def lease(self, key: ObjectKey) -> LeaseSeen | None:
        await self._answer()
        return self._leases.get(key)

    async def write_lease(self, key: ObjectKey, lease: LeaseSeen) -> LeaseSeen:
        await self._answer()
        there = self._leases.get(key)
        if lease.resource_version != (there and there.resource_version):
            raise ObjectConflictError(f"lease {key} has changed")
        self.written += 1
        written = self._leases[key] = replace(lease, resource_version=str(self.written))
        if self.forgets_answers:
            raise ClusterUnreachableError("the answer was lost")
        return written

    async def _answer(self) -> None:
        if not self.reachable:
            raise ClusterUnreachableError("connection refused")
        if self.silent:
            await asyncio.Event().wait()
