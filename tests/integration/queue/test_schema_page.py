"""What the page on the schema says is so."""

import re
from pathlib import Path

import pytest

from tests.integration.queue.scene import Scene

PAGE = (Path(__file__).parents[3] / "docs/schema.md").read_text(encoding="utf-8")
STATEMENTS = [
    statement.strip() for block in re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) for statement in block.split(";")
]


@pytest.mark.parametrize("statement", [statement for statement in STATEMENTS if statement])
async def test_statement_on_the_page_runs(scene: Scene, statement: str) -> None:
    await scene.claimed(2)
    await scene.fill(3)

    (row,) = await scene.rows(statement)

    assert row["name"] == "send"


async def test_every_relation_is_on_the_page(scene: Scene) -> None:
    rows = await scene.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'taskfleet'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"
    )

    assert [row["relname"] for row in rows if f"`{row['relname']}`" not in PAGE] == []
