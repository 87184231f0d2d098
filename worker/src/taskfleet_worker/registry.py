"""Which function does which kind of task."""

import functools
import inspect
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from taskfleet.names import validated_kind
from taskfleet_worker.errors import HandlerError
from taskfleet_worker.payload import Decoder, decoder_for

Function = TypeVar("Function", bound=Callable[..., object])

_MISSING: Any = object()


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Where a child process finds a function, and how many of (payload, context) it takes."""

    module: str
    name: str
    arguments: int


@dataclass(frozen=True, kw_only=True)
class Handler:
    """A function that does one kind of task."""

    kind: str
    decode: Decoder
    """Makes the function's payload of what the task carries, or refuses it."""
    call: Callable[[Any, Any], object]
    """Runs the function with payload and context (of a batch: the lists of them); an awaitable comes back if `is_async`."""
    is_async: bool
    """False: the function blocks, so it runs in a thread."""
    wants_context: bool = True
    """False: `call` takes no notice of it."""
    batch_size: int | None = None
    """The most tasks of one call, which then takes lists of payloads and contexts; None: a call does one task."""
    in_process: Reference | None = None
    """The function to call in a child process, where it is to run in one."""


class Tasks:
    """The handlers of a worker, by kind.

    >>> tasks = Tasks()
    >>> @tasks.task("greet")
    ... async def greet(payload: dict[str, object], context: Context) -> None: ...
    """

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """All handlers by kind; read only."""
        return MappingProxyType(self._handlers)

    def task(self, kind: str, *, payload: object = _MISSING, process: bool = False) -> Callable[[Function], Function]:
        """Register the decorated function, async or not, for tasks of this kind.

        It takes up to two arguments, payload and context. The payload's type is `payload`, else the annotation of the first
        argument: nothing (any payload but none), dict, a dataclass, a pydantic model, any type that pydantic knows;
        `object` or `X | None` where a task may come without a payload.
        With `process` it runs in a child process: for functions that compute, which would hold up all others in a thread. It must stand
        at the top level of its module and not be async; payload, context and result cross over as pickles.
        Raises HandlerError for a kind that is taken, a signature that does not fit, or a type nothing can be turned into.
        """

        def register(function: Function) -> Function:
            self._add(kind, function, lambda: _handler(kind, function, payload, process=process))
            return function

        return register

    def batch(self, kind: str, *, size: int, payload: object = _MISSING, process: bool = False) -> Callable[[Function], Function]:
        """Register the decorated function, async or not, for up to `size` tasks of this kind in one call.

        It takes up to two arguments, a list of payloads and a list of contexts in the same order. The type of a payload is `payload`,
        else taken from the annotation of the first argument: `list[Letter]`. It returns None when all tasks are done, or a list with
        one entry for each: a result, or an error as it would be raised for a single task. What it raises is the error of all of them.
        A batch is what one claim brought: it holds at most as many tasks as the worker has slots, and nobody waits for it to fill.
        Raises HandlerError as `task` does.
        """

        def register(function: Function) -> Function:
            if type(size) is not int or size < 1:
                raise HandlerError(f"the batch size of {_name(function)} (kind {kind!r}) is {size!r}, allowed is a whole number from 1")
            self._add(kind, function, lambda: _handler(kind, function, payload, batch_size=size, process=process))
            return function

        return register

    def include(self, other: "Tasks") -> None:
        """Take over all handlers of another registry, so that a large application can keep one per module."""
        for kind, handler in other.handlers.items():
            if self._handlers.setdefault(kind, handler) is not handler:
                raise HandlerError(f"kind {kind!r} has a handler already: one function per kind")

    def _add(self, kind: str, function: Callable[..., object], make: Callable[[], Handler]) -> None:
        try:
            validated_kind(kind)
        except ValueError as error:
            raise HandlerError(f"{_name(function)}: {error}") from None
        if kind in self._handlers:
            raise HandlerError(f"kind {kind!r} has a handler already: one function per kind, {_name(function)} would be a second")
        self._handlers[kind] = make()


def _handler(
    kind: str, function: Callable[..., object], payload: object, *, batch_size: int | None = None, process: bool = False
) -> Handler:
    wanted = _parameters(function)
    if payload is not _MISSING:
        annotation = payload
    elif not wanted:
        annotation = object
    else:
        annotation = _annotation(function, wanted[0])
        annotation = _element(function, annotation) if batch_size is not None else annotation
    try:
        decode = decoder_for(annotation)
    except TypeError as error:
        raise HandlerError(f"the payload of {_name(function)} (kind {kind!r}): {error}") from error
    return Handler(
        kind=kind,
        decode=decode,
        call=_with_arguments(function, len(wanted)),
        is_async=_is_async(function),
        wants_context=len(wanted) == 2,
        batch_size=batch_size,
        in_process=_reference(function, len(wanted)) if process else None,
    )


def _reference(function: Callable[..., object], arguments: int) -> Reference:
    module, name = getattr(function, "__module__", "__main__"), _name(function)
    if _is_async(function):
        raise HandlerError(f"{name} is async and cannot run in a process of its own: make it a plain function")
    if module == "__main__" or not name.replace(".", "").isidentifier():
        raise HandlerError(f"{name} of {module} cannot be found by another process: define it at the top level of a module")
    return Reference(module=module, name=name, arguments=arguments)


def _parameters(function: Callable[..., object]) -> list[inspect.Parameter]:
    """The positional parameters: none, the payload, or payload and context."""
    parameters = list(inspect.signature(function).parameters.values())
    given = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:2]
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if any(parameter not in given for parameter in needed):
        raise HandlerError(
            f"{_name(function)}{inspect.signature(function)} does not fit: a handler takes (payload, context), (payload) or ()"
        )
    return given


def _annotation(function: Callable[..., object], parameter: inspect.Parameter) -> object:
    """The type of the payload parameter; None where it has none."""
    if parameter.annotation is parameter.empty:
        return None
    if not isinstance(parameter.annotation, str):
        return parameter.annotation
    try:
        return typing.get_type_hints(inspect.unwrap(function))[parameter.name]
    except NameError as error:
        raise HandlerError(
            f"the payload type {parameter.annotation!r} of {_name(function)} cannot be found when it is registered ({error}): "
            f"import it outside `if TYPE_CHECKING`, or pass it as @tasks.task(…, payload=…)"
        ) from error


def _element(function: Callable[..., object], annotation: object) -> object:
    """The type of one payload in the list that a batch handler takes; None where it is not said."""
    origin = typing.get_origin(annotation) or annotation
    if origin is None or origin is object:
        return None
    if origin not in (list, Sequence, Collection, Iterable):
        raise HandlerError(f"{_name(function)} does a batch: annotate its first argument like list[Letter], not {annotation!r}")
    arguments = typing.get_args(annotation)
    return arguments[0] if arguments else None


def _with_arguments(function: Callable[..., object], count: int) -> Callable[[Any, Any], object]:
    match count:
        case 2:
            return function
        case 1:
            return lambda payload, _context: function(payload)
        case _:
            return lambda _payload, _context: function()


def _is_async(function: Callable[..., object]) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", repr(function))


tasks = Tasks()
"""A registry for applications that need only one."""
