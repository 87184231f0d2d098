"""Reads typed values from environment variables, and from a file below them, and gathers every fault, so that one start tells them all."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from taskfleet.errors import SettingsError
from taskfleet_worker.settings_file import key_of, read_settings_file

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Environment:
    """Environment variables as typed values; an empty variable counts as unset."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._file: Mapping[str, str] = {}
        self._path: Path | None = None
        self._asked: set[str] = set()
        self._problems: list[str] = []

    def add_file(self, path: Path | None) -> None:
        """Take what the environment does not say from a file, if there is one."""
        if path is None:
            return
        self._path = path
        try:
            self._file = read_settings_file(path)
        except SettingsError as error:
            self._problems.append(str(error))

    def raise_problems(self) -> None:
        """Raise SettingsError if anything was missing or wrong so far, or the file has a setting that nobody asked for."""
        for unknown in sorted(self._file.keys() - self._asked):
            self._problems.append(f"{self._path}: there is no setting {key_of(unknown)!r}: {self._advice(key_of(unknown))}")
        if self._problems:
            raise SettingsError("\n".join(self._problems))

    def complain(self, problem: str) -> None:
        """Something is wrong with several settings together."""
        self._problems.append(problem)

    def optional_text(self, name: str) -> str | None:
        """The text, or None."""
        self._asked.add(name)
        return self._environ.get(name, "").strip() or self._file.get(name, "").strip() or None

    def text(self, name: str, *, default: str) -> str:
        """The text, or the default."""
        return self.optional_text(name) or default

    def secret(self, name: str, *, file: str) -> str:
        """The text of one variable, or of the file that another names; one of the two has to be there."""
        value, path = self.optional_text(name), self.optional_text(file)
        if value is None and path is not None:
            try:
                value = Path(path).read_text(encoding="utf-8").strip() or None
            except OSError as error:
                self._wrong(file, path, f"a readable file ({error.strerror or error})")
                return ""
            if value is None:
                self._wrong(file, path, "a file that holds the value; it is empty")
        elif value is None:
            self._problems.append(f"{name} is not set: set it, or {file} to the path of a file that holds it")
        return value or ""

    def secret_file(self, name: str, *, file: str) -> Path | None:
        """The file that the secret comes from, if it does."""
        path = self.optional_text(file)
        return Path(path) if path is not None and self.optional_text(name) is None else None

    def checked(self, name: str, check: Callable[[str], str], *, default: str) -> str:
        """The text after a check that raises ValueError or SettingsError with what is allowed."""
        found = self.text(name, default=default)
        try:
            return check(found)
        except (ValueError, SettingsError) as error:
            self._problems.append(f"{name}: {error}")
            return default

    def choice(self, name: str, *, default: str, allowed: Sequence[str]) -> str:
        """One of the allowed words, whatever the case."""
        found = self.optional_text(name)
        if found is None:
            return default
        for word in allowed:
            if word.casefold() == found.casefold():
                return word
        self._wrong(name, found, f"one of {', '.join(allowed)}")
        return default

    def switch(self, name: str, *, default: bool) -> bool:
        """True or false."""
        found = self.choice(name, default="true" if default else "false", allowed=_TRUE + _FALSE)
        return found in _TRUE

    def optional_whole(self, name: str, *, low: int, high: int) -> int | None:
        """A whole number from low to high, or None."""
        found = self.optional_text(name)
        if found is None:
            return None
        try:
            value = int(found)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            self._wrong(name, found, f"a whole number from {low} to {high}")
            return None
        return value

    def whole(self, name: str, *, default: int, low: int, high: int) -> int:
        """A whole number from low to high."""
        value = self.optional_whole(name, low=low, high=high)
        return default if value is None else value

    def optional_seconds(self, name: str, *, low: float, milliseconds: str | None = None) -> float | None:
        """Seconds, or None; `milliseconds` names an older variable that gives the same in milliseconds and yields to this one."""
        names = [(name, 1.0)] if milliseconds is None else [(name, 1.0), (milliseconds, 1000.0)]
        for variable, parts, found in [(variable, parts, self.optional_text(variable)) for variable, parts in names]:
            if found is None:
                continue
            value = _number(found)
            if value is None or value / parts < low:
                self._wrong(variable, found, f"a number of {'seconds' if parts == 1 else 'milliseconds'}, {low * parts:g} or more")
                return None
            return value / parts
        return None

    def seconds(self, name: str, *, default: float, low: float, milliseconds: str | None = None) -> float:
        """Seconds."""
        value = self.optional_seconds(name, low=low, milliseconds=milliseconds)
        return default if value is None else value

    def numbers(self, name: str, *, low: int) -> Mapping[str, int]:
        """A JSON object of whole numbers, `{"resize": 2}`; empty if unset."""
        found = self.optional_text(name)
        if found is None:
            return {}
        try:
            value = json.loads(found)
        except ValueError:
            value = None
        fits = isinstance(value, dict) and all(type(number) is int and number >= low for number in value.values())
        if not fits:
            self._wrong(name, found, f'a JSON object of whole numbers from {low}, like {{"resize": 2}}')
            return {}
        return {str(kind): number for kind, number in value.items()}

    def _advice(self, unknown: str) -> str:
        import difflib

        near = difflib.get_close_matches(unknown, [key_of(name) for name in self._asked], n=1)
        return f"did you mean {near[0]}?" if near else "docs/worker.md lists all settings"

    def _wrong(self, name: str, found: str, allowed: str) -> None:
        self._problems.append(f"{name} is {found!r}, allowed is {allowed}")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
