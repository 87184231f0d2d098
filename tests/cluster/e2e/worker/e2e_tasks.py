"""Handlers of the end-to-end test."""

import asyncio
import socket
from dataclasses import dataclass

from taskfleet_worker import EntityNotFound, Tasks

tasks = Tasks()


@dataclass
class Fetch:
    source: str
    gone: bool = False
    seconds: float = 0.05


@tasks.task("fetch")
async def fetch(payload: Fetch) -> dict[str, str]:
    """Fetch something that takes a while, or is gone."""
    if payload.gone:
        raise EntityNotFound(payload.source)
    await asyncio.sleep(payload.seconds)
    return {"pod": socket.gethostname()}
