"""Executes the plan through the services of the API, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import text

from api.auth import service as auth
from api.campaigns import service as campaigns
from api.coins import service as coins
from api.coins.policies import PolicyWrite
from api.ideas import service as ideas
from api.ideas.steps import Status
from api.kernel import clock
from cli.demo import actions
from cli.demo.calendar import Calendar
from cli.demo.content import load_campaigns, load_company
from cli.demo.people import address
from cli.demo.story import make_plan
from settings import Environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign
    from api.ideas.models import Idea
    from api.kernel.db import Database
    from cli.demo.actions import Action, Plan
    from cli.demo.content import AccountText, CampaignText
    from cli.demo.people import Person
    from settings import Settings

_ONE_AT_A_TIME = 0x1DEA_DE30
_ROLES = {"system admin": ("system_admin",), "executive": ("executive",), "data engineer": ("data_engineer",)}
_PERMISSIONS = {"manager": ("create_campaign",)}


class DemoRefused(Exception):
    """The demo cannot be created here; the message states the reason and the remedy."""


class PlanNotFollowed(Exception):
    """The ledger refused a movement of the plan: the simulation and the ledger have different rules."""


@dataclass(frozen=True, slots=True)
class Login:
    """An account that can log in to the demo."""

    name: str
    email: str
    password: str
    role: str


@dataclass(frozen=True, slots=True)
class DemoCounts:
    """Numbers of created rows. `movements` are allocations, reallocations and coins taken back."""

    people: int
    campaigns: int
    ideas: int
    movements: int


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The demo; `made` is None if it existed before, and then nothing was changed."""

    company: str
    logins: tuple[Login, ...]
    made: DemoCounts | None


async def make_demo(
    database: Database, *, progress: Callable[[int, int], None] | None = None, today: date | None = None
) -> DemoResult:
    """Create the demo as of the start of `today` (midnight UTC). An existing demo is not changed.

    `progress` is called with the number of finished actions and of all actions.

    Raises:
        DemoRefused: other campaigns have the demo's slugs.
    """
    async with database.session(statement_timeout_ms=0) as session:
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
        if await _exists(session):
            return DemoResult(load_company().name, logins(), None)
        await _refuse_taken_slugs(session)
        plan = make_plan(today or clock.now().date())
        made = await _PlanRunner(session, plan).run(progress or (lambda _done, _all: None))
    return DemoResult(load_company().name, logins(), made)


async def find_logins(database: Database) -> tuple[Login, ...]:
    """The log-ins of the demo if this database contains it, otherwise none. A user may have changed the password."""
    async with database.session() as session:
        return logins() if await _exists(session) else ()


def refuse_production(settings: Settings) -> None:
    """Refuse the demo in production, since its passwords are in the source code.

    Raises:
        DemoRefused: the environment is production.
    """
    if settings.installation.environment is Environment.PRODUCTION:
        msg = (
            "IDEAMINT_ENV is production, and the passwords of the demo's accounts are public. "
            "Create the demo in a separate installation"
        )
        raise DemoRefused(msg)


def logins() -> tuple[Login, ...]:
    """The accounts with a password."""
    return tuple(
        Login(account.name, address(account.name), account.password, account.role)
        for account in load_company().accounts
    )


async def _exists(session: AsyncSession) -> bool:
    first = load_company().accounts[0]
    return await auth.find_user_by_email(session, address(first.name)) is not None


async def _refuse_taken_slugs(session: AsyncSession) -> None:
    slugs = [campaign.campaign.slug for campaign in load_campaigns()]
    taken = [slug for slug in slugs if await campaigns.find_campaign_by_slug(session, slug) is not None]
    if taken:
        msg = f"Other campaigns have the slugs of the demo: {', '.join(taken)}. Create the demo in another database"
        raise DemoRefused(msg)


@dataclass(slots=True)
class _PlanRunner:
    """Executes a plan; created users, campaigns and ideas by email address, slug and key."""

    session: AsyncSession
    plan: Plan
    user_ids: dict[str, UUID] = field(default_factory=dict)
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    ideas: dict[tuple[str, str], Idea] = field(default_factory=dict)
    movements: int = 0

    async def run(self, progress: Callable[[int, int], None]) -> DemoCounts:
        """Execute all actions of the plan, each with the clock set to its time."""
        with clock.at(self.plan.actions[0].at - timedelta(days=1)):
            for account in load_company().accounts:
                if account.role != "member":
                    await self._make_account(account)
        for done, action in enumerate(self.plan.actions):
            progress(done, len(self.plan.actions))
            with clock.at(action.at):
                await self._do(action)
        progress(len(self.plan.actions), len(self.plan.actions))
        return DemoCounts(len(self.user_ids), len(self.campaigns), len(self.ideas), self.movements)

    async def _do(self, action: Action) -> None:
        match action:
            case actions.Create():
                await self._create(self._text(action))
            case actions.Activate():
                await campaigns.activate_campaign(self.session, self._campaign(action), actor_id=self._manager(action))
            case actions.Complete():
                await ideas.complete_campaign(self.session, self._campaign(action), actor_id=self._manager(action))
            case actions.Join(person=person):
                await self._join(action, person)
            case actions.Leave(person=person):
                user_id = self.user_ids[person.email]
                await campaigns.leave_campaign(self.session, self._campaign(action), user_id=user_id)
            case actions.Moves():
                await self._move(action)
            case _:
                await self._do_to_idea(action)

    async def _do_to_idea(self, action: Action) -> None:
        match action:
            case actions.Submit(person=person, idea=idea):
                self.ideas[action.campaign, idea.key] = await ideas.submit_idea(
                    self.session,
                    self._campaign(action),
                    author_id=self.user_ids[person.email],
                    title=idea.title,
                    description=idea.description,
                    tags=idea.tags,
                    category=idea.category,
                )
            case actions.Edit(person=person, idea=key, description=description):
                author_id, waiting = self.user_ids[person.email], self.ideas[action.campaign, key]
                await ideas.edit_idea(self.session, waiting, {"description": description}, actor_id=author_id)
            case actions.Step(person=person, idea=key, to=to, reason=reason):
                actor_id = self.user_ids[person.email] if person else self._manager(action)
                idea_of_step = self.ideas[action.campaign, key]
                await ideas.take_step(self.session, idea_of_step, Status(to), actor_id=actor_id, reason=reason)
            case actions.Value():
                await ideas.record_valuation(
                    self.session,
                    self.ideas[action.campaign, action.idea],
                    actor_id=self._manager(action),
                    kind=action.kind,
                    amount=Decimal(action.amount),
                    currency=self._text(action).campaign.currency,
                    valued_on=action.valued_on,
                    source=action.source,
                )

    async def _create(self, content: CampaignText) -> None:
        header = content.campaign
        calendar = Calendar.of(self.plan.today, header.today_on_day)
        year = self.plan.today.year + 1
        manager = _account(header.manager)
        last_day = header.ends_on_day if header.complete_on_day is None else header.complete_on_day
        self.campaigns[header.slug] = await campaigns.create_campaign(
            self.session,
            actor_id=self.user_ids[address(manager.name)],
            title=header.title.format(year=year),
            slug=header.slug,
            description=header.description.format(year=year).strip(),
            is_mediated=header.is_mediated,
            visibility=header.visibility,
            join_policy=header.join_policy,
            budget_amount=Decimal(header.budget_amount),
            currency=header.currency,
            eligible_people=header.eligible_people,
            starts_at=calendar.at(0, 7),
            submissions_close_at=calendar.at(header.submissions_close_on_day, 18),
            ends_at=None if last_day is None else calendar.at(last_day, 18),
            attributes={"department": manager.department, "district": manager.site},
            policy=PolicyWrite(**header.policy.model_dump(), allocate_until=calendar.at(header.allocate_until_day, 18)),
        )

    async def _join(self, action: Action, person: Person) -> None:
        if person.email not in self.user_ids:
            await self._make_person(person)
        campaign = self._campaign(action)
        await campaigns.join_campaign(
            self.session,
            campaign,
            user_id=self.user_ids[person.email],
            actor_id=self._manager(action) if campaign.join_policy == "by_manager" else None,
            attributes=dict(person.attributes),
        )

    async def _move(self, action: actions.Moves) -> None:
        campaign_id = self.campaigns[action.campaign].id
        moves = [
            coins.Move(
                campaign_id,
                self.user_ids[move.person.email],
                self.ideas[action.campaign, move.from_idea].id if move.from_idea else None,
                self.ideas[action.campaign, move.to_idea].id if move.to_idea else None,
                move.coins,
            )
            for move in action.moves
        ]
        for move, outcome in zip(action.moves, await coins.move_coins(self.session, moves), strict=True):
            if outcome.outcome != "moved":
                msg = f"{outcome.outcome} at {action.at}: {move}"
                raise PlanNotFollowed(msg)
        self.movements += len(moves)

    async def _make_account(self, account: AccountText) -> None:
        user = await auth.create_user(
            self.session,
            email=address(account.name),
            display_name=account.name,
            password=account.password,
            roles=_ROLES.get(account.role, ()),
            permissions=_PERMISSIONS.get(account.role, ()),
        )
        self.user_ids[address(account.name)] = user.id

    async def _make_person(self, person: Person) -> None:
        password = next((login.password for login in logins() if login.email == person.email), None)
        user = await auth.create_user(self.session, email=person.email, display_name=person.name, password=password)
        self.user_ids[person.email] = user.id

    def _text(self, action: Action) -> CampaignText:
        return next(content for content in self.plan.campaigns if content.campaign.slug == action.campaign)

    def _campaign(self, action: Action) -> Campaign:
        return self.campaigns[action.campaign]

    def _manager(self, action: Action) -> UUID:
        return self.user_ids[address(_account(self._text(action).campaign.manager).name)]


def _account(key: str) -> AccountText:
    return next(account for account in load_company().accounts if account.key == key)
