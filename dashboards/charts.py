"""Charts as Plotly figures. They use names of the theme's colours, which Streamlit replaces for light or dark.

Plotly interprets some HTML in labels. All texts pass :func:`plain`, so that they are shown as written.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import pandas as pd  # noqa: F401 - Plotly looks for it in the loaded modules, where another thread's import may be incomplete
import plotly.graph_objects as go
import plotly.io as pio
import polars as pl
import streamlit as st
from plotly.subplots import make_subplots

from pipelines import wording
from pipelines.marts import GROUP_SIZE_MIN

_ROW_PX: Final = 34
_TITLE_CHARACTERS: Final = 36
_CONFIG: Final = {"displayModeBar": False, "typesetMath": False, "displaylogo": False}
# Indexes of the theme's colours: blue for accepted ideas, grey and orange for refused ones. Colours that some readers cannot
# distinguish have different patterns.
STATUS_MARKS: Final[Mapping[str, tuple[int, str]]] = {
    "competing": (0, ""),
    "accepted": (2, "+"),
    "in_progress": (5, "/"),
    "complete": (7, "x"),
    "not_selected": (6, "-"),
    "rejected": (1, ""),
    "stopped": (3, "\\"),
    "pending": (4, "."),
    "withdrawn": (8, "|"),
    "merged": (9, "|"),
}
_HOLDINGS: Final = (
    ("wallet_coins", "In wallets"),
    ("held_coins", "Held"),
    ("staked_coins", "Staked"),
    ("expired_coins", "Expired"),
    ("carried_out_coins", "Carried out"),
)


def show(figure: go.Figure, *, key: str, alt: str) -> None:
    """Draw a figure over the full width, without Plotly's tool bar."""
    st.plotly_chart(figure, theme="streamlit", config=_CONFIG, key=key, alt=alt)


def plain(text: str) -> str:
    """Escape a text for Plotly, so that its tags, entities and placeholders have no effect."""
    return escape(text, quote=False).replace("%{", "%\N{ZERO WIDTH SPACE}{")


def ideas_by_coins(ideas: pl.DataFrame) -> go.Figure:
    """Bars of coins, most coins first, with a colour per status. Columns as of `Marts.ideas`."""
    figure = go.Figure()
    for status in ideas["status"].unique(maintain_order=True):
        part = ideas.filter(pl.col("status") == status)
        figure.add_bar(
            y=part["idea_id"].to_list(),
            x=part["coins"].to_list(),
            name=plain(wording.status_title(status)),
            marker=_mark(status),
            orientation="h",
            text=[wording.count(coins) for coins in part["coins"]],
            textposition="outside",
            cliponaxis=False,
            hovertext=[_idea_hover(row) for row in part.iter_rows(named=True)],
            hoverinfo="text",
        )
    titles = {row["idea_id"]: row["title"] for row in ideas.iter_rows(named=True)}
    _label_rows(figure, titles)
    figure.update_xaxes(visible=False, range=[0, max([1, *ideas["coins"].to_list()]) * 1.15])
    figure.update_layout(barmode="stack", height=_height(ideas.height), bargap=0.35, showlegend=True, legend=_legend())
    return _framed(figure)


def coins_over_time(days: pl.DataFrame) -> go.Figure:
    """The coins at work at the end of each day. Columns as of `Marts.coins_over_time`."""
    figure = go.Figure()
    figure.add_scatter(
        x=days["day"].to_list(),
        y=days["coins_at_work"].to_list(),
        mode="lines",
        line={"width": 2.5, "shape": "hv"},
        fill="tozeroy",
        hovertemplate="%{x|%-d %b %Y}: %{y:,} coins<extra></extra>",
        showlegend=False,
    )
    figure.update_yaxes(rangemode="tozero", tickformat=",", nticks=5)
    # days of a short time have a tick each: Plotly would divide them into hours and less
    short: dict[str, Any] = (
        {"tickmode": "array", "tickvals": days["day"].to_list()} if days.height <= 6 else {"nticks": 6}
    )
    figure.update_xaxes(showgrid=False, tickformat="%-d %b\n%Y", **short)
    figure.update_layout(height=260)
    return _framed(figure)


def participation_by_group(groups: pl.DataFrame, *, is_imported: bool) -> go.Figure:
    """A bar per group: the share of its members who took part or, in an imported election, the number of voters.

    Columns as of `Marts.participation_by_group`, for one attribute, without suppressed groups.
    """
    rows = groups.to_dicts()
    names = [plain(wording.shortened(row["group_name"], _TITLE_CHARACTERS)) for row in rows]
    values = [row["participants"] if is_imported else row["participants"] / row["members"] for row in rows]
    labels = [wording.count(value) if is_imported else wording.percent(value) for value in values]
    hover = [
        f"{name}: {wording.count(row['participants'])} "
        + ("voters" if is_imported else f"of {wording.count(row['members'])} members")
        + f", {wording.count(row['coins'])} coins"
        for name, row in zip(names, rows, strict=True)
    ]
    figure = go.Figure()
    figure.add_bar(
        y=list(range(len(rows))), x=values, orientation="h", text=labels, textposition="outside", cliponaxis=False,
        hovertext=hover, hoverinfo="text", showlegend=False,
    )  # fmt: skip
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=names, autorange="reversed", showgrid=False)
    figure.update_xaxes(visible=False, range=[0, max([*values, 0.01]) * 1.2])
    figure.update_layout(height=_height(len(rows)), bargap=0.35)
    return _framed(figure)


def holdings(conservation: pl.DataFrame) -> go.Figure:
    """Shares of each campaign's coins by account. Columns as of `Marts.conservation`."""
    figure = go.Figure()
    rows = conservation.to_dicts()
    totals = [max(1, sum(row[name] for name, _ in _HOLDINGS)) for row in rows]
    for name, title in _HOLDINGS:
        if not conservation[name].sum():
            continue
        shares = [row[name] / total for row, total in zip(rows, totals, strict=True)]
        figure.add_bar(
            y=[row["campaign_id"] for row in rows], x=shares, name=title, orientation="h",
            hovertext=[f"{title}: {wording.count(row[name])} coins ({wording.percent(share)})"
                       for row, share in zip(rows, shares, strict=True)],
            hoverinfo="text",
            text=[wording.percent(share) if share >= 0.06 else "" for share in shares],
            textposition="inside", insidetextanchor="middle", textangle=0,
        )  # fmt: skip
    _label_rows(figure, {row["campaign_id"]: row["title"] for row in rows})
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_layout(barmode="stack", height=_height(len(rows)), bargap=0.35, showlegend=True, legend=_legend())
    return _framed(figure)


def retention(cohorts: pl.DataFrame) -> go.Figure:
    """A heat map: a row per cohort, a column per month since joining. Columns as of `Marts.cohorts`."""
    months = sorted(cohorts["cohort_month"].unique())
    since = list(range(max(cohorts["months_since"].to_list()) + 1))
    cells = {(row["cohort_month"], row["months_since"]): row for row in cohorts.iter_rows(named=True)}
    shares: list[list[float | None]] = []
    texts: list[list[str]] = []
    hover: list[list[str]] = []
    for month in months:
        row = [cells.get((month, number)) for number in since]
        shares.append([None if cell is None else cell["retention"] for cell in row])
        texts.append([_retention_text(cell) for cell in row])
        hover.append([_retention_hover(cell) for cell in row])
    sizes = {month: cells[month, 0]["members"] if (month, 0) in cells else None for month in months}
    figure = go.Figure()
    figure.add_heatmap(
        x=since, y=list(range(len(months))), z=shares, text=texts, texttemplate="%{text}",
        textfont_size=11, hovertext=hover,
        hoverinfo="text", xgap=2, ygap=2, coloraxis="coloraxis",
    )  # fmt: skip
    # two lines and small texts, so that nine months fit on a telephone
    labels = [f"{wording.month(month)}<br>{wording.people(sizes[month])} people" for month in months]
    figure.update_yaxes(tickvals=list(range(len(months))), ticktext=labels, autorange="reversed", showgrid=False)
    figure.update_xaxes(tickvals=since, title="Months since joining", side="top", showgrid=False)
    figure.update_yaxes(zeroline=False, ticks="")
    figure.update_xaxes(ticks="")
    figure.update_layout(height=110 + 42 * len(months), coloraxis={"cmin": 0, "cmax": 1, "showscale": False})
    return _framed(figure)


def expected_and_realised(outcomes: pl.DataFrame, currency: str) -> go.Figure:
    """Two panels, cost and value: a hollow mark is expected, a filled one realised. Columns as of `Marts.roi`."""
    figure = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.05)
    rows = outcomes.to_dicts()
    for panel, subject in enumerate(("cost", "value"), start=1):
        figure.add_scatter(**_spans(rows, subject), row=1, col=panel)
        for kind, symbol, colour in (("expected", "circle-open", _colour(2)), ("realised", "circle", _colour(0))):
            known = [row for row in rows if row[f"{kind}_{subject}"] is not None]
            figure.add_scatter(
                x=[float(row[f"{kind}_{subject}"]) for row in known],
                y=[row["idea_id"] for row in known],
                mode="markers",
                name=kind.capitalize(),
                legendgroup=kind,
                showlegend=panel == 1,
                cliponaxis=False,
                marker={"symbol": symbol, "size": 11, "color": colour, "line": {"width": 2, "color": colour}},
                hovertext=[
                    f"{_wrapped(row['title'])}<br>{kind} {subject}: "
                    + plain(wording.money(row[f"{kind}_{subject}"], currency))
                    for row in known
                ],
                hoverinfo="text",
                row=1,
                col=panel,
            )
        figure.update_xaxes(title=f"{subject.capitalize()}, {plain(currency)}", row=1, col=panel)
    _label_rows(figure, {row["idea_id"]: row["title"] for row in rows})
    figure.update_xaxes(rangemode="tozero", tickformat="~s", nticks=6, zeroline=False, showgrid=True)
    figure.update_layout(height=_height(len(rows)) + 50, showlegend=True, legend=_legend())
    return _framed(figure)


def _spans(rows: Sequence[Mapping[str, Any]], subject: str) -> dict[str, Any]:
    """Lines from the expected to the realised amount, if both are known."""
    x: list[float | None] = []
    y: list[str | None] = []
    for row in rows:
        ends = (row[f"expected_{subject}"], row[f"realised_{subject}"])
        if None not in ends:
            x += [*map(float, ends), None]
            y += [row["idea_id"], row["idea_id"], None]
    line = {"width": 2, "color": "rgba(128, 140, 138, 0.6)"}
    return {"x": x, "y": y, "mode": "lines", "line": line, "hoverinfo": "skip", "showlegend": False}


def _retention_text(cell: Mapping[str, object] | None) -> str:
    if cell is None:
        return ""
    share = cell["retention"]
    return f"{share:.0%}" if isinstance(share, float) else f"<{GROUP_SIZE_MIN}"


def _retention_hover(cell: Mapping[str, object] | None) -> str:
    if cell is None:
        return ""
    if cell["retention"] is None:
        return f"Not shown for {wording.FEWER_PEOPLE}"
    return f"{cell['active_members']} of {cell['members']} were active"


def _idea_hover(row: Mapping[str, Any]) -> str:
    return f"{_wrapped(row['title'])}<br>{wording.count(row['coins'])} coins, {wording.people(row['backers'])} backers"


def _wrapped(text: str, characters: int = 60, lines: int = 4) -> str:
    """A title wrapped after about `characters`; a text of more than `lines` ends with an ellipsis."""
    parts = textwrap.wrap(text, characters, max_lines=lines, placeholder="…", break_on_hyphens=False)
    return "<br>".join(plain(part) for part in parts)


def _colour(index: int) -> str:
    """A name that Streamlit replaces by the theme's colour with this index."""
    name: str = pio.templates["streamlit"].layout.colorway[index]
    return name


def _mark(status: str) -> Mapping[str, Any]:
    colour, pattern = STATUS_MARKS.get(status, (0, ""))
    return {"color": _colour(colour), "pattern": {"shape": pattern, "fillmode": "overlay", "size": 6, "solidity": 0.25}}


def _label_rows(figure: go.Figure, titles: Mapping[str, str]) -> None:
    """Label the rows with their titles. Rows are identified by ids, since titles may repeat."""
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=list(titles),
        autorange="reversed",
        tickvals=list(titles),
        ticktext=[_wrapped(title, _TITLE_CHARACTERS, lines=2) for title in titles.values()],
        showgrid=False,
    )


def _height(rows: int) -> int:
    return 40 + _ROW_PX * max(1, rows)


def _legend() -> Mapping[str, object]:
    return {
        "orientation": "h",
        "y": 1,
        "yanchor": "bottom",
        "x": 0,
        "xanchor": "left",
        "title": None,
        "traceorder": "normal",
    }


def _framed(figure: go.Figure) -> go.Figure:
    figure.update_layout(
        margin={"l": 0, "r": 10, "t": 30 if figure.layout.showlegend else 8, "b": 0},
        dragmode=False,
        hoverlabel={"align": "left"},
    )
    figure.update_yaxes(automargin=True, fixedrange=True)
    figure.update_xaxes(automargin=True, fixedrange=True)
    return figure


def order_of(attributes: Sequence[str]) -> list[str]:
    """Attributes in display order."""
    known = list(wording.ATTRIBUTES)
    return sorted(attributes, key=lambda name: (known.index(name) if name in known else len(known), name))
