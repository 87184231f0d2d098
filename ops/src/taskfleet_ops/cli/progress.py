"""Saying that something is under way: on standard error, and only to a person."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def under_way(what: str) -> Iterator[None]:
    """Show what is being done while the block runs; nothing where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


@contextmanager
def telling() -> Iterator[Callable[[str], None]]:
    """A way to say what is being done now, each word in place of the last; silent where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Show how far a long piece of work has come: the block calls what it is given with each batch's number."""
    total = 0
    with telling() as tell:

        def add(count: int) -> None:
            nonlocal total
            total += count
            tell(f"{what}: {total:,}")

        tell(what)
        yield add
