"""The name of the schema: committed SQL says `taskfleet.`, an installation may choose another name.

SQL stays whole files that psql runs as they are; the qualifier is the one thing replaced in them, by a validated, quoted name.
"""

import re

from taskfleet.errors import SettingsError

DEFAULT_SCHEMA = "taskfleet"

_ALLOWED = re.compile(r"[a-z_][a-z0-9_]{0,47}")
"""Short enough that names made from it (channels, partitions) stay below PostgreSQL's 63 bytes."""
_QUALIFIER = re.compile(r"(?<![\w.\"])taskfleet\.(?=[a-z_\"])|(?<=\bSCHEMA )taskfleet\b|(?<=\bEXISTS )taskfleet(?=\s*(?:;|CASCADE))")


def validated_schema(name: str) -> str:
    """The name itself; raises SettingsError unless it is a plain lower-case identifier that PostgreSQL does not keep for itself."""
    if not _ALLOWED.fullmatch(name) or name.startswith("pg_") or name in {"public", "information_schema"}:
        message = (
            f"schema {name!r} cannot be used: it takes 1 to 48 of a-z, 0-9 and _, no digit first, "
            "not public, information_schema or pg_…; set TASKFLEET_SCHEMA to such a name"
        )
        raise SettingsError(message)
    return name


def in_schema(sql: str, schema: str) -> str:
    """SQL written for the schema `taskfleet`, for another one: `taskfleet.tasks` becomes `"other".tasks`."""
    return sql if schema == DEFAULT_SCHEMA else _QUALIFIER.sub(lambda found: _quoted(found.group(), schema), sql)


def _quoted(found: str, schema: str) -> str:
    return f'"{validated_schema(schema)}"' + ("." if found.endswith(".") else "")
