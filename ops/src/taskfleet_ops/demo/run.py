"""The demo from curtain to curtain: set the stage, let the product work, watch, judge."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from taskfleet import AsyncProducer
from taskfleet.embedded import EmbeddedServer
from taskfleet.migrations import Migrator
from taskfleet.store import Database
from taskfleet_ops.demo.downstream.client import DownstreamClient
from taskfleet_ops.demo.evidence import Evidence, gather
from taskfleet_ops.demo.result import broken_promises
from taskfleet_ops.demo.show.live import LiveView
from taskfleet_ops.demo.show.plain import PlainView
from taskfleet_ops.demo.show.summary import print_summary
from taskfleet_ops.demo.stage.endings import tidy_end
from taskfleet_ops.demo.stage.folder import DemoFolder
from taskfleet_ops.demo.stage.processes import Child, Program, child
from taskfleet_ops.demo.stage.task_queue import task_queue_documents
from taskfleet_ops.demo.story import Story
from taskfleet_ops.demo.watch import View, Watch
from taskfleet_ops.demo.workload import Workload
from taskfleet_ops.errors import OperationError
from taskfleet_ops.text.figures import count, span

SERVER_OPTIONS: Final = {"shared_buffers": "256MB", "max_wal_size": "4GB"}
"""Only what a server of this size deserves: nothing that makes a commit less than a commit."""

START_SECONDS: Final = 30.0
"""How long a child may take until it says that it runs."""


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What the person in front of it wants."""

    story: Story
    json_file: Path | None = None
    keep: bool = False
    plain: bool = False
    end_with_parent: bool = False
    """End, tidily, when the process that started this one ends."""


def run_demo(options: DemoOptions) -> int:
    """Play the story once; returns the exit code: 1 when a promise was broken.

    Raises TaskfleetError when a part did not start or ended by itself, KeyboardInterrupt on Ctrl-C or SIGTERM; either way everything
    that was started has ended then, and the folder is gone unless it is to be kept.
    """
    if options.json_file is not None and not options.json_file.resolve().parent.is_dir():
        raise OperationError(
            f"--json names {options.json_file}, but there is no folder {options.json_file.resolve().parent}: make it first"
        )
    began = time.monotonic()
    console = Console(highlight=False)
    view: View = (
        PlainView(console, story=options.story) if options.plain or not console.is_terminal else LiveView(console, story=options.story)
    )
    with _own_settings(), tidy_end(with_parent=options.end_with_parent), DemoFolder(keep=options.keep) as folder:
        with view:
            view.say(f"PostgreSQL starts in {folder.database}")
            with EmbeddedServer(folder.database, options=SERVER_OPTIONS) as server:
                Migrator(server.url).up()
                evidence = asyncio.run(_play(options.story, folder=folder, url=server.url, view=view, began=began))
        code = _judge(evidence, options=options, console=console)
        if options.keep:
            console.print(f"Kept in {folder.path}. Look at it with: taskfleet demo --open {folder.path}", soft_wrap=True)
    return code


async def _play(story: Story, *, folder: DemoFolder, url: str, view: View, began: float) -> Evidence:
    async with (
        _children(story, folder=folder, url=url) as (address, children),
        Database(url, application_name="taskfleet-demo") as database,
    ):
        host, _, port = address.rpartition(":")
        downstream = DownstreamClient(host, int(port))
        watch = Watch(database, downstream, story=story, began=began)
        view.say(f"the downstream stand-in allows {story.calls_per_second:g} calls a second on {address}")
        await watch.until_decided(child=children[-1])
        view.say("the operator serves the TaskQueue; no work, no worker")
        await _enqueue(story, url=url, view=view)
        finished = await watch.until_over(view=view, children=children)
        if not finished:
            view.say("nothing has moved for a while: ending here")
        evidence = await gather(watch, database=database, story=story)
        downstream.close()
        return evidence


@asynccontextmanager
async def _children(story: Story, *, folder: DemoFolder, url: str) -> AsyncIterator[tuple[str, Sequence[Child]]]:
    """The stand-in, and the operator with its workers; gives the stand-in's address."""
    async with child(_downstream(story, folder=folder)) as downstream:
        address = await downstream.first_line(within_seconds=START_SECONDS)
        folder.task_queue.touch(mode=0o600)
        folder.task_queue.write_text(task_queue_documents(story, database_url=url, downstream=address), encoding="utf-8")
        async with child(_operator(folder)) as operator:
            yield address, (downstream, operator)


def _downstream(story: Story, *, folder: DemoFolder) -> Program:
    return Program(
        name="downstream stand-in",
        module="taskfleet_ops.demo.downstream",
        arguments=("--tasks", str(story.tasks)),
        log=folder.path / "downstream.log",
        announces=True,
    )


def _operator(folder: DemoFolder) -> Program:
    return Program(
        name="operator",
        module="taskfleet_operator",
        arguments=("run", "--local", str(folder.task_queue)),
        log=folder.operator_log,
    )


async def _enqueue(story: Story, *, url: str, view: View) -> None:
    started = time.monotonic()
    async with AsyncProducer(url, queue=story.queue) as producer:
        await producer.enqueue_many(Workload(story).tasks(now=datetime.now(UTC)))
    view.say(f"{count(story.tasks)} tasks enqueued in {span(time.monotonic() - started)}, half of them with a source that is gone")


def _judge(evidence: Evidence, *, options: DemoOptions, console: Console) -> int:
    result = evidence.result
    print_summary(console, result, history=evidence.history, story=options.story, failed=evidence.failed_by_code)
    if options.json_file is not None:
        options.json_file.write_text(json.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")
    broken = broken_promises(result, most_leased=evidence.history.peak_slots)
    for sentence in broken:
        sys.stderr.write(f"taskfleet: broken: {sentence}\n")
    if not broken:
        console.print("Every promise kept: good tasks done once, gone ones asked about once, nothing lost or killed.", soft_wrap=True)
    return 1 if broken else 0


@contextmanager
def _own_settings() -> Iterator[None]:
    """Hide the caller's TASKFLEET_ variables: the demo and its processes must not end up in somebody's real database."""
    hidden = {name: value for name, value in os.environ.items() if name.startswith("TASKFLEET_")}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)
