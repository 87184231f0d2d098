"""Settings of the operator: environment variables with the prefix TASKFLEET_OPERATOR_, over a YAML file that is read again when it changes.

Where the database is and how to speak to it are settings of the queue (taskfleet.settings), with the prefix TASKFLEET_.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from taskfleet.errors import SettingsError
from taskfleet_operator.process.logs import LogFormat

PREFIX: Final = "TASKFLEET_OPERATOR_"
_FILE: Final = "content of the settings file"
_log = logging.getLogger(__name__)


def _words(value: object) -> object:
    """Take `a, b` for a list, as an environment variable holds it."""
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]


class OperatorSettings(BaseSettings):
    """How one operator behaves. What a queue wants is in its TaskQueue."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, use_attribute_docstrings=True)

    tick_seconds: float = Field(default=2.0, ge=0.1, le=60)
    """Seconds from one look at the fleet to the next. 2 s: the law's figures are measured with it; longer is cheaper and slower."""

    global_max_replicas: int = Field(default=1_000, ge=0, le=1_000_000)
    """Workers of all queues together. Priorities and weights of the TaskQueues share it out."""

    statement_timeout_seconds: float = Field(default=5.0, ge=0.1, le=300)
    """Longest time one statement of the operator may take in a database; the measuring query takes milliseconds."""

    save_seconds: float = Field(default=10.0, ge=0.1, le=3_600)
    """Seconds between two saves of what the scaling law remembers, and of an unchanged decision's numbers."""

    status_seconds: float = Field(default=30.0, ge=1, le=3_600)
    """Longest time between two writes of an unchanged status; spread by a fifth so that queues do not write together."""

    secret_seconds: float = Field(default=60.0, ge=1, le=3_600)
    """Seconds after which a Secret is read again; an authentication error reads it at once."""

    maintenance: bool = True
    """Whether this operator also recovers leases, expires tasks and folds ledgers (workers do it too; one at a time works)."""

    log_format: LogFormat | Literal["auto"] = "auto"
    """json, text, or auto: text at a terminal and json elsewhere."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least level that is logged."""

    metrics_host: str | None = None
    """Address for /livez, /readyz and /metrics. Unset: every address in a cluster, 127.0.0.1 locally."""

    metrics_port: int | None = Field(default=None, ge=0, le=65_535)
    """Port for /livez, /readyz and /metrics; 0 takes any free one. Unset: 8080 in a cluster, none locally."""

    namespaces: Words = ()
    """Namespaces whose TaskQueues are followed, separated by commas. Unset: all."""

    lease_name: str = Field(default="taskfleet-operator", min_length=1, max_length=253)
    """Name of the Lease that decides which of several operators writes."""

    lease_namespace: str | None = None
    """Namespace of that Lease. Unset: the operator's own."""

    local_restart_seconds: float = Field(default=1.0, ge=0.05, le=300)
    """Locally: pause before a crashed worker process is started again; it doubles with each crash in a row."""

    local_longest_restart_seconds: float = Field(default=60.0, ge=0.05, le=3_600)
    """Locally: the longest such pause. A worker that lived for this long starts anew at the shortest."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the command line over the environment, and that over the file, which comes along as one more argument."""
        del dotenv_settings, file_secret_settings
        assert isinstance(init_settings, InitSettingsSource)
        given = dict(init_settings.init_kwargs)
        content = given.pop(_FILE, {})
        return InitSettingsSource(settings_cls, given), env_settings, InitSettingsSource(settings_cls, content)

    @classmethod
    def load(cls, file: Path | None = None, **overrides: object) -> Self:
        """Read the settings; `overrides` (the command line's, None left out) win over everything.

        Raises SettingsError that names every wrong setting, what was found and what is allowed.
        """
        given = {name: value for name, value in overrides.items() if value is not None}
        arguments: dict[str, Any] = {_FILE: _content_of(file) if file else {}, **given}
        try:
            return cls(**arguments)
        except ValidationError as error:
            raise SettingsError(_in_words(error)) from None


class SettingsFile:
    """The settings as they are now: read again when the file changes. A broken file is logged once, and the last good one stays."""

    def __init__(self, file: Path | None, **overrides: object) -> None:
        self._file, self._overrides = file, overrides
        self._stamp = self._stamp_now()
        self._settings = OperatorSettings.load(file, **overrides)

    def current(self) -> OperatorSettings:
        """Give the settings, new ones if the file has changed."""
        stamp = self._stamp_now()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._settings = OperatorSettings.load(self._file, **self._overrides)
                _log.info("settings.reloaded", extra={"file": str(self._file)})
            except SettingsError as error:
                _log.error("settings.broken", extra={"file": str(self._file), "error": str(error)})
        return self._settings

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat() if self._file else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_ino) if found else None


def _content_of(file: Path) -> dict[str, Any]:
    """Read a settings file; keys may be written in camelCase as in a ConfigMap, or as the fields are named."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"the settings file {file} cannot be read: {error}"
        raise SettingsError(message) from error
    if not isinstance(content, Mapping):
        message = f"the settings file {file} must hold `name: value` lines, found {type(content).__name__}"
        raise SettingsError(message)
    return {_snake(str(name)): value for name, value in content.items()}


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _in_words(error: ValidationError) -> str:
    faults = []
    for fault in error.errors(include_url=False):
        name = str(fault["loc"][0]) if fault["loc"] else "settings"
        if fault["type"] == "extra_forbidden":
            faults.append(f"{name} is no setting; these are: {', '.join(OperatorSettings.model_fields)}")
        else:
            faults.append(f"{name} ({PREFIX}{name.upper()}): found {fault['input']!r}: {fault['msg']}")
    return "wrong settings of the operator: " + "; ".join(faults)
