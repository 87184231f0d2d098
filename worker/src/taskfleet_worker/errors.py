"""What a handler can say about its task, and what keeps a worker from starting.

TaskError                     raised by a handler: how its attempt ended
├── EntityNotFound            the source is gone: fails at once, remembered for the whole fleet
├── PayloadInvalid            the payload makes no sense: fails at once
├── PayloadUnsupported        this handler does not do such payloads: fails at once
├── PreconditionFailed        the world is not as the task needs it: fails at once
├── Overloaded                a downstream asks for less: given back, no attempt used, the slot pauses
├── RetryLater                not yet: given back, no attempt used, the slot goes on
└── TaskStopped               nobody wants the result any more: a blocking handler leaves early
WorkerStartError              the worker cannot start; the message says what to do
├── TasksNotFoundError        the module with the handlers, or its registry, is not there
├── HandlerError              a handler cannot be registered as it is
└── PortOccupiedError         somebody else listens on the probe port

Any other exception of a handler is TASK_EXECUTION_FAILED: tried again with backoff until its attempts are used up. So is
BatchOutcomesError, the answer to a batch handler whose return value does not say what became of which task, and ChildDiedError, the
word about a handler whose own process was killed under it.
"""


class TaskError(Exception):
    """Base of what a handler raises on purpose to say how its attempt ended."""


class EntityNotFound(TaskError):
    """The source is gone and asking again would not bring it back; later tasks of the entity fail without running for a while."""

    def __init__(self, entity: str | None = None, message: str | None = None) -> None:
        super().__init__(message or (f"entity {entity!r} was not found" if entity else "the entity of this task was not found"))
        self.entity = entity
        """None: the entity that the task was enqueued with."""


class PayloadInvalid(TaskError):
    """The payload makes no sense to the handler; say what was found, what was expected and where."""


class PayloadUnsupported(TaskError):
    """The payload is sound, but this handler does not do such tasks."""


class PreconditionFailed(TaskError):
    """The world is not as the task needs it, and waiting would not help."""


class Overloaded(TaskError):
    """A downstream asks for less: the task goes back without using up an attempt and the slot claims nothing for `retry_after` seconds."""

    def __init__(self, retry_after: float | None = None, message: str = "the downstream asks for less") -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds; None: the worker's default (TASKFLEET_OVERLOAD_PAUSE_SECONDS)."""


class RetryLater(TaskError):
    """Not yet: the task goes back without using up an attempt and is due again `after` seconds from now."""

    def __init__(self, after: float, message: str = "not yet") -> None:
        super().__init__(message)
        self.after = after


class TaskStopped(TaskError):
    """Nobody wants the result any more; what becomes of the task was decided by whoever stopped it."""

    def __init__(self) -> None:
        super().__init__("the task was stopped")


class BatchOutcomesError(Exception):
    """A batch handler returned something that does not say what became of each task."""

    def __init__(self, result: object, count: int) -> None:
        found = f"a {type(result).__name__} of {len(result)}" if isinstance(result, list | tuple) else f"a {type(result).__name__}"
        super().__init__(
            f"a batch handler returns None when all is done, or a list with one result or error for each task in their order: "
            f"it was given {count} tasks and returned {found}"
        )


class ChildDiedError(Exception):
    """The process that a handler ran in is gone, and with it what it was about to say."""

    def __init__(self, end: str) -> None:
        super().__init__(f"the process that ran the handler {end}")


class WorkerStartError(Exception):
    """The worker cannot start; the message names what was found and the way out."""


class TasksNotFoundError(WorkerStartError):
    """The module with the handlers, or the registry in it, is not there."""


class HandlerError(WorkerStartError, TypeError):
    """A handler cannot be registered as it is written."""


class PortOccupiedError(WorkerStartError):
    """Somebody else listens on the probe port."""

    def __init__(self, *, host: str, port: int, cause: str) -> None:
        super().__init__(
            f"cannot listen on port {port} of {host or 'all interfaces'} for probes and metrics ({cause}): another process has it; "
            "set TASKFLEET_HTTP_PORT to a free port, to 0 for any free one, or to -1 for none"
        )
        self.port = port
