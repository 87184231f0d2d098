"""The plans that PostgreSQL really ran, nested ones in functions included, as auto_explain tells them."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.errors import Diagnostic

_SETTINGS = {
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
}


@dataclass(frozen=True, kw_only=True)
class Node:
    """One step of a plan that reads a relation."""

    statement: str
    """The beginning of the statement it belongs to."""
    kind: str
    relation: str
    index: str | None
    rows: float
    """Rows it looked at, those it passed over included."""


@asynccontextmanager
async def watched(connection: AsyncConnection[Any]) -> AsyncIterator[list[Node]]:
    """The reads of all that the connection runs in the body."""
    nodes: list[Node] = []

    def remember(notice: Diagnostic) -> None:
        text = notice.message_primary or ""
        if text.startswith("duration:"):
            plan = json.loads(text.partition("plan:")[2])
            nodes.extend(_reads(plan["Plan"], " ".join(plan["Query Text"].split())))

    await connection.execute("LOAD 'auto_explain'")
    for name, value in _SETTINGS.items():
        await connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    connection.add_notice_handler(remember)
    try:
        yield nodes
    finally:
        connection.remove_notice_handler(remember)
        await connection.execute("SELECT set_config('auto_explain.log_min_duration', '-1', false)")


def _reads(plan: dict[str, Any], statement: str, relation: str = "") -> Iterator[Node]:
    relation = plan.get("Relation Name", relation if plan["Node Type"].startswith("Bitmap") else "")
    if "Scan" in plan["Node Type"] and (relation or "Index Name" in plan):
        rows = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
        yield Node(statement=statement[:200], kind=plan["Node Type"], relation=relation, index=plan.get("Index Name"), rows=rows)
    for child in plan.get("Plans", []):
        yield from _reads(child, statement, relation)
