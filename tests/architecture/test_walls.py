"""The walls: files and functions that nobody has to scroll through. (Parameters: ruff's PLR0913.)"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import files, python_files, shown

LINES_OF_A_FILE = 500
LINES_OF_A_FUNCTION = 60


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_no_file_is_longer_than_the_wall() -> None:
    sources = (*python_files(), *files(suffix=".sql"), *files(suffix=".sh"))
    handwritten = (path for path in sources if path.name != "schema.sql")

    too_long = {shown(path): count for path in handwritten if (count := len(path.read_text().splitlines())) > LINES_OF_A_FILE}

    assert too_long == {}


def test_no_function_is_longer_than_the_wall() -> None:
    too_long = {
        f"{shown(path)}:{function.lineno} {function.name}": lines(function)
        for path in python_files()
        for function in functions(path)
        if lines(function) > LINES_OF_A_FUNCTION
    }

    assert too_long == {}
