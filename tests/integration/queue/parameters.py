"""Something to put into every parameter of every query, read from the query itself: a new one needs no word here, or one line."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from psycopg.types.json import Jsonb

_PLACEHOLDER = re.compile(r"%\((\w+)\)s(?:::(double precision|\w+)(\[\])?)?")

_BY_TYPE: Mapping[str, object] = {
    "bigint": 1,
    "boolean": False,
    "date": datetime.now(UTC).date(),
    "double precision": 60.0,
    "integer": 1,
    "jsonb": Jsonb({}),
    "smallint": 3,
    "text": "x",
    "timestamptz": datetime.now(UTC),
    "uuid": UUID(int=2),
}


def parameters_for(query: str, known: Mapping[str, object]) -> Mapping[str, object]:
    """A value for each placeholder: what is known by its name, else something of its type; lists are of one length."""
    found: dict[str, object] = {}
    length = len(known["task_ids"]) if "%(task_ids)s" in query and isinstance(known["task_ids"], list) else 1
    for name, sort, many in _PLACEHOLDER.findall(query):
        if name in known:
            found[name] = known[name]
        else:
            assert sort, f"parameter {name} has neither a cast that tells its type nor a known value: {query}"
            found[name] = [_BY_TYPE[sort]] * length if many else _BY_TYPE[sort]
    return found
