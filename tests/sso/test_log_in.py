"""Log-ins by a real provider."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text

from api.auth import lifecycle
from api.auth.sso import claims as claims_of_providers
from api.kernel.permissions import SystemRole
from tests.auth.calls import change, events_of
from tests.coins.test_bulk import until_a_connection_waits_for_a_lock
from tests.factories.containers import parts, replaced
from tests.factories.users import PASSWORD, commit_user
from tests.sso.people import account_of, caller, failures, has_account, has_second_factor, person
from tests.sso.providers import HIGH

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import Response

    from tests.sso.providers import Idp, Visitor


def assert_refused(response: Response, words: str, status: int = 403) -> None:
    assert response.status_code == status, response.text
    assert words in response.text
    assert "ideamint_session=" not in response.headers.get("set-cookie", "")


class TestBegin:
    async def test_asks_for_a_code_with_pkce_state_and_nonce(self, visitor: Visitor, corp: Idp) -> None:
        sent = await visitor.begin("corp")
        url = urlsplit(sent.headers["location"])
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        assert f"{url.scheme}://{url.netloc}" == corp.issuer
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert asked["scope"] == "openid email profile work"
        assert {len(asked[name]) for name in ("state", "nonce", "code_challenge")} == {43}
        cookie = sent.headers["set-cookie"].lower()
        assert cookie.startswith("ideamint_sign_on=")
        for part in ("httponly", "samesite=lax", "max-age=600"):
            assert part in cookie
        assert asked["code_challenge"] not in cookie
        assert sent.headers["cache-control"] == "no-store"

    async def test_an_unknown_provider_is_not_found(self, visitor: Visitor) -> None:
        assert (await visitor.begin("other")).status_code == 404


class TestFirstLogIn:
    async def test_creates_an_account_and_leads_to_the_page(self, app: FastAPI, visitor: Visitor) -> None:
        claims = person(department="Research", groups=["board", "unknown"])
        dashboards = parts(app).settings.addresses.public_dashboards_url
        response = await visitor.log_in("corp", claims, next=f"{dashboards}/roi?c=1")
        assert (response.status_code, response.headers["location"]) == (303, f"{dashboards}/roi?c=1")
        user = await account_of(app, claims)
        assert await caller(visitor) == str(user.id)
        assert (user.display_name, user.department, user.roles) == (claims["name"], "Research", ["executive"])
        assert user.email_verified_at is not None
        assert user.password_hash is None
        assert await events_of(app, user) == [
            "user_created", "identity_linked", "user_updated", "user_rights_changed", "user_logged_in",
        ]  # fmt: skip

    async def test_deletes_the_cookie_of_the_attempt(self, visitor: Visitor) -> None:
        await visitor.log_in("corp", person())
        assert "ideamint_sign_on" not in visitor.http.cookies

    @pytest.mark.parametrize("next_url", ["https://evil.example/", "//evil.example", "/\\evil.example"])
    async def test_redirects_to_no_other_host(self, app: FastAPI, visitor: Visitor, next_url: str) -> None:
        response = await visitor.log_in("corp", person(), next=next_url)
        assert response.headers["location"] == parts(app).settings.addresses.public_dashboards_url

    async def test_two_at_the_same_time_create_one_account(
        self, app: FastAPI, visitor: Visitor, other_visitor: Visitor
    ) -> None:
        claims = person()
        urls = [await each.identify(await each.begin("corp"), claims) for each in (visitor, other_visitor)]
        returned = await asyncio.gather(visitor.return_to(urls[0]), other_visitor.return_to(urls[1]))
        assert [response.status_code for response in returned] == [303, 303]
        user = await account_of(app, claims)
        assert await caller(visitor) == await caller(other_visitor) == str(user.id)
        assert (await events_of(app, user)).count("user_created") == 1

    async def test_needs_an_address(self, app: FastAPI, visitor: Visitor) -> None:
        assert_refused(await visitor.log_in("corp", person(email=None)), "did not send your e-mail address")
        assert (await failures(app, "corp"))[0] == "no_email"

    async def test_needs_a_name(self, app: FastAPI, visitor: Visitor) -> None:
        claims = person(name=None)
        assert_refused(await visitor.log_in("corp", claims), "did not send your name")
        assert not await has_account(app, claims)

    async def test_takes_the_name_from_its_parts(self, app: FastAPI, visitor: Visitor) -> None:
        claims = person(name=None, given_name="Zofia", family_name="Nowak")
        assert (await visitor.log_in("corp", claims)).status_code == 303
        assert (await account_of(app, claims)).display_name == "Zofia Nowak"

    @pytest.mark.parametrize("verified", [False, None, "false", 1])
    async def test_needs_an_address_that_the_provider_has_confirmed(
        self, app: FastAPI, visitor: Visitor, verified: object
    ) -> None:
        claims = person(email_verified=verified)
        assert_refused(await visitor.log_in("corp", claims), "has not confirmed your e-mail address")
        assert not await has_account(app, claims)

    async def test_needs_an_allowed_domain(self, app: FastAPI, visitor: Visitor, other_visitor: Visitor) -> None:
        assert_refused(await visitor.log_in("partner", person()), "may not log in here by this provider")
        assert_refused(await visitor.log_in("partner", person("partner.example.evil.example")), "Not logged in")
        assert (await other_visitor.log_in("partner", person("PARTNER.example"))).status_code == 303

    async def test_creates_no_account_if_registration_is_closed(self, app: FastAPI, visitor: Visitor) -> None:
        claims = person()
        with replaced(app, settings=parts(app).settings.with_(registration="invitation")):
            assert_refused(await visitor.log_in("corp", claims), "only administrators create accounts")
        assert not await has_account(app, claims)


class TestLaterLogIn:
    async def test_finds_the_account_by_the_subject_and_not_by_the_address(
        self, app: FastAPI, visitor: Visitor
    ) -> None:
        claims = person()
        await visitor.log_in("corp", claims)
        user = await account_of(app, claims)
        visitor.outside.cookies.clear()
        changed = claims | {"email": "new.address@example.org", "email_verified": False}
        assert (await visitor.log_in("corp", changed)).status_code == 303
        assert await caller(visitor) == str(user.id)
        assert (await account_of(app, claims)).id == user.id

    async def test_applies_the_claims_again(self, app: FastAPI, visitor: Visitor) -> None:
        claims = person(department="Research", groups=["board"])
        await visitor.log_in("corp", claims)
        user = await account_of(app, claims)
        await change(app, "UPDATE app.users SET roles = roles || '{data_viewer}' WHERE id = :id", id=user.id)
        visitor.outside.cookies.clear()
        await visitor.log_in("corp", claims | {"name": "New Name", "department": "Sales", "groups": ["admins"]})
        user = await account_of(app, claims)
        assert (user.display_name, user.department) == ("New Name", "Sales")
        assert user.roles == ["data_viewer", "system_admin"]

    async def test_a_person_in_no_group_loses_the_mapped_roles_only(self, app: FastAPI, visitor: Visitor) -> None:
        claims = person(groups=["board"])
        await visitor.log_in("corp", claims)
        user = await account_of(app, claims)
        await change(app, "UPDATE app.users SET roles = roles || '{data_viewer}' WHERE id = :id", id=user.id)
        visitor.outside.cookies.clear()
        await visitor.log_in("corp", claims | {"groups": []})
        assert (await account_of(app, claims)).roles == ["data_viewer"]

    async def test_changed_roles_lock_no_account_before_changes_by_administrators(
        self, app: FastAPI, visitor: Visitor
    ) -> None:
        claims = person(groups=["board"])
        await visitor.log_in("corp", claims)
        user = await account_of(app, claims)
        visitor.outside.cookies.clear()
        url = await visitor.identify(await visitor.begin("corp"), claims | {"name": "New Name", "groups": ["admins"]})
        async with parts(app).database.session() as session:
            await lifecycle.lock_administrators(session)
            returned = asyncio.create_task(visitor.return_to(url))
            await until_a_connection_waits_for_a_lock(app)
            await session.execute(
                text("SELECT FROM app.users WHERE id = :id FOR NO KEY UPDATE NOWAIT"), {"id": user.id}
            )
        assert (await returned).status_code == 303
        assert (await account_of(app, claims)).roles == ["system_admin"]

    async def test_the_last_administrator_keeps_the_role(self, app: FastAPI, visitor: Visitor) -> None:
        claims = person(groups=["admins"])
        await visitor.log_in("corp", claims)
        user = await account_of(app, claims)
        await change(
            app,
            "UPDATE app.users SET roles = array_remove(roles, 'system_admin') WHERE id <> :id AND 'system_admin' = ANY (roles)",
            id=user.id,
        )
        visitor.outside.cookies.clear()
        assert (await visitor.log_in("corp", claims | {"groups": ["board"]})).status_code == 303
        assert (await account_of(app, claims)).roles == ["executive", "system_admin"]

    async def test_a_deactivated_person_is_refused(self, app: FastAPI, visitor: Visitor) -> None:
        claims = person()
        await visitor.log_in("corp", claims)
        await change(app, "UPDATE app.users SET is_active = false WHERE lower(email) = :email", email=claims["email"])
        assert_refused(await visitor.log_in("corp", claims), "deactivated")
        assert (await failures(app, "corp"))[0] == "account_deactivated"


class TestSecondFactor:
    @pytest.mark.parametrize(
        ("shown", "has_factor"),
        [
            ({"amr": ["pwd", "mfa"]}, True),
            ({"acr": HIGH}, True),
            ({"amr": ["pwd"]}, False),
            ({"acr": "urn:example:low", "amr": ["mfa "]}, False),
            ({}, False),
        ],
        ids=["amr", "acr", "password_only", "other_values", "nothing"],
    )
    async def test_is_what_the_claims_show_if_the_settings_name_their_values(
        self, app: FastAPI, visitor: Visitor, shown: dict[str, Any], *, has_factor: bool
    ) -> None:
        claims = person("partner.example", **shown)
        await visitor.log_in("partner", claims)
        assert await has_second_factor(app, claims) is has_factor

    @pytest.mark.parametrize("claims", [{"amr": "mfa"}, {"amr": {"mfa": 1}}, {"amr": [["mfa"], 1]}, {"acr": ["mfa"]}])
    def test_is_not_shown_by_claims_of_another_form(self, app: FastAPI, claims: dict[str, Any]) -> None:
        assert not claims_of_providers.has_second_factor(parts(app).providers.get("partner").settings, claims)

    async def test_is_that_of_every_log_in_without_such_settings(self, app: FastAPI, visitor: Visitor) -> None:
        claims = person(amr=["pwd"])
        await visitor.log_in("corp", claims)
        assert await has_second_factor(app, claims) is True

    async def test_is_asked_for_by_its_class(self, visitor: Visitor) -> None:
        assert parse_qs(urlsplit((await visitor.begin("partner")).headers["location"]).query)["acr_values"] == [HIGH]
        assert "acr_values=" not in (await visitor.begin("corp")).headers["location"]


class TestLinking:
    async def test_uses_the_account_with_the_confirmed_address(self, app: FastAPI, visitor: Visitor) -> None:
        user = await commit_user(app, password=PASSWORD, roles=[SystemRole.DATA_VIEWER])
        claims = person(email=(user.email or "").upper())
        assert (await visitor.log_in("corp", claims)).status_code == 303
        assert await caller(visitor) == str(user.id)
        assert (await events_of(app, user))[:2] == ["user_created", "identity_linked"]
        async with parts(app).database.session() as session:
            linked = await session.scalar(
                text("SELECT data FROM app.events WHERE kind = 'identity_linked' AND user_id = :id"), {"id": user.id}
            )
            mails = await session.scalars(
                text("SELECT purpose FROM app.account_mails WHERE user_id = :id"), {"id": user.id}
            )
            assert list(mails) == ["identity_linked"]
        assert linked == {"provider": "corp", "is_new_account": False}
        await visitor.log_in("corp", claims)
        async with parts(app).database.session() as session:
            count = text("SELECT count(*) FROM app.account_mails WHERE user_id = :id")
            assert await session.scalar(count, {"id": user.id}) == 1

    async def test_one_account_may_have_identities_of_several_providers(
        self, app: FastAPI, visitor: Visitor, other_visitor: Visitor
    ) -> None:
        claims = person("partner.example")
        await visitor.log_in("corp", claims)
        await other_visitor.log_in("partner", claims)
        assert await caller(visitor) == await caller(other_visitor) is not None

    async def test_not_to_an_account_whose_address_is_not_confirmed(self, app: FastAPI, visitor: Visitor) -> None:
        """Somebody else may have registered with the address, and would keep their password."""
        user = await commit_user(app, password=PASSWORD, email_verified_at=None)
        response = await visitor.log_in("corp", person(email=user.email))
        assert_refused(response, "is not confirmed")
        assert "/forgot-password" in response.text
        assert await events_of(app, user) == ["user_created"]

    async def test_confirms_the_address_of_an_account_from_a_roster(self, app: FastAPI, visitor: Visitor) -> None:
        """It has no password, so no other person can have prepared it. It may log in although registration is closed."""
        user = await commit_user(app, email_verified_at=None)
        with replaced(app, settings=parts(app).settings.with_(registration="invitation")):
            assert (await visitor.log_in("corp", person(email=user.email))).status_code == 303
        assert await caller(visitor) == str(user.id)
        assert (await events_of(app, user))[:3] == ["user_created", "user_address_verified", "identity_linked"]

    async def test_not_by_an_address_that_the_provider_has_not_confirmed(self, app: FastAPI, visitor: Visitor) -> None:
        user = await commit_user(app, password=PASSWORD)
        assert_refused(
            await visitor.log_in("corp", person(email=user.email, email_verified=False)), "has not confirmed"
        )
        assert await events_of(app, user) == ["user_created"]

    async def test_not_to_an_account_of_another_subject_of_the_provider(
        self, app: FastAPI, visitor: Visitor, other_visitor: Visitor
    ) -> None:
        """A provider may give the address of somebody who has left to a new person."""
        claims = person()
        await visitor.log_in("corp", claims)
        response = await other_visitor.log_in("corp", person(email=claims["email"]))
        assert_refused(response, "belongs to another account at this identity provider")

    async def test_not_to_a_deactivated_account(self, app: FastAPI, visitor: Visitor) -> None:
        user = await commit_user(app, is_active=False)
        assert_refused(await visitor.log_in("corp", person(email=user.email)), "deactivated")


class TestReturn:
    async def test_a_response_is_accepted_once(self, visitor: Visitor) -> None:
        url = await visitor.identify(await visitor.begin("corp"), person())
        cookie = visitor.http.cookies["ideamint_sign_on"]
        assert (await visitor.return_to(url)).status_code == 303
        assert_refused(await visitor.return_to(url), "has expired, or was started in another browser")
        visitor.http.cookies.set("ideamint_sign_on", cookie)
        assert_refused(await visitor.return_to(url), "did not accept this log-in")

    async def test_a_response_is_accepted_in_the_browser_of_its_start_only(
        self, app: FastAPI, visitor: Visitor, other_visitor: Visitor
    ) -> None:
        url = await visitor.identify(await visitor.begin("corp"), person())
        assert_refused(await other_visitor.return_to(url), "started in another browser")
        await other_visitor.begin("corp")
        assert_refused(await other_visitor.return_to(url), "started in another browser")
        assert (await failures(app, "corp"))[:2] == ["expired", "expired"]
        assert await caller(other_visitor) is None

    async def test_a_response_of_another_provider_is_refused(self, app: FastAPI, visitor: Visitor) -> None:
        """Mix-up: the browser began at one provider, and comes back to the address of the other one."""
        sent = await visitor.begin("corp")
        url = await visitor.identify(sent, person())
        assert_refused(await visitor.return_to(url.replace("/sso/corp/", "/sso/partner/")), "another browser")

    async def test_a_response_with_the_issuer_of_another_provider_is_refused(
        self, app: FastAPI, visitor: Visitor, corp: Idp, partner: Idp
    ) -> None:
        url = await visitor.identify(await visitor.begin("corp"), person())
        assert "iss=" in url
        mixed = url.replace(f"iss={corp.issuer}".replace(":", "%3A").replace("/", "%2F"), f"iss={partner.issuer}")
        assert mixed != url
        assert_refused(await visitor.return_to(mixed), "another identity provider")
        assert (await failures(app, "corp"))[0] == "issuer_mismatch"

    async def test_a_cancelled_log_in_shows_a_page(self, app: FastAPI, visitor: Visitor) -> None:
        response = await visitor.log_in("corp", None)
        assert_refused(response, "cancelled")
        assert "/sso/corp/log-in" in response.text
        assert (await failures(app, "corp"))[0] == "denied"

    async def test_a_changed_cookie_is_refused(self, visitor: Visitor) -> None:
        url = await visitor.identify(await visitor.begin("corp"), person())
        cookie = visitor.http.cookies["ideamint_sign_on"]
        visitor.http.cookies.clear()
        visitor.http.cookies.set("ideamint_sign_on", ("f" if cookie[0] == "e" else "e") + cookie[1:])
        assert_refused(await visitor.return_to(url), "has expired")

    async def test_a_provider_with_new_keys_is_followed(self, app: FastAPI, visitor: Visitor, partner: Idp) -> None:
        claims = person("partner.example")
        assert (await visitor.log_in("partner", claims)).status_code == 303
        partner.restart()
        provider = parts(app).providers.get("partner")
        assert provider._keys is not None
        provider._keys = (provider._keys[0] - 30, provider._keys[1])  # read 30 s ago
        visitor.outside.cookies.clear()
        assert (await visitor.log_in("partner", claims)).status_code == 303
