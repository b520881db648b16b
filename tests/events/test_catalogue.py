"""The catalogue, and what is derived from it or compared with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from pydantic import JsonValue, ValidationError
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from api.events import payloads
from api.events.catalogue import CATALOGUE, UnknownVersion, kinds_where, parse_payload
from api.events.kinds import EventKind
from cli.generate.events import describe

if TYPE_CHECKING:
    from api.kernel.db import Database

ROOT = Path(__file__).parents[2]


class TestCatalogue:
    def test_each_payload_has_its_own_kind(self) -> None:
        assert {kind: entry.payload.kind for kind, entry in CATALOGUE.items()} == {kind: kind for kind in EventKind}

    async def test_the_database_accepts_the_same_kinds(self, db: Database) -> None:
        statement = text(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conname = 'ck_events_kind' AND conrelid = 'app.events'\\:\\:regclass"
        )
        async with db.session() as session:
            definition = await session.scalar(statement)
        assert set(re.findall(r"'(\w+)'", definition)) == set(EventKind)

    async def test_the_database_refuses_another(self, db: Database) -> None:
        with pytest.raises(IntegrityError, match="ck_events_kind"):
            async with db.session() as session:
                await session.execute(text("INSERT INTO app.events (kind) VALUES ('coins_vanished')"))

    def test_the_page_is_up_to_date(self) -> None:
        """`make docs` writes it."""
        assert (ROOT / "docs" / "events.md").read_text() == describe()

    def test_what_the_audit_shows(self) -> None:
        names = ("user_", "log_in", "refresh_", "password_", "second_", "recovery_", "api_token_", "service_account_")
        silent = {kind for kind in EventKind if kind.startswith(names)} | {
            EventKind.IDEA_EDITED, EventKind.IDEA_STARTED, EventKind.IDEA_COMPLETED, EventKind.IDEA_STOPPED,
            EventKind.IDEA_VALUED, EventKind.DATA_COMMAND_SENT, EventKind.MEMBER_ATTRIBUTES_CHANGED,
            EventKind.REGISTRATION_REPEATED, EventKind.SESSION_REFRESHED, EventKind.REQUEST_REFUSED,
            EventKind.PERSONAL_DATA_READ, EventKind.CAMPAIGN_EDITED, EventKind.CAMPAIGN_DELETED,
            EventKind.MEMBER_INVITED, EventKind.INVITATION_REVOKED, EventKind.INVITATION_ACCEPTED,
            EventKind.JOIN_REQUESTED, EventKind.JOIN_REQUEST_APPROVED, EventKind.JOIN_REQUEST_REFUSED,
            EventKind.JOIN_REQUEST_WITHDRAWN, EventKind.MEMBER_ATTRIBUTE_DEFINED,
            EventKind.IDENTITY_LINKED, EventKind.IDENTITY_UNLINKED,
            EventKind.IDEA_DRAFTED, EventKind.IDEA_DRAFT_EDITED, EventKind.IDEA_DRAFT_DELETED,
            EventKind.IDEA_CHANGES_REQUESTED, EventKind.TAG_CREATED, EventKind.TAG_EDITED, EventKind.TAGS_MERGED,
            EventKind.TAG_DELETED, EventKind.REJECTION_REASONS_CHANGED,
            EventKind.COMMENT_WRITTEN, EventKind.COMMENT_EDITED, EventKind.COMMENT_DELETED, EventKind.COMMENT_HIDDEN,
            EventKind.COMMENT_SHOWN, EventKind.OFFICIAL_ANSWER_CHANGED, EventKind.NOTE_WRITTEN, EventKind.NOTE_EDITED,
            EventKind.NOTE_DELETED, EventKind.IDEA_FOLLOWED, EventKind.IDEA_UNFOLLOWED, EventKind.IDEA_OWNER_CHANGED,
            EventKind.MILESTONE_ADDED, EventKind.MILESTONE_CHANGED, EventKind.MILESTONE_DELETED,
            EventKind.ATTACHMENT_ADDED, EventKind.ATTACHMENT_DELETED,
            EventKind.CAMPAIGN_COVER_CHANGED, EventKind.IDEA_SHARED, EventKind.IDEA_LINK_REVOKED,
            EventKind.ATTACHMENT_ADDED, EventKind.ATTACHMENT_DELETED, EventKind.FREE_TAG_CONVERTED,
        }  # fmt: skip
        assert set(kinds_where(concerns_coins=True)) == set(EventKind) - silent
        assert set(kinds_where(concerns_coins=True, is_personal=True)) == {
            EventKind.COINS_ALLOCATED, EventKind.COINS_REALLOCATED, EventKind.COINS_TAKEN_BACK,
        }  # fmt: skip

    def test_what_moves_coins_is_audited(self) -> None:
        assert all(entry.concerns_coins for entry in CATALOGUE.values() if entry.moves_coins)


class TestPayload:
    def test_is_strict(self) -> None:
        with pytest.raises(ValidationError):
            payloads.IdeaEdited(idea_version="1", changed=())  # type: ignore[arg-type]
        with pytest.raises(ValidationError):
            payloads.LoggedOut(address="a@example.org")  # type: ignore[call-arg]
        with pytest.raises(ValidationError):
            payloads.LoggedIn(session_kind="token").session_kind = "browser"  # type: ignore[misc]

    def test_is_read_as_it_was_written(self) -> None:
        written = payloads.CoinsAllocated(transfer_id=uuid4(), coins=3, from_idea_id=None, to_idea_id=uuid4())
        stored = {**written.as_data(), "from_idea_id": None}  # as the database function writes it
        assert parse_payload(written.kind, 1, stored) == written

    def test_fields_of_a_later_version_are_ignored(self) -> None:
        written = payloads.IdeaApproved(
            reason_given=False,
            before=payloads.IdeaState(status="pending"),
            after=payloads.IdeaState(status="competing"),
        )
        stored = {**written.as_data(), "after": {"status": "competing", "colour": "red"}, "colour": "red"}
        assert parse_payload(written.kind, 1, stored) == written

    def test_nulls_inside_a_state_are_kept(self) -> None:
        policy: dict[str, JsonValue] = {"coins_per_member_and_idea_max": None, "undo_window_h": 24}
        assert payloads.CoinPolicyChanged(policy_version=2, before=policy, after={}).as_data() == {
            "policy_version": 2, "before": policy, "after": {},
        }  # fmt: skip

    def test_another_version_is_refused(self) -> None:
        with pytest.raises(UnknownVersion, match="version 2"):
            parse_payload("user_logged_out", 2, {})
