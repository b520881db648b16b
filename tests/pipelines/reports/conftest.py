"""Content of the small snapshot for reports, also with hostile titles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from pipelines import marts
from pipelines.marts import Marts
from pipelines.reports.content import Content, read_content
from tests.factories.marts import write_snapshot

WithTitles = Callable[..., Content]


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the small snapshot."""
    folder = tmp_path_factory.mktemp("published")
    write_snapshot(folder)
    return folder


@pytest.fixture(scope="session")
def reader(published: Path) -> Iterator[Marts]:
    with marts.open_snapshot(published, marts.Scope.ALL) as reader:
        yield reader


@pytest.fixture
def read(reader: Marts) -> Callable[[str], Content]:
    """Reads the content of a report from the small snapshot, by slug."""
    return lambda slug: read_content(reader, slug)


@pytest.fixture
def with_titles(read: Callable[[str], Content]) -> WithTitles:
    """The content of "greener-offices" with other titles of the ideas and the campaign."""

    def retitled(titles: list[str], *, campaign_title: str | None = None) -> Content:
        content = read("greener-offices")
        new = dict(zip(content.ideas["idea_id"], titles, strict=False))
        title = pl.col("idea_id").replace_strict(new, default=pl.col("title")).alias("title")
        campaign = replace(content.campaign, title=campaign_title or content.campaign.title)
        ideas, roi = content.ideas.with_columns(title), content.roi.with_columns(title)
        return replace(content, campaign=campaign, ideas=ideas, roi=roi)

    return retitled
