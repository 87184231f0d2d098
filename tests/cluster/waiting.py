"""Waiting for a cluster: several controllers have to act before a condition holds, so the deadline is longer."""

from collections.abc import Awaitable, Callable

from tests.support.waiting import eventually


async def until(look: Callable[[], Awaitable[object]], *, within: float = 40.0) -> None:
    """Look again and again until what is seen is true; AssertionError when it never is."""
    await eventually(look, within=within, every=0.05)
