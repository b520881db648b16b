"""Second factors through the API: adding, using, and all that must be refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import text

from api.auth.api_tokens.verification import ApiTokens
from api.auth.tokens import AccessTokens
from api.kernel import clock
from tests.auth.authenticators import USER_PRESENT, SoftwarePasskey, code_of
from tests.auth.calls import assert_problem, events_of, header, log_in, refresh
from tests.auth.mailboxes import Mailbox, text_of
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.containers import parts, pool_of, replaced
from tests.factories.users import PASSWORD, commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import Response

    from api.auth.models import User

API = "/api/v1"


@pytest.fixture
async def user(app: FastAPI) -> User:
    return await commit_user(app, password=PASSWORD)


@pytest.fixture
def passkey(app: FastAPI) -> SoftwarePasskey:
    return SoftwarePasskey(parts(app).settings.addresses.public_api_url)


async def add_app(http: AsyncClient, headers: dict[str, str]) -> tuple[str, list[str]]:
    """The secret of a new authenticator app, and the recovery codes."""
    begun = await http.post(f"{API}/users/me/authenticator-app", headers=headers)
    assert begun.status_code == 200, begun.text
    secret = begun.json()["secret"]
    added = await http.put(f"{API}/users/me/authenticator-app", json={"code": code_of(secret)}, headers=headers)
    assert added.status_code == 200, added.text
    return secret, added.json()["recovery_codes"]


async def add_passkey(http: AsyncClient, headers: dict[str, str], passkey: SoftwarePasskey) -> Response:
    begun = (await http.post(f"{API}/users/me/passkey-options", headers=headers)).json()
    body = {"challenge": begun["challenge"], "name": "Laptop", "passkey": passkey.create(begun["options"])}
    return await http.post(f"{API}/users/me/passkeys", json=body, headers=headers)


async def first_step(http: AsyncClient, user: User) -> dict[str, Any]:
    return assert_problem(await log_in(http, user), 401, "second-step-required")


async def second_step(http: AsyncClient, challenge: str, **proof: Any) -> Response:
    return await http.post(f"{API}/auth/login/second-step", json={"challenge": challenge, **proof})


async def log_in_by_passkey(http: AsyncClient, passkey: SoftwarePasskey) -> Response:
    begun = (await http.post(f"{API}/auth/passkey/options")).json()
    return await http.post(
        f"{API}/auth/passkey", json={"challenge": begun["challenge"], "passkey": passkey.get(begun["options"])}
    )


def later(**delta: float) -> Any:
    return clock.at(datetime.now(UTC) + timedelta(**delta))


class TestAuthenticatorApp:
    async def test_its_code_is_the_second_step_of_a_log_in(self, app: FastAPI, http: AsyncClient, user: User) -> None:
        secret, codes = await add_app(http, header(await log_in(http, user)))
        assert len(set(codes)) == 10
        asked = await first_step(http, user)
        assert asked["factors"] == ["authenticator_app", "recovery_code"]
        with later(seconds=60):
            tokens = await second_step(http, asked["challenge"], code=code_of(secret))
        assert tokens.status_code == 200, tokens.text
        assert (await http.get(f"{API}/users/me", headers=header(tokens))).json()["id"] == str(user.id)
        assert (await events_of(app, user))[-4:] == [
            "user_logged_in",
            "second_factor_added",
            "recovery_codes_created",
            "user_logged_in",
        ]

    async def test_the_secret_is_stored_encrypted_and_the_codes_as_hashes(
        self, app: FastAPI, http: AsyncClient, user: User
    ) -> None:
        secret, codes = await add_app(http, header(await log_in(http, user)))
        async with parts(app).database.session() as session:
            stored = await session.execute(
                text(
                    "SELECT encode(encrypted_secret, 'escape') AS value FROM app.authenticator_apps UNION ALL "
                    "SELECT encode(code_hash, 'escape') FROM app.recovery_codes"
                )
            )
            values = [row.value for row in stored]
        for hidden in (secret, *codes, *(code.replace("-", "") for code in codes)):
            assert not [value for value in values if hidden in value]

    async def test_is_no_factor_before_its_first_code(self, http: AsyncClient, user: User) -> None:
        headers = header(await log_in(http, user))
        begun = (await http.post(f"{API}/users/me/authenticator-app", headers=headers)).json()
        assert begun["uri"].startswith("otpauth://totp/")
        assert begun["qr_code"].startswith("<svg")
        wrong = f"{(int(code_of(begun['secret'])) + 1) % 10**6:06}"
        refused = await http.put(f"{API}/users/me/authenticator-app", json={"code": wrong}, headers=headers)
        assert_problem(refused, 401, "code-wrong")
        assert (await log_in(http, user)).status_code == 200

    async def test_a_code_is_accepted_once(self, http: AsyncClient, user: User) -> None:
        secret, _ = await add_app(http, header(await log_in(http, user)))
        with later(seconds=60):
            code = code_of(secret)
            assert (await second_step(http, (await first_step(http, user))["challenge"], code=code)).status_code == 200
            again = await second_step(http, (await first_step(http, user))["challenge"], code=code)
        assert_problem(again, 401, "code-wrong")

    async def test_of_concurrent_requests_with_one_code_one_succeeds(self, http: AsyncClient, user: User) -> None:
        secret, _ = await add_app(http, header(await log_in(http, user)))
        asked = [await first_step(http, user) for _ in range(4)]
        with later(seconds=60):
            code = code_of(secret)
            responses = await asyncio.gather(*(second_step(http, each["challenge"], code=code) for each in asked))
        assert sorted(response.status_code for response in responses) == [200, 401, 401, 401]

    @pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)])
    async def test_the_code_before_and_after_are_accepted(
        self, http: AsyncClient, user: User, steps: int, status: int
    ) -> None:
        secret, _ = await add_app(http, header(await log_in(http, user)))
        with later(seconds=120):
            asked = await first_step(http, user)
            response = await second_step(http, asked["challenge"], code=code_of(secret, steps_later=steps))
        assert response.status_code == status

    async def test_a_challenge_ends_after_five_wrong_codes(self, http: AsyncClient, user: User) -> None:
        secret, _ = await add_app(http, header(await log_in(http, user)))
        challenge = (await first_step(http, user))["challenge"]
        for _ in range(5):
            assert_problem(await second_step(http, challenge, code="000000"), 401, "code-wrong")
        assert_problem(await second_step(http, challenge, code=code_of(secret)), 401, "challenge-invalid")
        delayed = await second_step(http, (await first_step(http, user))["challenge"], code=code_of(secret))
        assert assert_problem(delayed, 429, "too-many-attempts")["retry_after_s"] == 1

    async def test_only_one_can_be_added(self, http: AsyncClient, user: User) -> None:
        headers = header(await log_in(http, user))
        secret, _ = await add_app(http, headers)
        assert_problem(await http.post(f"{API}/users/me/authenticator-app", headers=headers), 409, "factor-exists")
        again = await http.put(f"{API}/users/me/authenticator-app", json={"code": code_of(secret)}, headers=headers)
        assert_problem(again, 409, "factor-exists")


class TestChallenge:
    async def test_is_void_after_it_was_used_or_has_expired_or_the_password_changed(
        self, app: FastAPI, http: AsyncClient, user: User
    ) -> None:
        secret, codes = await add_app(http, header(await log_in(http, user)))
        used = (await first_step(http, user))["challenge"]
        assert (await second_step(http, used, code=codes[0])).status_code == 200
        assert_problem(await second_step(http, used, code=codes[1]), 401, "challenge-invalid")
        expired = (await first_step(http, user))["challenge"]
        with later(minutes=11):
            assert_problem(await second_step(http, expired, code=code_of(secret)), 401, "challenge-invalid")
        before = (await first_step(http, user))["challenge"]
        async with parts(app).database.session() as session:
            await session.execute(
                text("UPDATE app.users SET password_changed_at = now() WHERE id = :id"), {"id": user.id}
            )
        assert_problem(await second_step(http, before, code=codes[1]), 401, "challenge-invalid")
        for forged in ("x", "A" * 43):
            assert_problem(await second_step(http, forged, code=codes[1]), 401, "challenge-invalid")

    async def test_of_one_user_takes_no_factor_of_another(
        self, app: FastAPI, http: AsyncClient, user: User, passkey: SoftwarePasskey
    ) -> None:
        other = await commit_user(app, password=PASSWORD)
        _, codes = await add_app(http, header(await log_in(http, user)))
        tokens = await second_step(http, (await first_step(http, user))["challenge"], code=codes[0])
        assert (await add_passkey(http, header(tokens), passkey)).status_code == 201
        await add_app(http, header(await log_in(http, other)))
        asked = await first_step(http, other)
        assert_problem(await second_step(http, asked["challenge"], code=codes[1]), 401, "code-wrong")
        options = (await http.post(f"{API}/auth/passkey/options")).json()["options"]
        stolen = await second_step(http, asked["challenge"], passkey=passkey.get(options))
        assert_problem(stolen, 401, "passkey-refused")


class TestRecoveryCodes:
    async def test_each_works_once_however_it_is_typed(self, app: FastAPI, http: AsyncClient, user: User) -> None:
        _, codes = await add_app(http, header(await log_in(http, user)))
        typed = [codes[0], codes[1].replace("-", "").upper(), codes[2].replace("-", " ")]
        for code in typed:
            tokens = await second_step(http, (await first_step(http, user))["challenge"], code=code)
            assert tokens.status_code == 200, code
        again = await second_step(http, (await first_step(http, user))["challenge"], code=codes[0])
        assert_problem(again, 401, "code-wrong")
        factors = (await http.get(f"{API}/users/me/factors", headers=header(tokens))).json()
        assert factors["recovery_codes_left"] == 7
        assert (await events_of(app, user)).count("recovery_code_used") == 3

    async def test_new_ones_void_the_earlier_ones(self, http: AsyncClient, user: User) -> None:
        headers = header(await log_in(http, user))
        assert_problem(await http.post(f"{API}/users/me/recovery-codes", headers=headers), 404, "not-found")
        _, earlier = await add_app(http, headers)
        created = await http.post(f"{API}/users/me/recovery-codes", headers=headers)
        assert (created.status_code, created.headers["cache-control"]) == (201, "no-store")
        challenge = (await first_step(http, user))["challenge"]
        assert_problem(await second_step(http, challenge, code=earlier[0]), 401, "code-wrong")
        newest = created.json()["recovery_codes"]
        assert (await second_step(http, challenge, code=newest[0])).status_code == 200


class TestPasskey:
    async def test_logs_in_alone_and_as_a_second_step(
        self, app: FastAPI, http: AsyncClient, user: User, passkey: SoftwarePasskey
    ) -> None:
        added = await add_passkey(http, header(await log_in(http, user)), passkey)
        assert added.status_code == 201, added.text
        assert len(added.json()["recovery_codes"]) == 10
        alone = await log_in_by_passkey(http, passkey)
        assert (await http.get(f"{API}/users/me", headers=header(alone))).json()["id"] == str(user.id)
        asked = await first_step(http, user)
        assert asked["factors"] == ["passkey", "recovery_code"]
        response = passkey.get(asked["passkey_options"])
        assert (await second_step(http, asked["challenge"], passkey=response)).status_code == 200
        listed = (await http.get(f"{API}/users/me/factors", headers=header(alone))).json()["passkeys"]
        assert [(each["name"], each["last_used_at"] is not None) for each in listed] == [("Laptop", True)]

    async def test_a_replayed_response_is_refused(
        self, http: AsyncClient, user: User, passkey: SoftwarePasskey
    ) -> None:
        await add_passkey(http, header(await log_in(http, user)), passkey)
        begun = (await http.post(f"{API}/auth/passkey/options")).json()
        body = {"challenge": begun["challenge"], "passkey": passkey.get(begun["options"])}
        assert (await http.post(f"{API}/auth/passkey", json=body)).status_code == 200
        assert_problem(await http.post(f"{API}/auth/passkey", json=body), 401, "challenge-invalid")
        other = (await http.post(f"{API}/auth/passkey/options")).json()["challenge"]
        replayed = await http.post(f"{API}/auth/passkey", json=body | {"challenge": other})
        assert_problem(replayed, 401, "passkey-refused")

    async def test_what_another_site_or_key_or_a_copy_signs_is_refused(
        self, http: AsyncClient, user: User, passkey: SoftwarePasskey
    ) -> None:
        await add_passkey(http, header(await log_in(http, user)), passkey)
        foreign = replace(passkey, origin="https://evil.example")
        forged = SoftwarePasskey(passkey.origin, credential_id=passkey.credential_id)
        unverified = replace(passkey, flags=USER_PRESENT)
        for refused in (foreign, forged, unverified, SoftwarePasskey(passkey.origin)):
            assert_problem(await log_in_by_passkey(http, refused), 401, "passkey-refused")
        passkey.sign_count = 5
        assert (await log_in_by_passkey(http, passkey)).status_code == 200
        copy = replace(passkey, sign_count=2)
        assert_problem(await log_in_by_passkey(http, copy), 401, "passkey-refused")

    @pytest.mark.parametrize(
        "response", [{}, {"id": 3}, {"id": "x" * 2000}, {"id": "AAAA", "response": {}}, {"id": "é"}, {"id": "\x00"}]
    )
    async def test_a_text_that_is_no_response_is_refused(self, http: AsyncClient, response: dict[str, Any]) -> None:
        begun = (await http.post(f"{API}/auth/passkey/options")).json()
        sent = await http.post(f"{API}/auth/passkey", json={"challenge": begun["challenge"], "passkey": response})
        assert_problem(sent, 401, "passkey-refused")

    async def test_is_added_for_its_challenge_and_site_only(
        self, app: FastAPI, http: AsyncClient, user: User, passkey: SoftwarePasskey
    ) -> None:
        headers = header(await log_in(http, user))
        assert_problem(
            await add_passkey(http, headers, SoftwarePasskey("https://evil.example")), 422, "passkey-invalid"
        )
        unverified = SoftwarePasskey(passkey.origin, flags=USER_PRESENT)
        assert_problem(await add_passkey(http, headers, unverified), 422, "passkey-invalid")
        other = await commit_user(app, password=PASSWORD)
        begun = (await http.post(f"{API}/users/me/passkey-options", headers=header(await log_in(http, other)))).json()
        body = {"challenge": begun["challenge"], "name": "x", "passkey": passkey.create(begun["options"])}
        taken = await http.post(f"{API}/users/me/passkeys", json=body, headers=headers)
        assert_problem(taken, 401, "challenge-invalid")
        assert (await add_passkey(http, headers, passkey)).status_code == 201
        assert_problem(await add_passkey(http, headers, passkey), 409, "factor-exists")

    async def test_of_a_deactivated_user_is_refused(
        self, app: FastAPI, http: AsyncClient, user: User, passkey: SoftwarePasskey
    ) -> None:
        await add_passkey(http, header(await log_in(http, user)), passkey)
        async with parts(app).database.session() as session:
            await session.execute(text("UPDATE app.users SET is_active = false WHERE id = :id"), {"id": user.id})
        assert_problem(await log_in_by_passkey(http, passkey), 401, "passkey-refused")


class TestChanges:
    async def test_require_a_recent_log_in(self, app: FastAPI, http: AsyncClient, user: User) -> None:
        tokens = await log_in(http, user)
        changes = [
            ("POST", "/users/me/authenticator-app", None),
            ("PUT", "/users/me/authenticator-app", {"code": "123456"}),
            ("DELETE", "/users/me/authenticator-app", None),
            ("POST", "/users/me/passkey-options", None),
            ("DELETE", f"/users/me/passkeys/{user.id}", None),
            ("POST", "/users/me/recovery-codes", None),
            ("POST", "/users/me/tokens", {"name": "a script", "scopes": ["own:read"]}),
            ("DELETE", "/users/me", None),
            ("POST", "/users/me/password", {"current_password": PASSWORD, "new_password": "eleven quiet herons"}),
            ("POST", "/users/me/email", {"current_password": PASSWORD, "email": "new@example.org"}),
        ]
        with later(minutes=11):
            for method, path, body in changes:
                response = await http.request(method, API + path, json=body, headers=header(tokens))
                assert assert_problem(response, 403, "log-in-not-recent")["minutes"] == 10, path
            renewed = await refresh(http, tokens.json()["refresh_token"])
            refused = await http.post(f"{API}/users/me/authenticator-app", headers=header(renewed))
            assert_problem(refused, 403, "log-in-not-recent")
            confirmed = await http.post(f"{API}/auth/confirm", json={"password": PASSWORD}, headers=header(renewed))
            assert confirmed.status_code == 204, confirmed.text
            allowed = await http.post(f"{API}/users/me/authenticator-app", headers=header(renewed))
            assert allowed.status_code == 200
        assert (await events_of(app, user))[-1] == "user_confirmed"

    async def test_confirming_needs_the_password_and_the_code(self, http: AsyncClient, user: User) -> None:
        headers = header(await log_in(http, user))
        _, codes = await add_app(http, headers)
        for body, status, slug in (
            ({"password": "not my password at all"}, 403, "password-wrong"),
            ({"password": PASSWORD}, 401, "code-wrong"),
            ({"password": PASSWORD, "code": "000000"}, 401, "code-wrong"),
        ):
            assert_problem(await http.post(f"{API}/auth/confirm", json=body, headers=headers), status, slug)
        body = {"password": PASSWORD, "code": codes[0]}
        assert (await http.post(f"{API}/auth/confirm", json=body, headers=headers)).status_code == 204

    async def test_are_reported_to_the_owner_by_mail(
        self, http: AsyncClient, mails: Mailbox, user: User, passkey: SoftwarePasskey
    ) -> None:
        headers = header(await log_in(http, user))
        await add_app(http, headers)
        assert len(await mails.receive(user.email or "")) == 1
        added = (await add_passkey(http, headers, passkey)).json()
        assert added["recovery_codes"] is None, "the codes of before stay valid"
        removed = await http.delete(f"{API}/users/me/passkeys/{added['id']}", headers=headers)
        assert removed.status_code == 204
        (mail, _) = await mails.receive(user.email or "")
        assert "second factors" in mail["Subject"]

    async def test_without_the_last_factor_the_codes_are_void(self, http: AsyncClient, user: User) -> None:
        headers = header(await log_in(http, user))
        await add_app(http, headers)
        assert (await http.delete(f"{API}/users/me/authenticator-app", headers=headers)).status_code == 204
        gone = await http.delete(f"{API}/users/me/authenticator-app", headers=headers)
        assert_problem(gone, 404, "not-found")
        factors = (await http.get(f"{API}/users/me/factors", headers=headers)).json()
        assert factors == {"authenticator_app_since": None, "passkeys": [], "recovery_codes_left": 0}
        assert (await log_in(http, user)).status_code == 200


class TestReset:
    async def test_by_an_administrator_lets_the_user_in_with_the_password(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, user: User, passkey: SoftwarePasskey
    ) -> None:
        own = header(await log_in(http, user))
        await add_app(http, own)
        await add_passkey(http, own, passkey)
        admin = await commit_user(app, password=PASSWORD, roles=["system_admin"])
        headers = header(await log_in(http, admin))
        path = f"{API}/users/{user.id}/reset-factors"
        assert_problem(await http.post(path, headers=own), 403, "forbidden")
        assert (await http.post(path, headers=headers)).status_code == 204
        assert_problem(await http.post(path, headers=headers), 404, "not-found")
        assert_problem(await http.get(f"{API}/users/me", headers=own), 401, "token-invalid")
        assert (await log_in(http, user)).status_code == 200
        assert_problem(await log_in_by_passkey(http, passkey), 401, "passkey-refused")
        subjects = [mail["Subject"] for mail in await mails.receive(user.email or "")]
        assert subjects[-1] == "The second factor of your account was removed"
        assert "second_factors_reset" in await events_of(app, user)


class TestDemand:
    async def test_an_administrator_has_no_rights_before_a_second_factor(self, app: FastAPI, http: AsyncClient) -> None:
        settings = parts(app).settings.with_(administrators_need_second_factor=True)
        tokens = parts(app).access_tokens
        api_tokens = ApiTokens(settings, parts(app).database, tokens.revocations)
        admin = await commit_user(app, password=PASSWORD, roles=["system_admin"])
        with replaced(
            app,
            settings=settings,
            access_tokens=AccessTokens(settings, tokens.keys, tokens.revocations, api_tokens),
        ):
            first = await log_in(http, admin)
            assert first.json()["second_factor_missing"] is True
            assert_problem(await http.get(f"{API}/users", headers=header(first)), 403, "forbidden")
            await add_app(http, header(first))
            renewed = await refresh(http, first.json()["refresh_token"])
            assert renewed.json()["second_factor_missing"] is False
            assert (await http.get(f"{API}/users", headers=header(renewed))).status_code == 200
            body = {"name": "a script", "scopes": ["manage_users"]}
            token = (await http.post(f"{API}/users/me/tokens", json=body, headers=header(renewed))).json()["token"]
            as_token = {"Authorization": f"Bearer {token}"}
            assert (await http.get(f"{API}/users", headers=as_token)).status_code == 200
            removed = await http.delete(f"{API}/users/me/authenticator-app", headers=header(renewed))
            assert removed.status_code == 204
            third = await refresh(http, renewed.json()["refresh_token"])
            for headers in (header(third), as_token):
                assert_problem(await http.get(f"{API}/users", headers=headers), 403, "forbidden")
            assert_problem(await http.get(f"{API}/users", headers=header(renewed)), 401, "token-invalid")


class TestAttackedAccount:
    async def test_a_log_in_from_an_unknown_place_needs_the_mailed_code(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, user: User
    ) -> None:
        assert (await log_in(http, user)).status_code == 200  # from here it is known
        for host in range(10):
            await attempt(app, user, f"203.0.113.{host}", "a wrong password it is")
        (alert,) = await mails.receive(user.email or "")
        assert alert["Subject"] == "Many failed log-ins to your account"
        assert (await log_in(http, user)).status_code == 200
        asked = assert_problem(await attempt(app, user, "198.51.100.7", PASSWORD), 401, "second-step-required")
        assert asked["factors"] == ["mailed_code"]
        (mail,) = await mails.receive(user.email or "")
        code = next(line for line in text_of(mail).splitlines() if line.isdigit())
        assert_problem(await second_step(http, asked["challenge"], code="00000000"), 401, "code-wrong")
        assert (await second_step(http, asked["challenge"], code=code)).status_code == 200
        assert_problem(await second_step(http, asked["challenge"], code=code), 401, "challenge-invalid")

    async def test_at_most_five_codes_are_mailed_at_a_time(self, app: FastAPI, user: User) -> None:
        for host in range(10):
            await attempt(app, user, f"203.0.113.{host}", "a wrong password it is")
        statuses = [(await attempt(app, user, "198.51.100.7", PASSWORD)).status_code for _ in range(6)]
        assert statuses == [401] * 5 + [429]


async def attempt(app: FastAPI, user: User, address: str, password: str) -> Response:
    """A log-in from a network address."""
    transport = ASGITransport(app=app, client=(address, 1234))
    async with AsyncClient(transport=transport, base_url="http://testserver") as elsewhere:
        return await log_in(elsewhere, user, password)


class TestRaces:
    async def test_a_step_waits_for_a_change_of_the_password_and_is_void_then(
        self, app: FastAPI, http: AsyncClient, user: User
    ) -> None:
        _, codes = await add_app(http, header(await log_in(http, user)))
        challenge = (await first_step(http, user))["challenge"]
        async with parts(app).database.session() as session:
            await session.execute(
                text("UPDATE app.users SET password_changed_at = now() WHERE id = :id"), {"id": user.id}
            )
            step = asyncio.create_task(second_step(http, challenge, code=codes[0]))
            await until_blocked(app)
        assert_problem(await step, 401, "challenge-invalid")

    async def test_parallel_wrong_codes_are_delayed_like_those_in_turn(self, http: AsyncClient, user: User) -> None:
        await add_app(http, header(await log_in(http, user)))
        asked = [await first_step(http, user) for _ in range(12)]
        responses = await asyncio.gather(*(second_step(http, each["challenge"], code="000000") for each in asked))
        assert [response.status_code for response in responses].count(401) == 5
        assert [response.status_code for response in responses].count(429) == 7

    async def test_parallel_requests_leave_one_secret_and_one_set_of_codes(
        self, app: FastAPI, http: AsyncClient, user: User
    ) -> None:
        headers = header(await log_in(http, user))
        begun = await asyncio.gather(
            *(http.post(f"{API}/users/me/authenticator-app", headers=headers) for _ in range(6))
        )
        assert {response.status_code for response in begun} == {200}
        await add_app(http, headers)
        created = await asyncio.gather(
            *(http.post(f"{API}/users/me/recovery-codes", headers=headers) for _ in range(4))
        )
        assert {response.status_code for response in created} == {201}
        factors = (await http.get(f"{API}/users/me/factors", headers=headers)).json()
        assert factors["recovery_codes_left"] == 10


class TestSessionWithoutTheFactor:
    async def test_has_to_use_it_before_it_changes_factors(
        self, http: AsyncClient, user: User, passkey: SoftwarePasskey
    ) -> None:
        stolen, own = header(await log_in(http, user)), header(await log_in(http, user))
        _, codes = await add_app(http, own)
        refused = await http.post(f"{API}/users/me/passkey-options", headers=stolen)
        assert_problem(refused, 403, "log-in-not-recent")
        body = {"password": PASSWORD, "code": codes[0]}
        assert (await http.post(f"{API}/auth/confirm", json=body, headers=stolen)).status_code == 204
        assert (await add_passkey(http, stolen, passkey)).status_code == 201


class TestConnections:
    @pytest.mark.parametrize("path", ["users/me/password", "users/me/email", "auth/confirm"])
    async def test_none_is_held_while_a_hash_is_computed(
        self, app: FastAPI, http: AsyncClient, user: User, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        headers = header(await log_in(http, user))
        held = []

        async def verify(*_: object) -> bool:
            held.append(pool_of(app).checkedout())
            return False

        monkeypatch.setattr(parts(app).passwords, "verify", verify)
        body = {"current_password": PASSWORD, "new_password": "eleven quiet herons", "email": "new@example.org"}
        wanted = {
            "users/me/password": ("current_password", "new_password"),
            "users/me/email": ("current_password", "email"),
        }
        sent = {name: body[name] for name in wanted[path]} if path in wanted else {"password": PASSWORD}
        response = await http.post(f"{API}/{path}", json=sent, headers=headers)
        assert_problem(response, 403, "password-wrong")
        assert held == [0]


class TestMalformedPasskeys:
    @pytest.mark.parametrize("key", [b"\x04", b"\x80", b"\x61a", b"\xa1\x01\x02", b"\xa3\x01\x02\x03\x26\x20\x18\x63"])
    async def test_a_key_that_cannot_be_used_is_not_added(
        self, http: AsyncClient, user: User, passkey: SoftwarePasskey, key: bytes
    ) -> None:
        headers = header(await log_in(http, user))
        assert_problem(await add_passkey(http, headers, replace(passkey, encoded_key=key)), 422, "passkey-invalid")

    async def test_a_credential_id_that_is_too_long_is_not_added(
        self, http: AsyncClient, user: User, passkey: SoftwarePasskey
    ) -> None:
        headers = header(await log_in(http, user))
        long = replace(passkey, credential_id=b"x" * 1024)
        assert_problem(await add_passkey(http, headers, long), 422, "passkey-invalid")


class TestLostSecret:
    async def test_of_the_installation_makes_the_codes_of_apps_wrong(
        self, app: FastAPI, http: AsyncClient, user: User
    ) -> None:
        secret, codes = await add_app(http, header(await log_in(http, user)))
        async with parts(app).database.session() as session:
            await session.execute(
                text(
                    "UPDATE app.authenticator_apps SET encrypted_secret = '\\x00010203040506070809' WHERE user_id = :id"
                ),
                {"id": user.id},
            )
        challenge = (await first_step(http, user))["challenge"]
        with later(seconds=60):
            assert_problem(await second_step(http, challenge, code=code_of(secret)), 401, "code-wrong")
        assert (await second_step(http, challenge, code=codes[0])).status_code == 200


async def until_blocked(app: FastAPI) -> None:
    """Wait until a transaction waits for the lock of another one."""
    blocked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(GIVE_UP_AFTER_S):
        while True:
            async with parts(app).database.reading() as session:
                if await session.scalar(blocked):
                    return
            await asyncio.sleep(0.01)
