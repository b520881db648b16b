"""Three small campaigns with a history, written through the ledger's functions, whose figures can be computed by hand.

:func:`seed` writes the history in order; all times are UTC in 2025. `AS_OF` is the current moment of the figures.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from pydantic import PostgresDsn

from api.coins.policies import PolicyWrite
from api.imports.service import import_election
from api.kernel.ids import uuid7
from cli.local import databases, postgres
from tests.run_folder import exclusive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from api.kernel.db import Database
    from settings import Settings

ELECTIONS = Path(__file__).parents[1] / "imports" / "elections"
AS_OF = datetime(2025, 6, 30, 12, tzinfo=UTC)


@contextmanager
def database_of_its_own(
    server: Settings, name: str, data_dir: Path, *, template: str = postgres.DATABASE
) -> Iterator[Settings]:
    """A new database, a copy of a migrated one; it is dropped afterwards."""
    settings = create_database(server, name, template=template, data_dir=data_dir)
    try:
        yield settings
    finally:
        admin_url = databases.with_database(postgres.admin_url(server), "postgres")
        with psycopg.connect(admin_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def create_database(server: Settings, name: str, *, template: str = postgres.DATABASE, **changes: Any) -> Settings:
    """Create a database as a copy of a migrated one; the server's settings on it, with `changes`."""
    admin_url = databases.with_database(postgres.admin_url(server), name)
    settings = server.with_(database_url=PostgresDsn(databases.without_login(admin_url)), **changes)
    _copy_database(server, template, name)
    databases.prepare(admin_url, settings)
    return settings


def _copy_database(server: Settings, template: str, name: str) -> None:
    """Create a database as a copy of another one on the server of the test run.

    PostgreSQL copies a database only while it has no connection, so the workers of a run copy one at a time.
    """
    admin_url = databases.with_database(postgres.admin_url(server), "postgres")
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER ideamint_owner")
    with (
        exclusive(server.paths.data_dir.parent, "postgres"),
        psycopg.connect(admin_url, autocommit=True) as connection,
    ):
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))


@contextmanager
def without_a_coin(admin_url: str) -> Iterator[str]:
    """While the block runs, a wallet has one coin less than its postings; yields the campaign's title and slug."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        row = connection.execute(
            "UPDATE app.coin_accounts SET balance_coins = balance_coins - 1 WHERE id = "
            "(SELECT min(id) FROM app.coin_accounts WHERE kind = 'wallet' AND balance_coins > 0) RETURNING id, "
            "(SELECT title || ' (' || slug || ')' FROM app.campaigns WHERE id = campaign_id)"
        ).fetchone()
        assert row is not None
        try:
            yield row[1]
        finally:
            connection.execute(
                "UPDATE app.coin_accounts SET balance_coins = balance_coins + 1 WHERE id = %s", (row[0],)
            )


def day(text: str) -> datetime:
    """A moment of 2025, from `06-30` (noon) or `06-30 08:15`."""
    date, _, time = text.partition(" ")
    return datetime.fromisoformat(f"2025-{date}T{time or '12:00'}+00:00")


@dataclass
class Seeder:
    """Writes rows as ideamint_app; ids are looked up by name."""

    connection: psycopg.Connection
    users: dict[str, UUID] = field(default_factory=dict)
    campaigns: dict[str, UUID] = field(default_factory=dict)
    ideas: dict[str, UUID] = field(default_factory=dict)

    def user(self, name: str) -> UUID:
        """The user of this name, created on first use."""
        if name not in self.users:
            self.users[name] = uuid7()
            self._run(
                "INSERT INTO app.users (id, email, display_name) VALUES (%s, %s, %s)",
                self.users[name], f"{name}@people.example", f"Person {name.upper()} of the Factory",
            )  # fmt: skip
        return self.users[name]

    def campaign(self, slug: str, opened: str, **columns: Any) -> None:
        """Create an active campaign whose members get 100 coins. Further columns, and `policy`, by name."""
        policy = PolicyWrite(**{"coins_per_member": 100} | columns.pop("policy", {}))
        campaign_id = uuid7()
        row: dict[str, Any] = {
            "id": campaign_id,
            "slug": slug,
            "title": slug.title(),
            "status": "active",
            "activated_at": day(opened),
        }
        row |= {"starts_at": day(opened), "created_at": day(opened)} | columns
        self.campaigns[slug] = campaign_id
        self._insert("campaigns", row)
        self._run("SELECT app.coins_open_ledger(%s, %s::jsonb, NULL)", row["id"], policy.model_dump_json())

    def join(self, slug: str, at: str, *names: str, **attributes: Any) -> None:
        """Let users join or rejoin; users without a wallet are granted coins."""
        for name in names:
            row = {"campaign_id": self.campaigns[slug], "user_id": self.user(name), "joined_at": day(at)}
            self._insert("memberships", row | {"attributes": Jsonb(attributes)})
        self._run(
            "SELECT app.coins_grant(%s, %s, NULL, %s)", self.campaigns[slug], [self.user(n) for n in names], day(at)
        )

    def leave(self, slug: str, at: str, name: str) -> None:
        """End a stay."""
        self._run(
            "UPDATE app.memberships SET left_at = %s WHERE campaign_id = %s AND user_id = %s AND left_at IS NULL",
            day(at), self.campaigns[slug], self.user(name),
        )  # fmt: skip

    def idea(self, slug: str, title: str, author: str, at: str, *, status: str = "competing") -> None:
        """Submit an idea; a competing one is open for coins."""
        self.ideas[title] = uuid7()
        row = {"id": self.ideas[title], "campaign_id": self.campaigns[slug], "author_id": self.user(author)}
        self._insert(
            "ideas", row | {"title": title, "status": status, "submitted_at": day(at), "status_changed_at": day(at)}
        )
        self._insert("idea_status_changes", {"idea_id": row["id"], "to_status": status, "changed_at": day(at)})
        if status == "competing":
            self._run("SELECT app.coins_open_targets(%s, %s, %s)", row["campaign_id"], [row["id"]], [row["author_id"]])

    def draft(self, slug: str, title: str, author: str, at: str) -> None:
        """Save a draft with a tag; figures leave it out."""
        idea_id = uuid7()
        row = {"id": idea_id, "campaign_id": self.campaigns[slug], "author_id": self.user(author), "title": title}
        self._insert("ideas", row | {"status": "draft", "submitted_at": day(at), "status_changed_at": day(at)})
        self._insert("idea_tags", {"idea_id": idea_id, "kind": "tag", "name": "unfinished"})

    def step(self, title: str, status: str, at: str, *, coins: str | None = None) -> None:
        """Change an idea's status; `coins` decides whether its stakes expire or return."""
        row = self._run("SELECT campaign_id, status FROM app.ideas WHERE id = %s", self.ideas[title])
        change = {"idea_id": self.ideas[title], "from_status": row[1], "to_status": status, "changed_at": day(at)}
        self._insert("idea_status_changes", change)
        self._run(
            "UPDATE app.ideas SET status = %s, status_changed_at = %s WHERE id = %s RETURNING id",
            status, day(at), self.ideas[title],
        )  # fmt: skip
        if coins:
            self._run(
                "SELECT app.coins_close_targets(%s, %s, %s, NULL, NULL, %s)",
                row[0],
                [self.ideas[title]],
                coins,
                day(at),
            )

    def move(
        self, slug: str, at: str, name: str, coins: int, *, to: str | None = None, out_of: str | None = None
    ) -> None:
        """Move coins from the wallet or an idea to an idea or the wallet."""
        row = self._run(
            "SELECT outcome FROM app.coins_move(ARRAY[%s], ARRAY[%s], ARRAY[%s]::uuid[], ARRAY[%s]::uuid[], ARRAY[%s]::bigint[], "
            "ARRAY[NULL], ARRAY[NULL]::bytea[], ARRAY[NULL], NULL, %s)",
            self.campaigns[slug], self.user(name), self.ideas.get(out_of or ""), self.ideas.get(to or ""), coins, day(at),
        )  # fmt: skip
        assert row[0] == "moved", f"{name} moves {coins} from {out_of} to {to}: {row[0]}"

    def complete(self, slug: str, at: str) -> None:
        """Complete a campaign and settle its ledger."""
        self._run("SELECT app.coins_close_ledger(%s, NULL, %s)", self.campaigns[slug], day(at))
        self._run(
            "UPDATE app.campaigns SET status = 'completed', completed_at = %s WHERE id = %s RETURNING id",
            day(at), self.campaigns[slug],
        )  # fmt: skip

    def value(self, title: str, kind: str, amount: int, currency: str, on: str) -> None:
        """Record a valuation of an idea."""
        row = {"idea_id": self.ideas[title], "kind": kind, "amount": amount, "currency": currency, "source": "books"}
        self._insert("idea_valuations", row | {"valued_on": day(on).date()})

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        query = sql.SQL("INSERT INTO app.{} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join([sql.Placeholder()] * len(row)),
        )
        self.connection.execute(query, list(row.values()))

    def _run(self, query: str, *values: Any) -> tuple[Any, ...]:
        cursor = self.connection.execute(query.encode(), values)
        return (cursor.fetchone() or ()) if cursor.description else ()


def seed(settings: Settings) -> Seeder:
    """Create `pond`, completed in spring, `orchard`, which is active, and `shed`, which has four members."""
    with psycopg.connect(settings.database.role_url("app")) as connection:
        seeder = Seeder(connection)
        _seed_pond(seeder)
        _seed_orchard(seeder)
        _seed_shed(seeder)
        return seeder


def _seed_pond(t: Seeder) -> None:
    window = {"allocation_opens_at": day("04-01 00:00"), "allocate_until": day("05-01 00:00")}
    t.campaign("pond", "04-01 00:00", ends_at=day("05-01 00:00"), currency="GBP", policy=window)
    t.join("pond", "04-01", "m1", "m2", "m3", "m4", "m5", "m6")
    t.idea("pond", "P", "m1", "04-02")
    t.idea("pond", "Q", "m2", "04-02")
    for name, coins in (("m2", 100), ("m3", 60), ("m4", 100), ("m5", 100), ("m6", 40)):
        t.move("pond", "04-10", name, coins, to="P")
    t.move("pond", "04-29", "m6", 60, to="P")
    t.move("pond", "04-29", "m1", 80, to="Q")
    t.step("P", "accepted", "04-30", coins="expire")
    t.complete("pond", "05-01 00:00")
    t.step("Q", "not_selected", "05-01 00:00")
    t.step("P", "in_progress", "05-05")
    t.step("P", "complete", "06-10")
    t.value("P", "expected_cost", 500, "GBP", "04-30")
    t.value("P", "expected_value", 2000, "GBP", "04-30")
    t.value("P", "realised_cost", 400, "GBP", "06-10")
    t.value("P", "realised_value", 900, "GBP", "06-12")
    t.value("P", "realised_value", 1000, "GBP", "06-15")
    t.value("P", "realised_value", 7777, "EUR", "06-16")


def _seed_orchard(t: Seeder) -> None:
    t.campaign(
        "orchard", "05-01 08:00", ends_at=day("07-10 08:00"), currency="EUR", eligible_people=20, is_mediated=True,
        budget_amount=5000,
    )  # fmt: skip
    t.join("orchard", "05-01", "m1", "m2", "m3", "m4", "m5", "m6", department="Field")
    t.join("orchard", "05-01", "m7", "m8", "m9", "m10", department="Barn")
    t.join("orchard", "05-01", "m11", "m12")
    t.idea("orchard", "A", "m1", "05-02")
    t.idea("orchard", "B", "m2", "05-03")
    t.idea("orchard", "C", "m3", "05-04")
    t.value("A", "expected_cost", 1000, "EUR", "05-04")
    t.move("orchard", "05-10", "m1", 50, to="B")
    for name in ("m2", "m3", "m4", "m5", "m6"):
        t.move("orchard", "05-10", name, 50, to="A")
    t.move("orchard", "05-10", "m7", 30, to="C")
    t.move("orchard", "05-10", "m8", 30, to="C")
    t.move("orchard", "05-11", "m12", 20, to="A")
    t.leave("orchard", "05-20", "m11")
    t.move("orchard", "06-05", "m9", 40, to="B")
    t.move("orchard", "06-06", "m9", 10, out_of="B")
    t.move("orchard", "06-07", "m9", 10, to="B")
    t.move("orchard", "06-08", "m4", 20, out_of="A", to="B")
    t.join("orchard", "06-10", "m13")
    t.step("C", "withdrawn", "06-12", coins="return")
    t.move("orchard", "06-13", "m7", 30, to="B")
    t.leave("orchard", "06-15", "m12")
    t.join("orchard", "06-20", "m11")
    t.idea("orchard", "D", "m13", "06-20", status="pending")
    t.draft("orchard", "E", "m13", "06-20")
    t.step("A", "accepted", "06-20", coins="expire")


def _seed_shed(t: Seeder) -> None:
    t.campaign("shed", "05-15", currency="EUR", eligible_people=20)
    t.join("shed", "05-15", "m1", "m2", "m3", "m4", department="Field")
    t.idea("shed", "S", "m1", "05-16")
    t.move("shed", "05-20", "m2", 70, to="S")


async def import_elections(database: Database, files: Sequence[Path]) -> None:
    """Import election files, one transaction each."""
    for path in files:
        async with database.session(statement_timeout_ms=0) as session:
            await import_election(session, path, actor_id=None)
