"""Handlers that run in child processes: they have to be found by another process, so they stand in a module."""

import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from taskfleet_worker import Context, EntityNotFound, Overloaded, Tasks

tasks = Tasks()


@dataclass
class Sum:
    numbers: list[int]


@tasks.task("sum", process=True)
def add(payload: Sum, context: Context) -> object:
    logging.getLogger("shop").warning("sum.added")
    return {"sum": sum(payload.numbers), "pid": os.getpid(), "task": context.task_id}


@tasks.task("say", process=True)
def say(what: str) -> object:
    match what:
        case "gone":
            raise EntityNotFound("reader 7")
        case "busy":
            raise Overloaded(4)
        case "exit":
            sys.exit(3)
        case "unpicklable":
            return lambda: None
        case _:
            raise ValueError(what)


@tasks.task("die", process=True)
def die(how: str) -> None:
    if how == "exit":
        os._exit(7)
    os.kill(os.getpid(), getattr(signal, how))


@tasks.task("hang", process=True)
def hang(witness: str) -> None:
    Path(witness).write_text(str(os.getpid()), encoding="ascii")
    time.sleep(60)


@tasks.batch("squares", size=10, process=True)
def squares(numbers: list[int]) -> Sequence[object]:
    return [EntityNotFound(str(number)) if number < 0 else number * number for number in numbers]


@tasks.task("speak", process=True)
def speak(steps: int, context: Context) -> None:
    for step in range(steps):
        context.progress((step + 1) / steps)
    context.extend(60.0)
