from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from api.auth.passwords import verify_password
from api.auth.service import create_user
from api.campaigns.service import create_campaign
from api.coins.service import verify
from api.kernel.db import Database
from cli.demo.run import DemoRefused, DemoResult, find_logins, logins, make_demo, refuse_production
from settings import Environment
from tests.factories.demos import TODAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from settings import Settings

MIDNIGHT = datetime.combine(TODAY, time(), UTC)
TABLES = (
    "users", "campaigns", "memberships", "ideas", "idea_tags", "idea_status_changes", "idea_valuations", "events",
    "coin_policies", "coin_ledgers", "coin_targets", "coin_accounts", "coin_transfers", "coin_postings",
)  # fmt: skip
# all columns except ids and times of recording
FIGURES = {
    "members": """
        SELECT c.slug, u.email, u.display_name, m.role, m.joined_at, m.left_at, m.attributes
        FROM app.memberships AS m JOIN app.campaigns AS c ON c.id = m.campaign_id JOIN app.users AS u ON u.id = m.user_id
        ORDER BY c.slug, u.email, m.joined_at
    """,
    "steps": """
        SELECT i.title, i.description, a.email, s.from_status, s.to_status, s.changed_at, s.reason
        FROM app.idea_status_changes AS s JOIN app.ideas AS i ON i.id = s.idea_id JOIN app.users AS a ON a.id = i.author_id
        ORDER BY i.title, s.changed_at
    """,
    "valuations": """
        SELECT i.title, v.kind, v.amount, v.currency, v.valued_on, v.source
        FROM app.idea_valuations AS v JOIN app.ideas AS i ON i.id = v.idea_id ORDER BY i.title, v.valued_on, v.kind
    """,
    "postings": """
        SELECT c.slug, t.kind, t.effective_at, a.kind, u.email, i.title, p.amount_coins, p.account_version,
            p.balance_after_coins
        FROM app.coin_postings AS p JOIN app.coin_transfers AS t ON t.id = p.transfer_id
        JOIN app.coin_accounts AS a ON a.id = p.account_id JOIN app.campaigns AS c ON c.id = t.campaign_id
        LEFT JOIN app.users AS u ON u.id = a.user_id LEFT JOIN app.ideas AS i ON i.id = a.idea_id
        ORDER BY 1, 3, 2, 4, 5, 6, 8, 7
    """,
}


async def _rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    async with database.session() as session:
        return [tuple(row) for row in await session.execute(text(query))]


async def _counts(database: Database) -> dict[str, int]:
    return {table: (await _rows(database, f"SELECT count(*) FROM app.{table}"))[0][0] for table in TABLES}


class TestMakeDemo:
    async def test_creates_the_reported_numbers_of_rows(self, demo: DemoResult, demo_database: Database) -> None:
        assert demo.made is not None
        counts = await _counts(demo_database)
        assert (demo.made.people, demo.made.campaigns, demo.made.ideas) == (206, 4, 106)
        assert counts["users"] == demo.made.people
        assert counts["campaigns"] == demo.made.campaigns
        assert counts["ideas"] == demo.made.ideas
        moved = "SELECT count(*) FROM app.coin_transfers WHERE kind IN ('allocate', 'reallocate', 'take_back')"
        assert (await _rows(demo_database, moved))[0][0] == demo.made.movements > 2000

    async def test_conserves_coins_in_every_campaign(self, demo: DemoResult, demo_database: Database) -> None:
        async with demo_database.session() as session:
            found = await verify(session)
        assert len(found) == 4
        assert all(each.holds and each.difference_coins == 0 for each in found)
        assert all(each.issued_coins > 2000 for each in found)

    async def test_campaigns_have_the_planned_status(self, demo: DemoResult, demo_database: Database) -> None:
        rows = await _rows(
            demo_database,
            """
            SELECT c.slug, c.status, c.currency, i.status, count(*)
            FROM app.campaigns AS c JOIN app.ideas AS i ON i.campaign_id = c.id GROUP BY 1, 2, 3, 4
            """,
        )
        assert {row[:3] for row in rows} == {
            ("waste-less", "completed", "EUR"),
            ("easy-repair", "active", "EUR"),
            ("leeds-better-shift", "active", "GBP"),
            ("next-range", "active", "EUR"),
        }
        statuses = {(slug, status): count for slug, _, _, status, count in rows}
        assert statuses["waste-less", "complete"] == 7
        assert statuses["waste-less", "stopped"] == 1
        assert statuses["waste-less", "not_selected"] == 16
        assert statuses["easy-repair", "accepted"] + statuses["easy-repair", "in_progress"] == 8
        assert statuses["leeds-better-shift", "pending"] == 8
        assert statuses["next-range", "competing"] == 25

    async def test_returns_are_good_poor_and_unknown(self, demo: DemoResult, demo_database: Database) -> None:
        rows = await _rows(
            demo_database,
            """
            SELECT i.status, v.currency,
                (array_agg(v.amount ORDER BY v.valued_on DESC) FILTER (WHERE v.kind = 'realised_cost'))[1] AS cost,
                (array_agg(v.amount ORDER BY v.valued_on DESC) FILTER (WHERE v.kind = 'realised_value'))[1] AS value
            FROM app.ideas AS i JOIN app.campaigns AS c ON c.id = i.campaign_id
            JOIN app.idea_valuations AS v ON v.idea_id = i.id
            WHERE c.slug IN ('waste-less', 'leeds-better-shift') GROUP BY i.id, v.currency
            """,
        )
        complete = [(currency, cost, value) for status, currency, cost, value in rows if status == "complete"]
        roi = [(value - cost) / cost for currency, cost, value in complete if currency == "EUR" and cost and value]
        assert max(roi) > 3
        assert min(roi) < -0.5
        assert [value for _, _, value in complete].count(None) == 1
        assert [cost for _, cost, _ in complete].count(0) == 1
        assert sum(currency == "GBP" for currency, _, _ in complete) == 2
        assert [(cost, value) for status, _, cost, value in rows if status == "stopped"] == [(21800, None)]

    async def test_everything_happened_in_the_past(self, demo: DemoResult, demo_database: Database) -> None:
        for column in (
            "max(occurred_at) FROM app.events",
            "max(effective_at) FROM app.coin_postings",
            "max(changed_at) FROM app.idea_status_changes",
            "greatest(max(joined_at), max(left_at)) FROM app.memberships",
            "max(created_at) FROM app.users",
            "max(status_changed_at) FROM app.ideas",
        ):
            latest = (await _rows(demo_database, f"SELECT {column}"))[0][0]
            assert MIDNIGHT - timedelta(days=60) < latest < MIDNIGHT

    async def test_members_who_came_back_got_no_second_grant(self, demo: DemoResult, demo_database: Database) -> None:
        stays = await _rows(demo_database, "SELECT count(*) FROM app.memberships GROUP BY campaign_id, user_id")
        assert sum(count == 2 for (count,) in stays) >= 3
        grants = await _rows(
            demo_database,
            """
            SELECT count(*) FROM app.coin_transfers AS t JOIN app.coin_postings AS p ON p.transfer_id = t.id AND p.side = 1
            WHERE t.kind = 'grant' GROUP BY p.account_id
            """,
        )
        assert {count for (count,) in grants} == {1}

    async def test_every_membership_names_a_department(self, demo: DemoResult, demo_database: Database) -> None:
        rows = await _rows(
            demo_database, "SELECT attributes ->> 'department', attributes ->> 'district' FROM app.memberships"
        )
        assert len({department for department, _ in rows} - {None}) == 8
        assert None not in {department for department, _ in rows}
        assert {district for _, district in rows} == {"Ghent", "Leeds", "Wrocław", None}

    async def test_only_the_reported_accounts_can_log_in(self, demo: DemoResult, demo_database: Database) -> None:
        rows = await _rows(demo_database, "SELECT email, password_hash, roles, permissions FROM app.users")
        with_password = {email: password_hash for email, password_hash, _, _ in rows if password_hash}
        assert with_password.keys() == {login.email for login in demo.logins}
        assert all(verify_password(with_password[login.email], login.password) for login in demo.logins)
        assert all(email.endswith("@marlowick.example") for email, *_ in rows)
        roles = Counter(role for _, _, roles, _ in rows for role in roles)
        assert roles == {"system_admin": 1, "executive": 1, "data_engineer": 1}
        assert sum("create_campaign" in permissions for *_, permissions in rows) == 3

    async def test_a_second_run_changes_and_creates_nothing(self, demo: DemoResult, demo_database: Database) -> None:
        before = await _counts(demo_database)
        again = await make_demo(demo_database, today=TODAY + timedelta(days=3))
        assert again.made is None
        assert again.logins == demo.logins
        assert await _counts(demo_database) == before

    @pytest.mark.deep
    async def test_the_same_day_gives_the_same_figures(
        self, demo: DemoResult, demo_database: Database, new_database: Callable[..., Settings], demo_template: str
    ) -> None:
        other = Database(new_database("again", demo_template).database)
        try:
            assert await find_logins(other) == demo.logins
            assert await _counts(other) == await _counts(demo_database)
            for query in FIGURES.values():
                rows = await _rows(other, query)
                assert len(rows) > 50
                assert rows == await _rows(demo_database, query)
        finally:
            await other.close()

    async def test_reports_every_step(self, demo: DemoResult, progress: list[tuple[int, int]]) -> None:
        assert progress[0][0] == 0
        assert progress[-1][0] == progress[-1][1] == len(progress) - 1

    async def test_refuses_if_another_campaign_has_a_slug(self, new_database: Callable[..., Settings]) -> None:
        database = Database(new_database("taken").database)
        try:
            async with database.session() as session:
                user = await create_user(session, email="somebody@elsewhere.example", display_name="Somebody Else")
                await create_campaign(session, actor_id=user.id, title="Waste less", slug="waste-less")
            with pytest.raises(DemoRefused, match="waste-less"):
                await make_demo(database, today=TODAY)
            counts = await _counts(database)
            assert (counts["users"], counts["campaigns"], counts["ideas"]) == (1, 1, 0)
            assert await find_logins(database) == ()
        finally:
            await database.close()


class TestFindLogins:
    async def test_returns_the_accounts_of_an_existing_demo(self, demo: DemoResult, demo_database: Database) -> None:
        assert await find_logins(demo_database) == logins()


class TestRefuseProduction:
    def test_refuses_production(self, server: Settings) -> None:
        refuse_production(server)
        with pytest.raises(DemoRefused, match="IDEAMINT_ENV"):
            refuse_production(server.with_(env=Environment.PRODUCTION))
