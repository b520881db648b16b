"""SQL that names its columns: an added column changes neither a result nor an insert of the version before."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FOLDERS = ("api", "cli", "orchestration", "dbt_project/models", "dbt_project/macros", "dbt_project/tests")
# `count(*)` and products are not columns; `(?<!:)` excludes casts of rows
UNNAMED = re.compile(
    r"""
    \b(?:SELECT|RETURNING)\s+(?:ALL\s+|DISTINCT\s+(?:ON\s*\([^)]*\)\s*)?)?\*  # SELECT *
    | [\w")]\.\*(?!\s*[\d(])                                                  # t.*, (record).*
    | \bINSERT\s+INTO\s+[\w.{}"]+\s+(?:AS\s+\w+\s+)?(?:SELECT|VALUES|TABLE|WITH)\b  # no list of columns
    """,
    re.IGNORECASE | re.VERBOSE,
)


def statements(path: Path) -> Iterator[str]:
    """The SQL of a file: all of it without its comments, or the strings of a Python file that contain a keyword."""
    if path.suffix == ".sql":
        yield re.sub(r"--[^\n]*|\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.search(r"SELECT|INSERT|RETURN", node.value)
        ):
            yield node.value


@pytest.mark.parametrize("folder", FOLDERS)
def test_sql_names_its_columns(folder: str) -> None:
    paths = [path for path in (ROOT / folder).rglob("*") if path.suffix in {".sql", ".py"}]
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in paths
        for statement in statements(path)
        for match in UNNAMED.finditer(statement)
    }
    assert paths
    assert found == set()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM app.ideas", "select distinct on (id) * from x", "SELECT i.*, t.coins FROM app.ideas AS i",
        "INSERT INTO coin_policies SELECT v_new.*", "INSERT INTO app.ideas VALUES (1)", "RETURNING *", "SELECT (p).* FROM p",
        'SELECT "i".* FROM "ideas" AS "i"',
    ],
)  # fmt: skip
def test_an_unnamed_column_is_found(statement: str) -> None:
    assert UNNAMED.search(statement)


@pytest.mark.parametrize(
    "statement", ["SELECT count(*) FROM app.ideas", "SELECT 2.5 * x", "INSERT INTO app.ideas (id) SELECT i.id FROM i"]
)
def test_a_count_or_a_product_is_not(statement: str) -> None:
    assert UNNAMED.search(statement) is None
