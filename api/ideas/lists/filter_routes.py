"""Routes of lists of ideas."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import Field

from api.campaigns.dependencies import Access, reads_in_campaign
from api.ideas.container import ProvidedCounts
from api.ideas.lists import grammar
from api.ideas.lists.errors import ViewNotFound
from api.ideas.lists.filters import term
from api.ideas.lists.grammar import InvalidFilter
from api.ideas.lists.pages import empty_response, respond
from api.ideas.lists.parameters import SeedParameter, SortParameter, Words, combine, read_query, terms_of
from api.ideas.lists.views import find_view, query_of
from api.ideas.schemas import IdeaPage
from api.ideas.steps import Status
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.texts import Line
from api.kernel.web import PageQuery, Reading
from api.kernel.web import router as new_router

router = new_router("", "ideas")

_Reader = Annotated[Access, Depends(reads_in_campaign(Permission.VIEW_CAMPAIGN))]


class FilteredPage(IdeaPage):
    """A page of a filtered list of ideas."""

    query: str = Field(
        description="the filter and the order as one query, which q accepts and a view can save, if it has at most 1,000 characters"
    )
    problem: str | None = Field(description="why the saved view cannot be read; the list is empty then")


@router.get("/campaigns/{campaign_id}/ideas", operation_id="listIdeas", response_model=IdeaPage)
@raises(InvalidFilter)
async def list_all(
    statements: Reading,
    access: _Reader,
    counts: ProvidedCounts,
    paging: PageQuery,
    status: Annotated[list[Status] | None, Query(description="one or more statuses")] = None,
    mine: Annotated[bool, Query(description="only my own ideas")] = False,  # noqa: FBT002 - a query parameter
    backed: Annotated[bool, Query(description="only ideas on which I have or had coins")] = False,  # noqa: FBT002
    author_id: Annotated[UUID | None, Query(description="only ideas of this author")] = None,
    category: Annotated[list[Line] | None, Query(description="one or more categories, in any case")] = None,
    tag: Annotated[list[Line] | None, Query(description="one or more tags, in any case")] = None,
    q: Words = None,
    sort: SortParameter = None,
    seed: SeedParameter = None,
) -> Response:
    """Ideas of the campaign, each with its coins and my stake.

    While coins can be moved, the default order is random, with a fixed order for each user: an order by coins would
    favour the ideas that are leading. `GET .../ideas/filter` has a parameter for each key of a filter.
    """
    terms = terms_of(
        {
            "status": status and list(dict.fromkeys(map(str, status))),
            "author": [str(author_id)] if author_id else None,
            "category": category and list(dict.fromkeys(category)),
            "tag": tag and list(dict.fromkeys(tag)),
        }
    )
    terms += [term("is", name) for name, is_wanted in (("mine", mine), ("backed", backed)) if is_wanted]
    return await respond(statements, access, combine(q, sort, seed, terms), counts, paging)


@router.get("/campaigns/{campaign_id}/ideas/filter", operation_id="filterIdeas", response_model=FilteredPage)
@raises(InvalidFilter, ViewNotFound)
async def filter_all(
    statements: Reading,
    access: _Reader,
    counts: ProvidedCounts,
    paging: PageQuery,
    query: Annotated[grammar.Query, Depends(read_query)],
    view: Annotated[
        UUID | None, Query(description="a saved view: what is given beside it is added to its filter")
    ] = None,
) -> Response:
    """Ideas of the campaign by any combination of filters, as parameters, as the query `q`, or both.

    All terms must hold. With a saved view, a parameter replaces the same key of the view, unless the key can be repeated.
    """
    if view is not None:
        saved = await find_view(statements, access, view)
        of_view, problem = query_of(saved.query)
        if problem is not None:
            return await empty_response(statements, access, {"query": saved.query, "problem": problem})
        query = grammar.Query(
            of_view.filter.replaced_by(query.filter.terms), query.sort or of_view.sort, query.seed or of_view.seed
        )
    return await respond(statements, access, query, counts, paging, fields={"query": str(query), "problem": None})
