"""How a handler is called: on the event loop, in a thread, or in a child process."""

import asyncio
import logging
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from inspect import isawaitable
from typing import TYPE_CHECKING

from taskfleet_worker.context import Context, Hear, current_context, ids_of
from taskfleet_worker.registry import Reference
from taskfleet_worker.rules.conclusions import Conclusion, conclude_error, conclude_result
from taskfleet_worker.runtime.bench import Bench
from taskfleet_worker.runtime.calls import Call
from taskfleet_worker.runtime.isolation import Begun, Returned, alone, begin, rest_of

if TYPE_CHECKING:
    from taskfleet_worker.runtime.children import Children
    from taskfleet_worker.telemetry.tracing import Tracing

_log = logging.getLogger("taskfleet.worker")


class Caller:
    """Calls handlers; threads and children are made when the first handler wants one."""

    def __init__(self, bench: Bench, *, hear: Hear, stopped: Callable[[Call, BaseException], None]) -> None:
        self._thread_count = bench.slots.count
        self._overload_pause_seconds = bench.overload_pause_seconds
        self._tracing = bench.tracing
        self._hear = hear
        self._stopped = stopped
        """Called as soon as a call in a thread is stopped: its thread may take its time."""
        self._threads: ThreadPoolExecutor | None = None
        self._children: Children | None = None

    def begin(self, call: Call) -> Begun | Returned | None:
        """Begin a call: what it returned, or where it waits for the first time; None if it is to be awaited as a whole.

        Raises what the handler raises.
        """
        if call.handler.is_async and self._tracing is None:
            return begin(copy_context(), call.handler.call, call.payload, call.context)
        return None

    async def conclude(self, call: Call, begun: Begun | None) -> Sequence[Conclusion]:
        """Await a call; one conclusion for each task, or none where they were told already. Raises what an async handler raised."""
        if begun is not None:
            return self.of_result(call, await rest_of(begun))
        return await (self._called(call) if self._tracing is None else self._traced(call, self._tracing))

    async def _traced(self, call: Call, tracing: "Tracing") -> Sequence[Conclusion]:
        from taskfleet_worker.telemetry.tracing import conclude

        with tracing.processing(call.tasks, is_batch=call.handler.batch_size is not None) as span:
            conclusions = await self._called(call)
            conclude(span, conclusions)
            return conclusions

    async def _called(self, call: Call) -> Sequence[Conclusion]:
        handler = call.handler
        if handler.in_process is not None:
            return await self._in_child(call, handler.in_process)
        if not handler.is_async:
            return await self._in_thread(call)
        begun = begin(copy_context(), handler.call, call.payload, call.context)
        return self.of_result(call, await rest_of(begun) if isinstance(begun, Begun) else begun[0])

    def of_result(self, call: Call, result: object) -> Sequence[Conclusion]:
        """One conclusion for each task of a call that returned."""
        is_batch = call.handler.batch_size is not None
        return conclude_result(call.tasks, result, is_batch=is_batch, overload_pause_seconds=self._overload_pause_seconds)

    def of_error(self, call: Call, error: BaseException) -> Sequence[Conclusion]:
        """One conclusion for each task of a call that raised."""
        return conclude_error(call.tasks, error, overload_pause_seconds=self._overload_pause_seconds)

    async def close(self) -> None:
        """Let go of what was kept for the next call."""
        if self._children is not None:
            await self._children.close()

    async def _in_thread(self, call: Call) -> Sequence[Conclusion]:
        """Call a blocking handler. If it is stopped its endings are told at once, but it keeps its slots until its thread is free."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._thread_count, thread_name_prefix="taskfleet-task")
        variables = copy_context()
        thread = asyncio.get_running_loop().run_in_executor(self._threads, variables.run, _call, call)
        try:
            result, error = await asyncio.shield(thread)
        except asyncio.CancelledError as cancelled:
            self._stopped(call, cancelled)
            for job in call.jobs:
                _log.warning("task.lingers", extra={**ids_of(job.task), "reason": str(job.stopped)})
            await asyncio.wait([thread])
            return ()
        if error is not None:
            return self.of_error(call, error)
        # A plain function may hand on what an async one returned, as decorators do.
        return self.of_result(call, await alone(result, variables) if isawaitable(result) else result)

    async def _in_child(self, call: Call, handler: Reference) -> Sequence[Conclusion]:
        """Call a function in a child process, which is killed if the call is cancelled."""
        from taskfleet_worker.runtime.child import Request
        from taskfleet_worker.runtime.children import Children

        if self._children is None:
            self._children = Children(self._hear)
        request = Request(
            handler=handler,
            tasks=call.tasks,
            is_batch=call.handler.batch_size is not None,
            arguments=pickle.dumps((call.payload, call.context)),
            overload_pause_seconds=self._overload_pause_seconds,
        )
        return await self._children.call(request)


def _call(call: Call) -> tuple[object, BaseException | None]:
    """Call a blocking handler; errors come back as values, since a StopIteration cannot cross a future."""
    if type(call.context) is Context:
        current_context.set(call.context)
    try:
        return call.handler.call(call.payload, call.context), None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - handed on to where handlers' errors are judged
        return None, error
