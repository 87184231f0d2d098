"""Which tests prove which requirement: reads docs/requirements.md and the marks in tests/.

Prints each id with its tests, then the ids without any. With --open only those.
"""

import argparse
import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| (?P<id>[A-Z]\d+) \| (?P<text>.+) \|$", re.MULTILINE)


def requirements() -> Mapping[str, str]:
    """The text of each requirement by its id, in the order of the table."""
    table = (ROOT / "docs" / "requirements.md").read_text()
    return {row["id"]: row["text"] for row in ROW.finditer(table)}


def proofs() -> Mapping[str, Sequence[str]]:
    """The tests that mark each id, as pytest names them."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for place, mark in marked(ast.parse(path.read_text()), name):
            found[mark].append(place)
    return found


def marked(node: ast.AST, place: str) -> Iterator[tuple[str, str]]:
    """Each test, class or module below a node with each id that marks it."""
    for child in ast.iter_child_nodes(node):
        inside = f"{place}::{child.name}" if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else place
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr == "requirement":
            ids = (argument.value for argument in child.args if isinstance(argument, ast.Constant))
            yield from ((place, mark) for mark in ids if isinstance(mark, str))
        yield from marked(child, inside)


def main() -> None:
    """Print the table for people."""
    options = argparse.ArgumentParser(description="Which tests prove which requirement.")
    options.add_argument("--open", action="store_true", help="only the ids without a test")
    only_open = options.parse_args().open
    wanted, proved = requirements(), proofs()
    missing = [each for each in wanted if not proved.get(each)]
    for each, text in wanted.items():
        if not only_open and each not in missing:
            print(f"{each:4} {text}")
            for place in proved[each]:
                print(f"       {place}")
    print(f"\n{len(wanted) - len(missing)} of {len(wanted)} requirements have a test; without one:")
    for each in missing:
        print(f"{each:4} {wanted[each]}")


if __name__ == "__main__":
    main()
