"""Bad weather, by a seed: workers are killed, connections cut, PostgreSQL goes down and comes back, at moments that the seed chooses."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import psycopg

from benchmarks.fleet.processes import Fleet
from taskfleet.embedded import EmbeddedServer
from tests.support.waiting import wait_until

PAUSE_SECONDS = (0.2, 0.8)


@dataclass(kw_only=True)
class Storm:
    """What may happen to a fleet and its server; `happened` counts what did."""

    fleet: Fleet
    server: EmbeddedServer
    random: Random
    happened: Counter[str] = field(default_factory=Counter)

    def rage(self, seconds: float, *, meanwhile: Callable[[], None]) -> None:
        """Let things happen for so long; `meanwhile` is called between them."""
        events = [self.kill_worker, self.kill_worker, self.kill_worker, self.cut_connections, self.restart_server]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            event = self.random.choice(events)
            event()
            self.happened[event.__name__] += 1
            meanwhile()
            time.sleep(self.random.uniform(*PAUSE_SECONDS))

    def kill_worker(self) -> None:
        """SIGKILL, whatever it is doing; another starts."""
        self.fleet.kill_one(self.random)

    def cut_connections(self) -> None:
        """The server ends half of the workers' connections, in the middle of what they do."""
        with suppress(psycopg.OperationalError), psycopg.connect(self.server.url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'taskfleet-worker' ORDER BY pid"
            ).fetchall()
            for (pid,) in self.random.sample(found, k=len(found) // 2):
                connection.execute("SELECT pg_terminate_backend(%s)", [pid])

    def restart_server(self) -> None:
        """PostgreSQL crashes and comes back: SIGQUIT leaves recovery from its log to do."""
        assert self.server.process_id is not None
        os.kill(self.server.process_id, signal.SIGQUIT)
        wait_until(lambda: not self.server.running)
        self.server.start()
