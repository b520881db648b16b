"""The cells of the matrix: the requests of each operation, and the status that each must have.

The expected status follows from the rule that the operation declares in the OpenAPI document, from the table of roles and
permissions, and from the few refusals below that state a rule of the domain and not of access.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from starlette.requests import Request

from api.kernel import web
from api.kernel.permissions import GRANTS, TAKING_PART, Permission, Relation
from api.kernel.scopes import SCOPE_OF
from tests.attachments.files import picture
from tests.factories.campaigns import DESCRIPTION
from tests.factories.containers import parts
from tests.factories.users import PASSWORD
from tests.permissions.worlds import CAMPAIGN_ROLES, PERMISSIONS, PERSONS, POLICY, SCOPES, Actor, Place, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from httpx2 import Response
    from sqlalchemy.ext.asyncio import AsyncSession

    Sent = dict[str, Any]

API = "/api/v1"
NEW_PASSWORD = "eleven quiet herons waiting"


@dataclass(frozen=True)
class Operation:
    """An operation of the OpenAPI document; `variant` distinguishes several requests of it."""

    name: str
    method: str
    path: str
    scope: str
    permissions: frozenset[str]
    hidden_campaign: str | None
    token_scopes: tuple[frozenset[str], ...] | None
    success: int
    reads_cookie: bool
    has_dry_run: bool
    variant: str = ""

    @property
    def is_on_idea(self) -> bool:
        return "{idea_id}" in self.path

    @property
    def is_on_campaign(self) -> bool:
        return self.hidden_campaign is not None


@dataclass(frozen=True)
class Cell:
    """One request by one actor in one place; `idea` is the status of the idea, if the operation concerns one."""

    operation: Operation
    actor: Actor
    place: Place
    idea: str = ""
    roles: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        author = {Relation.AUTHOR} if self.actor is Actor.AUTHOR and self.place.exists else set()
        on_idea = author if self.operation.is_on_idea else set()
        object.__setattr__(self, "roles", self.place.roles(self.actor) | on_idea)

    def __str__(self) -> str:
        names = (self.operation.name, self.operation.variant, self.actor, self.place.kind, self.idea)
        return " / ".join(name for name in names if name)

    @property
    def permissions(self) -> frozenset[str]:
        """The permissions that the actor has here."""
        granted = frozenset[str]().union(*(GRANTS[role] for role in self.roles))
        granted |= PERMISSIONS.get(self.actor, frozenset())
        scopes = SCOPES.get(self.actor)
        if scopes is None:
            return granted
        return frozenset(each for each in granted if SCOPE_OF.get(Permission(each)) in scopes)

    @property
    def is_unidentified(self) -> bool:
        """Whether the request has no credentials of the kind that the operation reads."""
        is_missing = self.actor is Actor.ANONYMOUS or (self.operation.reads_cookie and self.actor in SCOPES)
        return is_missing and self.operation.scope != "public"

    @property
    def has_scopes(self) -> bool:
        """Whether an API token, if the actor has one, may be used for the operation."""
        needed, scopes = self.operation.token_scopes, SCOPES.get(self.actor)
        return scopes is None or (needed is not None and all(scopes & each for each in needed))

    @property
    def is_allowed(self) -> bool:
        """Whether the declared rule allows the actor."""
        if self.operation.scope == "self":
            return self.actor is not Actor.ANONYMOUS
        if self.operation.scope != "public" and self.actor is Actor.ANONYMOUS:
            return False
        return not self.operation.permissions or bool(self.operation.permissions & self.permissions)

    @property
    def is_hidden(self) -> bool:
        """Whether the response must be that of a resource that does not exist."""
        is_visible = self.place.exists and Permission.VIEW_CAMPAIGN in self.permissions
        if self.idea == "pending":
            is_visible = is_visible and Permission.VIEW_ALL_IDEAS in self.permissions
        return not is_visible


def expected_status(cell: Cell) -> int:
    """The exact expected status of the cell."""
    if cell.is_unidentified:
        return 401
    if not cell.has_scopes:
        return 403
    return _status_of_right(cell)


def _status_of_right(cell: Cell) -> int:
    operation = cell.operation
    if operation.hidden_campaign == "alike":
        return operation.success if _is_served_alike(cell) else ALIKE[operation.name]
    if operation.hidden_campaign == "not_found" and cell.is_hidden:
        return 404
    if not cell.is_allowed:
        return 403
    refuse = REFUSALS.get(operation.name + operation.variant)
    refused = refuse(cell) if refuse else None
    return operation.success if refused is None else refused


# the response without a wallet, or without the role of a manager, of operations whose response is the same for every campaign
ALIKE = {
    "allocateCoins": 403,  # not-a-member
    "reallocateCoins": 403,  # not-a-member
    "getCoinBalance": 403,  # not-a-member
    "listCoinHistory": 200,  # an empty page
    "bulkAllocateCoins": 409,  # bulk-refused, with the outcome not_a_manager
}


def _is_served_alike(cell: Cell) -> bool:
    """Wallets exist after the activation of the campaign, and only members who take part have one."""
    if not cell.place.is_active:
        return False
    role = CAMPAIGN_ROLES.get(PERSONS.get(cell.actor, cell.actor))
    return cell.is_allowed if cell.operation.permissions else role in TAKING_PART


def _when_active(cell: Cell) -> int | None:
    return 409 if cell.place.is_active else None


def _when_draft(cell: Cell) -> int | None:
    return None if cell.place.is_active else 409


def _unless(cell: Cell, author: Actor) -> int | None:
    return None if cell.actor is author else 403


def _step(permission: Permission) -> Callable[[Cell], int | None]:
    """Step-not-allowed without the permission of the step, then campaign-not-active."""
    return lambda cell: _when_draft(cell) if permission in cell.permissions else 403


def _approve(cell: Cell) -> int | None:
    """A competing idea is approved already: illegal-step."""
    return 409 if cell.idea == "competing" else _step(Permission.APPROVE_IDEAS)(cell)


# refusals of callers that the rule admits
REFUSALS: dict[str, Callable[[Cell], int | None]] = {
    "activateCampaign": _when_active,  # illegal-campaign-step
    "archiveCampaign": _when_active,  # illegal-campaign-step
    "pauseCampaign": _when_draft,  # illegal-campaign-step
    "resumeCampaign": lambda _: 409,  # illegal-campaign-step
    "deleteCampaign": lambda _: 409,  # campaign-kept: the draft has ideas
    "completeCampaign": _when_draft,  # illegal-campaign-step
    "joinCampaign": _when_draft,  # campaign-not-active
    "submitIdea": _when_draft,  # campaign-not-active
    "leaveCampaign": lambda cell: 409 if cell.actor is Actor.MANAGER else None,  # last-manager
    "endMySession": lambda _: 404,  # the session is of nobody
    "addAuthenticatorApp": lambda _: 401,  # code-wrong: none was begun
    "removeAuthenticatorApp": lambda _: 404,  # the caller has none
    "addPasskey": lambda _: 401,  # challenge-invalid
    "removePasskey": lambda _: 404,  # the caller has none
    "deleteMe": lambda cell: 409 if cell.actor is Actor.ADMINISTRATOR else None,  # last-administrator
    "inviteUserAgain": lambda _: 409,  # email-taken: the spare member is confirmed
    "createRecoveryCodes": lambda _: 404,  # the caller has no second factor
    "revokeMyToken": lambda _: 404,  # no user has this token
    "unlinkUserIdentity": lambda _: 404,  # the user has no identity
    "exchangeSignOnCode": lambda _: 401,  # sign-on-code-invalid: a provider's log-in has not issued it
    "resendInvitation": lambda _: 404,  # invitation-not-found
    "revokeInvitation": lambda _: 404,  # the same
    "requestToJoin": lambda _: 403,  # requests-closed: the campaigns have another policy
    "approveJoinRequest": lambda _: 404,  # request-not-found
    "refuseJoinRequest": lambda _: 404,  # the same
    "withdrawJoinRequest": lambda _: 404,  # the same
    "editMemberAttribute": lambda _: 404,  # member-attribute-not-found
    "deleteMemberAttribute": lambda _: 404,  # the same
    "acceptCampaignInvitation": lambda _: 422,  # link-invalid
    "getCampaignReport": lambda _: 503,  # nothing-published
    "previewOutcome": lambda _: 409,  # no-budget
    "draftIdea": _when_draft,  # campaign-not-active
    # the request approves
    "changeIdeasInBulk": lambda cell: None if Permission.APPROVE_IDEAS in cell.permissions else 403,
    "deleteDraft": lambda _: 409,  # not-a-draft
    "resubmitIdea": lambda _: 409,  # not-resubmittable
    "requestIdeaChanges": lambda cell: 409 if cell.idea == "competing" else _when_draft(cell),  # not-pending
    "writeComment": _when_draft,  # campaign-not-active
    # campaign-not-active, then not-the-commenter
    "editComment": lambda cell: _when_draft(cell) or _unless(cell, Actor.AUTHOR),
    "deleteComment": lambda cell: _unless(cell, Actor.AUTHOR),
    "setOfficialAnswer": _when_draft,  # campaign-not-active
    "removeOfficialAnswer": _when_draft,  # campaign-not-active
    "writeNote": _when_draft,  # campaign-not-active
    "editNote": lambda cell: _when_draft(cell) or _unless(cell, Actor.MANAGER),
    "deleteNote": lambda cell: _unless(cell, Actor.MANAGER),
    # idea-not-in-delivery: the ideas are pending or competing
    "addMilestone": lambda _: 409,
    "editMilestone": lambda _: 409,
    "deleteMilestone": lambda _: 409,
    "exportIdeas": lambda _: 200,  # not 202: the campaigns have few ideas
    "getIdeaExport": lambda _: 404,  # export-not-found
    "downloadIdeaExport": lambda _: 404,  # the same
    # not-the-owner: the ideas have none
    "completeMilestone": lambda cell: 409 if Permission.MANAGE_IDEAS in cell.permissions else 403,
    "markVersionMaterial": lambda _: 409,  # not-markable: the text of the submission
    "convertFreeTag": lambda _: 404,  # free-tag-not-found
    "deleteAttachment": lambda _: 404,
    "editIdeaView": lambda _: 404,  # view-not-found
    "deleteIdeaView": lambda _: 404,  # the same
    "getAttachmentContent": lambda _: 404,
    "getLinkedContent": lambda _: 404,
    "getIdeaShare": lambda _: 404,  # not-shared
    "revokeIdeaShare": lambda _: 404,  # the same
    "getCampaignCover": lambda _: 404,
    "getCampaignCoverContent": lambda _: 404,
    "removeCampaignCover": lambda _: 404,
    "changeIdeaStatuscompeting": _approve,
    "changeIdeaStatusrejected": _step(Permission.MANAGE_IDEAS),
    "changeIdeaStatuswithdrawn": _step(Permission.WITHDRAW_IDEA),
}

# required query parameters
QUERIES = {
    "setMemberRole": {"role": "manager"},
    "findPeople": {"q": "an"},
    "addAttachment": {"name": "plan.txt"},
    "getLinkedContent": {"expires": "4102444800", "signature": "none"},
}

# operations with more than one request
VARIANTS = {"changeIdeaStatus": ("competing", "rejected", "withdrawn")}


def read_operations(document: dict[str, Any]) -> list[Operation]:
    """Every operation of an OpenAPI document, once for each of its requests."""
    return [
        _read_operation(path, method, described, variant)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
        for variant in VARIANTS.get(described["operationId"], ("",))
    ]


def _read_operation(path: str, method: str, described: dict[str, Any], variant: str) -> Operation:
    rule = described["x-permission"]
    return Operation(
        name=described["operationId"],
        method=method.upper(),
        path=path,
        scope=rule["scope"],
        permissions=frozenset(rule["permissions"]),
        hidden_campaign=rule.get("hidden_campaign"),
        token_scopes=tuple(map(frozenset, rule["token_scopes"])) if "token_scopes" in rule else None,
        success=max(int(status) for status in described["responses"] if status.startswith("2")),  # 201 of a new member
        reads_cookie=described.get("security") == [{"browser": []}],
        has_dry_run=any(parameter["name"] == "dry_run" for parameter in described.get("parameters", ())),
        variant=variant,
    )


def cells_of(operation: Operation, world: World) -> Iterator[Cell]:
    """Every actor in every place where the operation can be called."""
    for actor in Actor:
        if not operation.is_on_campaign:
            yield Cell(operation, actor, world.places["unknown"])
            continue
        for place in world.places.values():
            for idea in ("competing", "pending") if operation.is_on_idea else ("",):
                yield Cell(operation, actor, place, idea)


def _body(name: str, world: World, place: Place, idea: str) -> Sent:
    """The body and query of a request, valid in every place that exists."""
    spare = world.spare_member
    bodies: dict[str, Sent] = {
        "register": {
            "email": f"{uuid4().hex}@example.org",
            "display_name": "New",
            "password": PASSWORD,
        },
        "logIn": {"email": world.newcomer.email, "password": PASSWORD},
        "exchangeSignOnCode": {"code": "x" * 43, "code_verifier": "x" * 43},
        "refreshToken": {"refresh_token": world.refresh_token},
        "verifyEmail": {"token": world.link_tokens["verify_address"], "password": PASSWORD},
        "resendVerification": {"email": world.newcomer.email},
        "forgotPassword": {"email": world.newcomer.email},
        "resetPassword": {"token": world.link_tokens["reset_password"], "password": NEW_PASSWORD},
        "changeMyPassword": {"current_password": PASSWORD, "new_password": NEW_PASSWORD},
        "changeMyEmail": {"email": f"{uuid4().hex}@example.org", "current_password": PASSWORD},
        "takeSecondStep": {"challenge": world.steps.challenge, "code": world.steps.recovery_code},
        "logInByPasskey": {"challenge": world.steps.passkey_challenge, "passkey": world.steps.passkey_response},
        "confirmMyself": {"password": PASSWORD},
        "addAuthenticatorApp": {"code": "123456"},
        "addPasskey": {"challenge": "of no user", "name": "Laptop", "passkey": {}},
        "updateMe": {"display_name": "Changed"},
        "inviteUser": {"email": f"{uuid4().hex}@example.org", "display_name": "New"},
        "acceptInvitation": {
            "token": world.link_tokens["invited"],
            "display_name": "New",
            "password": NEW_PASSWORD,
        },
        "importRoster": {"people": [{"name": "New", "email": f"{uuid4().hex}@example.org"}]},
        "updateUser": {"permissions": ["create_campaign"]},
        "createMyToken": {"name": "for a script", "scopes": ["own:read"]},
        "createServiceAccount": {"name": uuid4().hex, "scopes": ["view_report"], "owner_id": str(spare.id)},
        "updateServiceAccount": {"scopes": ["view_report"]},
        "createServiceToken": {"name": "for a script"},
        "rotateServiceToken": {},
        "createCampaign": {"title": "A new campaign"},
        "editCampaign": {"decide_by": None},
        "addMember": {"email": world.newcomer.email},
        "importMembers": {"members": [{"email": world.newcomer.email}, {"email": f"{uuid4().hex}@example.org"}]},
        "requestToJoin": {},
        "createMemberAttribute": {"key": f"a{uuid4().hex[:12]}", "label": "Department"},
        "editMemberAttribute": {"label": "Unit"},
        "editMyAttributes": {"attributes": {"site": None}},
        "editMemberValues": {"attributes": {"site": None}},
        "refuseJoinRequest": {"reason": "Not this year."},
        "inviteMembers": {"invitations": [{"email": f"{uuid4().hex}@example.org"}]},
        "setCoinPolicy": POLICY.model_dump(mode="json"),
        "previewCoinPolicy": POLICY.model_dump(mode="json"),
        "submitIdea": {"title": "A new idea", "description": DESCRIPTION},
        "draftIdea": {"title": "A draft"},
        "editIdea": {"title": "Another title", "reason": "A spelling mistake"},
        "restoreIdeaVersion": {"reason": "As it was"},
        "createTag": {"name": "Schools"},
        "createIdeaView": {"name": "Open questions", "query": "-has:answer"},
        "editIdeaView": {"name": "Questions"},
        "editTag": {"name": "Streets"},
        "mergeTags": {"into_id": str(place.other_tag_id)},
        "convertFreeTag": {"name": "No idea has it", "into_id": str(place.tag_id)},
        "markVersionMaterial": {"reason": "It costs more."},
        "completeMilestone": {"done_on": "2026-05-01"},
        "setRejectionReasons": {"reasons": [{"code": "other", "label": "Another reason"}]},
        "requestIdeaChanges": {"text": "Say what it costs."},
        "changeIdeasInBulk": {"action": "approve", "idea_ids": [str(place.pending_id)]},
        "changeIdeaStatuscompeting": {"status": "competing"},
        "changeIdeaStatusrejected": {"status": "rejected", "reason": "Not this year."},
        "changeIdeaStatuswithdrawn": {"status": "withdrawn"},
        "recordValuation": {
            "kind": "expected_cost",
            "amount": "10.00",
            "currency": "EUR",
            "valued_on": "2026-01-31",
            "source": "an estimate",
        },
        "writeComment": {"text": "Where is it?"},
        "editComment": {"text": "Where is it built?"},
        "hideComment": {"reason": "It names a person."},
        "setOfficialAnswer": {"comment_id": str(place.comment_ids[idea])},
        "setIdeaTags": {"tags": ["Roads"]},
        "setIdeaOwner": {"user_id": str(spare.id)},
        "addMilestone": {"title": "Order them", "due_on": "2026-05-01"},
        "editMilestone": {"done_on": "2026-05-01"},
        "writeNote": {"text": "Ask the city."},
        "editNote": {"text": "Ask the town."},
        "allocateCoins": {"idea_id": str(place.competing_id), "coins": 1},
        "reallocateCoins": {"from_idea_id": str(place.competing_id), "coins": 1},
        "bulkAllocateCoins": {
            "items": [
                {
                    "campaign_id": str(place.campaign_id),
                    "user_id": str(spare.id),
                    "kind": "correct",
                    "coins": 1,
                    "reason": "a correction",
                }
            ]
        },
    }
    if name == "addAttachment":
        return {"content": b"The plan."}
    if name == "setCampaignCover":
        return {"content": picture()}
    return {"json": bodies[name]} if name in bodies else {}


async def send(world: World, cell: Cell, *, is_dry_run: bool = True) -> Response:
    """The response to the cell's request, whose work is rolled back, so that no cell depends on another.

    An operation that has a dry run is sent as one; the session of any other is replaced.
    """
    operation, place = cell.operation, cell.place
    idea_id = place.pending_id if cell.idea == "pending" else place.competing_id
    idea = cell.idea or "competing"
    path = operation.path.format(
        campaign_id=place.campaign_id,
        idea_id=idea_id,
        user_id=world.spare_member.id,
        session_id=uuid4(),
        passkey_id=uuid4(),
        service_account_id=world.service_account.id,
        token_id=uuid4() if operation.name == "revokeMyToken" else world.service_token_id,
        identity_id=uuid4(),
        tag_id=place.tag_id,
        version=1,
        comment_id=place.comment_ids[idea],
        note_id=place.note_ids[idea],
        milestone_id=uuid4(),
        attachment_id=uuid4(),
        export_id=uuid4(),
        attribute_id=uuid4(),
        invitation_id=uuid4(),
        view_id=uuid4(),
        request_id=uuid4(),
        token="x" * 43,
    )
    headers = {}
    if cell.actor is not Actor.ANONYMOUS:
        credentials = world.credentials[cell.actor]
        headers = (
            {"Cookie": f"ideamint_session={credentials.cookie}"}
            if operation.reads_cookie and credentials.cookie is not None
            else {"Authorization": f"Bearer {credentials.bearer}"}
        )
    query = dict(QUERIES.get(operation.name, {}))
    overrides = {}
    if not is_dry_run:
        headers["Idempotency-Key"] = uuid4().hex
    elif operation.has_dry_run:
        query["dry_run"] = "true"
    else:
        overrides[web._session] = _rolled_back_session
    body = _body(operation.name + operation.variant, world, place, idea)
    world.app.dependency_overrides |= overrides
    try:
        return await world.client.request(operation.method, path, params=query, headers=headers, **body)
    finally:
        world.app.dependency_overrides.clear()


async def _rolled_back_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with parts(request.app).database.dry_run() as session:
        yield session
