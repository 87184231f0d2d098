"""Run the stand-in: `python -m taskfleet_ops.demo.downstream --tasks 88000`.

Prints one line with its address when it listens, then serves until SIGTERM.
"""

import argparse
import asyncio
import signal
import sys
import time

from taskfleet_ops.demo.downstream.answers import AnswerBook
from taskfleet_ops.demo.downstream.bucket import TokenBucket
from taskfleet_ops.demo.downstream.server import Connection, Service
from taskfleet_ops.demo.story import Story
from taskfleet_ops.demo.workload import Workload


def service_of(story: Story) -> Service:
    """The service that plays this story."""
    bucket = TokenBucket(rate=story.calls_per_second, burst=story.calls_per_second * story.burst_seconds, now=time.monotonic())
    return Service(
        bucket=bucket,
        answers=AnswerBook(),
        gone=Workload(story).gone_entities(),
        call_seconds=story.call_seconds,
        retry_after_seconds=story.retry_after_seconds,
        clock=time.monotonic,
    )


async def serve(story: Story) -> None:
    """Serve on a free port of the loopback until SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    service = service_of(story)
    server = await loop.create_server(lambda: Connection(service), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    sys.stdout.write(f"{host}:{port}\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m taskfleet_ops.demo.downstream", description=__doc__)
    parser.add_argument("--tasks", type=int, default=Story.tasks, help="size of the workload, which says what sources are gone")
    asyncio.run(serve(Story(tasks=parser.parse_args().tasks)))


if __name__ == "__main__":
    main()
