"""Settings from a file: TOML, each key a variable's name without TASKFLEET_, in small letters; maps per kind are tables.

concurrency = 8
lease_seconds = 120

[kind_concurrency]
resize = 2
"""

import json
from collections.abc import Mapping
from pathlib import Path

from taskfleet.errors import SettingsError

PREFIX = "TASKFLEET_"


def read_settings_file(path: Path) -> Mapping[str, str]:
    """What the file says, under the names of the variables and in their form; raises SettingsError for a file that cannot be read."""
    import tomllib

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{PREFIX}SETTINGS_FILE is {str(path)!r}, allowed is a readable file ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}") from error
    return {variable_of(key): _text(value) for key, value in content.items()}


def variable_of(key: str) -> str:
    """The variable that a key of the file stands for: `concurrency` is TASKFLEET_CONCURRENCY."""
    return PREFIX + key.upper()


def key_of(variable: str) -> str:
    """The key of the file that stands for a variable."""
    return variable.removeprefix(PREFIX).lower()


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, default=str)
