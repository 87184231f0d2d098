"""`taskfleet stats`, `trend`, `report` and `explain`: what a queue does, and why its fleet has the size it has."""

import typer


def add_to(app: typer.Typer) -> None:
    """Hang these commands into the tree."""
