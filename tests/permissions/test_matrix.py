"""Every operation as every role in every kind of campaign: the exact status, and nothing disclosed of a hidden one.

The full matrix is marked `deep`; a few operations, one of each kind of rule, run in every suite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.main import create_app
from cli.generate import openapi
from tests.factories.containers import parts
from tests.permissions.cells import Cell, Operation, cells_of, expected_status, read_operations, send
from tests.permissions.worlds import Actor

if TYPE_CHECKING:
    from httpx2 import Response

    from tests.permissions.worlds import World

ALWAYS = {"getMe", "createCampaign", "getCoinChain", "addMember", "getIdea", "getCoinBalance", "bulkAllocateCoins"}
OPERATIONS = read_operations(openapi.document())
EACH_OPERATION = pytest.mark.parametrize(
    "operation",
    [
        pytest.param(
            operation,
            id=f"{operation.name}{'-' if operation.variant else ''}{operation.variant}",
            marks=[] if operation.name in ALWAYS else [pytest.mark.deep],
        )
        for operation in OPERATIONS
    ],
)


def disclosed(response: Response) -> Any:
    """The parts of a response that a client sees, without those that differ for each request."""
    headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        body = {name: value for name, value in response.json().items() if name not in {"request_id", "instance"}}
        return response.status_code, headers, body
    return response.status_code, headers, response.text


@EACH_OPERATION
async def test_every_operation_has_the_exact_status_and_discloses_nothing_hidden(
    world: World, operation: Operation
) -> None:
    """If the caller may not see the campaign or the idea, the whole response is that for ids that do not exist."""
    responses = {cell: await send(world, cell) for cell in cells_of(operation, world)}
    wrong = [
        f"{cell}: {response.status_code}, not {expected_status(cell)}: {response.text[:200]}"
        for cell, response in responses.items()
        if response.status_code != expected_status(cell)
    ]
    assert wrong == []
    for cell, response in responses.items():
        if operation.is_on_campaign and (cell.is_hidden or must_be_alike(cell)):
            nowhere = Cell(operation, cell.actor, world.places["unknown"], cell.idea)
            assert disclosed(response) == disclosed(responses[nowhere]), str(cell)


def must_be_alike(cell: Cell) -> bool:
    """Whether the response depends on the caller's wallet or managing role, and the caller has none here."""
    is_outside = cell.actor in {
        Actor.ANONYMOUS,
        Actor.OUTSIDER,
        Actor.PERMISSION_HOLDER,
        Actor.OTHER_MANAGER,
        Actor.OBSERVER,
        Actor.DATA_ENGINEER,
        Actor.DATA_VIEWER,
        Actor.SERVICE_ACCOUNT,
    }
    return cell.operation.hidden_campaign == "alike" and is_outside


class TestFastPath:
    @pytest.mark.parametrize("name", ["allocateCoins", "reallocateCoins"])
    async def test_has_the_statuses_of_the_routes(self, world: World, name: str) -> None:
        """The fast path commits; one coin of a wallet with a hundred does not affect the other cells."""
        (operation,) = (operation for operation in OPERATIONS if operation.name == name)
        for cell in cells_of(operation, world):
            response = await send(world, cell, is_dry_run=False)
            assert response.status_code == expected_status(cell), f"{cell}: {response.text}"

    @pytest.mark.parametrize("name", ["allocateCoins", "reallocateCoins"])
    async def test_discloses_nothing_of_a_hidden_campaign(self, world: World, name: str) -> None:
        (operation,) = (operation for operation in OPERATIONS if operation.name == name)
        for cell in cells_of(operation, world):
            if must_be_alike(cell):
                nowhere = Cell(operation, cell.actor, world.places["unknown"])
                found, unknown = [await send(world, each, is_dry_run=False) for each in (cell, nowhere)]
                assert disclosed(found) == disclosed(unknown), str(cell)


class TestSize:
    def test_every_operation_has_cells(self, world: World) -> None:
        """The matrix is derived from the document of the running application."""
        running = {operation.name for operation in read_operations(world.app.openapi())}
        assert {operation.name for operation in OPERATIONS} == running
        assert create_app(parts(world.app).settings).openapi()["paths"].keys() == world.app.openapi()["paths"].keys()
        assert sum(1 for operation in OPERATIONS for _ in cells_of(operation, world)) > 1000
