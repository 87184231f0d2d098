"""Finds the handlers that `--tasks package.module` names, and says what to do when they are not there."""

import importlib
import pkgutil
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from taskfleet_worker.errors import TasksNotFoundError
from taskfleet_worker.registry import Tasks


def load_tasks(target: str) -> Tasks:
    """The registry that `package.module` or `package.module:name` names; the current folder may be imported from.

    Without a name: the module's `tasks`, else the only registry in it.
    Raises TasksNotFoundError naming what is there instead, and lets errors of the module itself pass unchanged.
    """
    path, _, name = target.partition(":")
    if not path or path.startswith(".") or "/" in path or path.endswith(".py"):
        raise TasksNotFoundError(
            f"{target!r} is no module path: write it as Python imports it, like package.module or package.module:tasks"
        )
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    tasks = _registry(_module(path), path, name)
    if not tasks.handlers:
        raise TasksNotFoundError(
            f"module {path!r} registers no handler: decorate a function with @tasks.task('kind') in it, or import the modules that do"
        )
    return tasks


def _module(path: str) -> ModuleType:
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        missing = error.name or path
        if missing != path and not path.startswith(f"{missing}."):
            raise  # The module is there; something that it imports is not.
        raise TasksNotFoundError(_not_found(path, missing)) from None


def _not_found(path: str, missing: str) -> str:
    import difflib

    parent, _, last = missing.rpartition(".")
    near = difflib.get_close_matches(last, list(_neighbours(parent)), n=3, cutoff=0.6)
    rest = path[len(missing) :]
    meant = " or ".join(f"{parent}.{name}{rest}" if parent else f"{name}{rest}" for name in near)
    advice = f"did you mean {meant}?" if near else f"it is looked for in {Path.cwd()} and in what is installed here"
    place = f" in package {parent!r}" if parent else ""
    return f"there is no module {last!r}{place} (--tasks {path}): {advice}"


def _neighbours(parent: str) -> Iterable[str]:
    """Modules that could have been meant: those beside the missing one, or the top level ones."""
    if not parent:
        return {module.name for module in pkgutil.iter_modules()} - set(sys.stdlib_module_names)
    return {module.name for module in pkgutil.iter_modules(getattr(sys.modules[parent], "__path__", []))}


def _registry(module: ModuleType, path: str, name: str) -> Tasks:
    found = {key: value for key, value in vars(module).items() if isinstance(value, Tasks)}
    if name:
        if name in found:
            return found[name]
        raise TasksNotFoundError(f"module {path!r} has no registry {name!r}: {_there(found)}")
    if "tasks" in found:
        return found["tasks"]
    distinct = {id(value): value for value in found.values()}
    if len(distinct) == 1:
        return next(iter(distinct.values()))
    if distinct:
        raise TasksNotFoundError(f"module {path!r} has several registries: name one, like {path}:{next(iter(found))}; {_there(found)}")
    raise TasksNotFoundError(
        f"module {path!r} has no Tasks object: add `tasks = Tasks()` (from taskfleet_worker) and register handlers with @tasks.task('kind')"
    )


def _there(found: dict[str, Tasks]) -> str:
    return f"there is {', '.join(sorted(found))}" if found else "there is none; add `tasks = Tasks()` (from taskfleet_worker)"
