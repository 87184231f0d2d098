"""Packages that load what they offer when it is first asked for, so that a program pays for what it uses."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def loaded_on_first_use(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """A `__getattr__` for a package (PEP 562) that takes each name from the module that is its home.

    To be hidden from type checkers (`if not TYPE_CHECKING`), which would take every wrong name for an object.
    """

    def load(name: str) -> object:
        if name not in homes:
            message = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(message)
        value = getattr(import_module(homes[name]), name)
        vars(sys.modules[package])[name] = value
        return value

    return load
