"""Settings of a worker process, read from environment variables that start with TASKFLEET_.

What kinds and queues may do fleet-wide is policy and lives in the database; this is how one process behaves. Read by hand
and not with pydantic-settings, whose import alone would double the start of a worker process (docs/decisions).
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from uuid import uuid4

from taskfleet.models import Backoff
from taskfleet.names import validated_queue
from taskfleet.schema_name import DEFAULT_SCHEMA, validated_schema
from taskfleet_worker.environment import Environment
from taskfleet_worker.rules.errand import Errand

LogFormat = Literal["json", "text"]


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """How the worker reaches its database."""

    url: str = field(repr=False)
    """Where the queue lives, as it was at the start; never shown, it may hold a password."""
    url_file: Path | None = None
    """The file that the URL came from: a mounted Secret may change, so it is read again for every new connection."""
    schema: str = DEFAULT_SCHEMA
    pooled: bool = False
    """True behind PgBouncer in transaction mode: no prepared statements, polling instead of LISTEN."""
    direct_url: str | None = field(default=None, repr=False)
    """The way past PgBouncer, for LISTEN; None: polling alone."""
    pool_size: int = 3
    """Connections: one for claims and outcomes, one for heartbeats, one for maintenance."""
    connect_tries: int = 5
    """Tries with growing pauses before an unreachable database is an error."""
    answer_seconds: float = 30.0
    """How long one statement may take; a claim or an outcome that takes longer is tried again."""


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """The rhythm of the worker's loops, in seconds."""

    poll_seconds: float = 1.5
    """The slowest step of an idle worker's polling."""
    flush_seconds: float = 0.002
    """How long an outcome may wait for others, to be written with them."""
    marks_seconds: float = 2.0
    """How often a busy worker asks where waiting tasks begin."""
    heartbeat_seconds: float | None = None
    """None: a third of the lease, see `WorkerSettings.heartbeat_seconds`."""
    stale_seconds: float = 120.0
    """A background loop that showed no sign of life for so long fails /livez."""
    blocked_seconds: float = 1.0
    """A handler that keeps the event loop from running for so long is told, with its stack; 0: never."""
    recovery_seconds: float = 1.5
    """How often the fleet looks for leases of lost workers."""
    recovery_batch: int = 50
    """Leases that are taken back at once."""
    maintenance: bool = True
    """Take part in the fleet's maintenance: recovery, expiry, folding."""


@dataclass(frozen=True, kw_only=True)
class KindSettings:
    """What one kind may do inside this one process; fleet-wide quotas are policy in the database."""

    concurrency: Mapping[str, int] = field(default_factory=dict)
    """Tasks of a kind running at once in this worker."""
    default_concurrency: int | None = None
    """For kinds not named; None: as many as the worker has slots."""
    rate_limit_seconds: Mapping[str, float] = field(default_factory=dict)
    """Least time between two starts of a kind in this worker."""
    default_rate_limit_seconds: float = 0.0
    """For kinds not named; 0: no limit."""


@dataclass(frozen=True, kw_only=True)
class TelemetrySettings:
    """Logs, probes and metrics."""

    log_level: str = "INFO"
    log_format: LogFormat = "json"
    http_host: str = ""
    """Empty: all interfaces, as probes of a pod need it."""
    http_port: int = -1
    """Port of /livez, /readyz and /metrics; 0: any free one; -1: none."""
    pushgateway_url: str | None = None
    push_seconds: float = 15.0
    otlp_endpoint: str | None = None
    """An OpenTelemetry collector that takes spans over HTTP."""
    namespace: str = ""
    owner: str = ""
    """Who cleans up after a pod that could not: the operator's name in the groups of the Pushgateway."""


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """How one worker process behaves."""

    database: DatabaseSettings
    queue: str = "default"
    tasks: str | None = None
    """Where the handlers are: `package.module` or `package.module:registry`."""
    errand: Errand = Errand.ENDLESS
    """Whether it goes by itself when it is done: an option of the command, not of the environment."""
    worker_id: str = "worker"
    """A label for people; the identity is a new session per process start."""
    pod_uid: str | None = None
    concurrency: int = 1
    """Tasks running at once. 1 by default: a handler's memory is unknown until someone has measured it."""
    prefetch: int = 1
    """Most tasks claimed ahead of a free slot; read from the environment it is as many as there are slots."""
    lease_seconds: float = 600.0
    """How long claimed tasks stay ours without a heartbeat: longer than a paused machine, short enough to notice a dead one."""
    drain_seconds: float = 30.0
    """From SIGTERM to exit; what is not finished shortly before is given back."""
    fail_unknown_kinds: bool = False
    """Claim kinds without a handler too, and fail them at once; otherwise they wait for a worker that has one."""
    overload_pause_seconds: float = 1.0
    """Pause of a slot after an overload answer without a Retry-After."""
    missing_entity_seconds: float = 60.0
    """How long this process itself remembers a missing entity; the fleet's memory is in the database."""
    missing_entity_size: int = 10_000
    backoff: Backoff | None = None
    """For a queue that nobody has written a policy for; None leaves its defaults, 2 to 60 s."""
    loops: LoopSettings = field(default_factory=LoopSettings)
    kinds: KindSettings = field(default_factory=KindSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)

    @property
    def heartbeat_seconds(self) -> float:
        """A third of the lease so that two may be lost, but 10 s at most, 1 s at least, and 0.5 s before the lease ends.

        A lease of 600 s beats every 10 s, of 12 s every 4 s, of 2 s every 1 s.
        """
        wanted = self.loops.heartbeat_seconds or self.lease_seconds / 3
        return min(max(min(wanted, 10.0), 1.0), self.lease_seconds - 0.5)

    @property
    def handler_drain_seconds(self) -> float:
        """What running handlers get of the drain time: the rest is kept for giving back, writing and saying goodbye.

        30 s of drain leave handlers 25 s, 300 s leave 295 s, 5 s leave 4 s.
        """
        return self.drain_seconds - min(5.0, self.drain_seconds * 0.2)


def read_settings(environ: Mapping[str, str] | None = None, *, file: Path | None = None, terminal: bool = False) -> WorkerSettings:
    """The settings that the environment asks for, else a file (`file`, or the one that TASKFLEET_SETTINGS_FILE names).

    `terminal` says whether a person reads the log. Raises SettingsError naming everything that is missing or wrong, what was found and
    what is allowed.
    """
    read = Environment(os.environ if environ is None else environ)
    named = read.optional_text("TASKFLEET_SETTINGS_FILE")
    read.add_file(file or (None if named is None else Path(named)))
    database = _database(read)
    lease_seconds = read.seconds("TASKFLEET_LEASE_SECONDS", default=600.0, low=2.0, milliseconds="TASKFLEET_LEASE_MS")
    concurrency = read.whole("TASKFLEET_CONCURRENCY", default=1, low=1, high=1024)
    settings = WorkerSettings(
        database=database,
        queue=read.checked("TASKFLEET_QUEUE", validated_queue, default="default"),
        tasks=read.optional_text("TASKFLEET_TASKS"),
        worker_id=read.optional_text("TASKFLEET_WORKER_ID") or f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:4]}",
        pod_uid=read.optional_text("TASKFLEET_POD_UID"),
        concurrency=concurrency,
        prefetch=read.whole("TASKFLEET_PREFETCH", default=concurrency, low=0, high=1000),
        lease_seconds=lease_seconds,
        drain_seconds=read.seconds("TASKFLEET_DRAIN_SECONDS", default=30.0, low=0.0),
        fail_unknown_kinds=read.switch("TASKFLEET_FAIL_UNKNOWN_KINDS", default=False),
        overload_pause_seconds=read.seconds("TASKFLEET_OVERLOAD_PAUSE_SECONDS", default=1.0, low=0.0),
        missing_entity_seconds=read.seconds("TASKFLEET_MISSING_ENTITY_SECONDS", default=60.0, low=0.0),
        missing_entity_size=read.whole("TASKFLEET_MISSING_ENTITY_SIZE", default=10_000, low=1, high=1_000_000),
        backoff=_backoff(read),
        loops=_loops(read),
        kinds=_kinds(read),
        telemetry=_telemetry(read, terminal=terminal),
    )
    read.raise_problems()
    return settings


def _database(read: Environment) -> DatabaseSettings:
    return DatabaseSettings(
        url=read.secret("TASKFLEET_DATABASE_URL", file="TASKFLEET_DATABASE_URL_FILE"),
        url_file=read.secret_file("TASKFLEET_DATABASE_URL", file="TASKFLEET_DATABASE_URL_FILE"),
        schema=read.checked("TASKFLEET_SCHEMA", validated_schema, default=DEFAULT_SCHEMA),
        pooled=read.switch("TASKFLEET_POOLED", default=False),
        direct_url=read.optional_text("TASKFLEET_DIRECT_DATABASE_URL"),
        pool_size=read.whole("TASKFLEET_POOL_SIZE", default=3, low=1, high=64),
        connect_tries=read.whole("TASKFLEET_CONNECT_TRIES", default=5, low=1, high=1000),
        answer_seconds=read.seconds("TASKFLEET_ANSWER_SECONDS", default=30.0, low=0.1),
    )


def _backoff(read: Environment) -> Backoff | None:
    lowest = read.optional_seconds("TASKFLEET_MIN_BACKOFF_SECONDS", low=0.0, milliseconds="TASKFLEET_BACKOFF_MIN_MS")
    highest = read.optional_seconds("TASKFLEET_MAX_BACKOFF_SECONDS", low=0.0, milliseconds="TASKFLEET_BACKOFF_MAX_MS")
    if lowest is None and highest is None:
        return None
    backoff = Backoff(min_seconds=2.0 if lowest is None else lowest, max_seconds=60.0 if highest is None else highest)
    if backoff.max_seconds < backoff.min_seconds:
        lowest_name, found = "TASKFLEET_MIN_BACKOFF_SECONDS", f"TASKFLEET_MAX_BACKOFF_SECONDS is {backoff.max_seconds:g}"
        read.complain(f"{found}, allowed is at least {lowest_name} ({backoff.min_seconds:g})")
    return backoff


def _loops(read: Environment) -> LoopSettings:
    poll_seconds = read.seconds("TASKFLEET_POLL_SECONDS", default=1.5, low=0.01, milliseconds="TASKFLEET_POLL_INTERVAL_MS")
    recovery = read.optional_seconds("TASKFLEET_RECOVERY_SECONDS", low=0.1, milliseconds="TASKFLEET_RECOVERY_INTERVAL_MS")
    return LoopSettings(
        poll_seconds=poll_seconds,
        flush_seconds=read.seconds("TASKFLEET_FLUSH_SECONDS", default=0.002, low=0.0, milliseconds="TASKFLEET_FLUSH_MS"),
        marks_seconds=read.seconds("TASKFLEET_MARKS_SECONDS", default=2.0, low=0.1),
        heartbeat_seconds=read.optional_seconds("TASKFLEET_HEARTBEAT_SECONDS", low=0.1, milliseconds="TASKFLEET_HEARTBEAT_MS"),
        stale_seconds=read.seconds("TASKFLEET_STALE_LOOP_SECONDS", default=120.0, low=1.0),
        blocked_seconds=read.seconds("TASKFLEET_BLOCKED_SECONDS", default=1.0, low=0.0),
        recovery_seconds=poll_seconds if recovery is None else recovery,
        recovery_batch=read.whole("TASKFLEET_RECOVERY_BATCH", default=50, low=1, high=10_000),
        maintenance=read.switch("TASKFLEET_MAINTENANCE", default=True),
    )


def _kinds(read: Environment) -> KindSettings:
    rates = read.numbers("TASKFLEET_KIND_RATE_LIMIT_MS", low=0)
    return KindSettings(
        concurrency={kind: int(value) for kind, value in read.numbers("TASKFLEET_KIND_CONCURRENCY", low=1).items()},
        default_concurrency=read.optional_whole("TASKFLEET_DEFAULT_KIND_CONCURRENCY", low=1, high=1024),
        rate_limit_seconds={kind: value / 1000 for kind, value in rates.items()},
        default_rate_limit_seconds=read.whole("TASKFLEET_DEFAULT_KIND_RATE_LIMIT_MS", default=0, low=0, high=86_400_000) / 1000,
    )


def _telemetry(read: Environment, *, terminal: bool) -> TelemetrySettings:
    wanted = read.choice("TASKFLEET_LOG_FORMAT", default="auto", allowed=("auto", "json", "text"))
    return TelemetrySettings(
        log_level=read.choice("TASKFLEET_LOG_LEVEL", default="INFO", allowed=("DEBUG", "INFO", "WARNING", "ERROR")),
        log_format="text" if wanted == "text" or (wanted == "auto" and terminal) else "json",
        http_host=read.text("TASKFLEET_HTTP_HOST", default=""),
        http_port=read.whole("TASKFLEET_HTTP_PORT", default=-1, low=-1, high=65_535),
        pushgateway_url=read.optional_text("TASKFLEET_PUSHGATEWAY_URL"),
        push_seconds=read.seconds("TASKFLEET_PUSH_SECONDS", default=15.0, low=1.0),
        otlp_endpoint=read.optional_text("TASKFLEET_OTLP_ENDPOINT"),
        namespace=read.text("TASKFLEET_NAMESPACE", default=""),
        owner=read.text("TASKFLEET_OWNER", default=""),
    )
