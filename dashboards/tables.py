"""Small tables as HTML: they follow the theme, work with screen readers, and escape every cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, and whether its cells are numbers (aligned right) or short texts (kept on one line)."""

    title: str
    is_number: bool = False
    hint: str = ""
    is_short: bool = False


def table(
    label: str, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, marked: frozenset[int] = frozenset()
) -> None:
    """Show a table of formatted texts; `label` names it for screen readers. Rows in `marked`, by index, are highlighted as wrong."""
    wrong = ' class="im-wrong"'
    head = "".join(f'<th scope="col"{_kind(column)}>{escape(column.title)}</th>' for column in columns)
    body = "".join(
        f"<tr{wrong if number in marked else ''}>"
        + "".join(
            f'<td{_kind(column)} dir="auto">{escape(cell)}</td>' for column, cell in zip(columns, row, strict=True)
        )
        + "</tr>"
        for number, row in enumerate(rows)
    )
    st.html(
        f'<div class="im-scroll" role="region" tabindex="0" aria-label="{escape(label)}">'
        f'<table class="im-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{_hints(columns)}'
    )


def _hints(columns: Sequence[Column]) -> str:
    """What the columns mean, for those that say so; opened by mouse, keyboard or touch."""
    hints = "".join(
        f"<dt>{escape(column.title)}</dt><dd>{escape(column.hint)}</dd>" for column in columns if column.hint
    )
    if not hints:
        return ""
    return f'<details class="im-definition"><summary>What the columns mean</summary><dl>{hints}</dl></details>'


def _kind(column: Column) -> str:
    if column.is_number:
        return ' class="im-number"'
    return ' class="im-short"' if column.is_short else ""
