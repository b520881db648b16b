"""Tokens and responses that a provider never issues, if it is not attacked or defective."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.factories.containers import parts
from tests.sso.hostile import NAME, Hostile, begin, new_key, signed_with_public_key, unsigned
from tests.sso.people import caller, failures
from tests.sso.test_log_in import assert_refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from tests.sso.providers import Visitor

NOT_VERIFIED = "could not be verified"


async def refused_for(app: FastAPI, visitor: Visitor, hostile: Hostile, make: Callable[[dict[str, Any]], str]) -> None:
    begun = await begin(visitor, hostile)
    hostile.id_token = make(hostile.claims(nonce=begun.nonce))
    assert_refused(await begun.end(), NOT_VERIFIED)
    assert (await failures(app, NAME))[0] == "token_invalid"
    assert await caller(visitor) is None


class TestIdToken:
    async def test_a_valid_one_is_accepted(self, visitor: Visitor, hostile: Hostile) -> None:
        begun = await begin(visitor, hostile)
        hostile.id_token = hostile.sign(hostile.claims(nonce=begun.nonce))
        assert (await begun.end()).status_code == 303
        [token_request] = [sent for path, sent in hostile.requests if path == "/token"]
        assert token_request["grant_type"] == "authorization_code"
        assert len(token_request["code_verifier"]) == 43

    @pytest.mark.parametrize(
        "changes",
        [
            {"nonce": "another"},
            {"nonce": None},
            {"iss": "http://127.0.0.1:1"},
            {"iss": None},
            {"aud": "another-client"},
            {"aud": ["another-client"]},
            {"aud": []},
            {"aud": None},
            {"aud": ["ideamint", "another-client"]},
            {"aud": ["ideamint", "another-client"], "azp": "another-client"},
            {"azp": "another-client"},
            {"exp": 1},
            {"exp": None},
            {"exp": "tomorrow"},
            {"iat": 99_999_999_999},
            {"iat": None},
            {"nbf": 99_999_999_999},
            {"sub": None},
            {"sub": ""},
            {"sub": 7},
            {"sub": "x" * 256},
            {"sub": "a\0b"},
            {"sid": ["x"]},
            {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        ],
        ids=str,
    )
    async def test_each_claim_is_verified(
        self, app: FastAPI, visitor: Visitor, hostile: Hostile, changes: dict[str, Any]
    ) -> None:
        await refused_for(
            app,
            visitor,
            hostile,
            lambda claims: hostile.sign({n: v for n, v in (claims | changes).items() if v is not None}),
        )

    async def test_further_audiences_need_the_authorised_party(self, visitor: Visitor, hostile: Hostile) -> None:
        begun = await begin(visitor, hostile)
        audiences = {"aud": ["ideamint", "another-client"], "azp": "ideamint"}
        hostile.id_token = hostile.sign(hostile.claims(nonce=begun.nonce, **audiences))
        assert (await begun.end()).status_code == 303

    async def test_clocks_may_differ_by_a_minute(self, visitor: Visitor, hostile: Hostile) -> None:
        begun = await begin(visitor, hostile)
        now = int(time.time())
        hostile.id_token = hostile.sign(hostile.claims(nonce=begun.nonce, iat=now + 30, exp=now - 30))
        assert (await begun.end()).status_code == 303

    async def test_must_be_signed(self, app: FastAPI, visitor: Visitor, hostile: Hostile) -> None:
        await refused_for(app, visitor, hostile, unsigned)

    async def test_a_public_key_is_no_secret(self, app: FastAPI, visitor: Visitor, hostile: Hostile) -> None:
        await refused_for(app, visitor, hostile, lambda claims: signed_with_public_key(hostile, claims))

    async def test_must_be_signed_by_a_key_of_the_provider(
        self, app: FastAPI, visitor: Visitor, hostile: Hostile
    ) -> None:
        forged = new_key("one")  # the id of a key of the provider
        await refused_for(app, visitor, hostile, lambda claims: hostile.sign(claims, key=forged))
        await refused_for(app, visitor, hostile, lambda claims: hostile.sign(claims, key=new_key("unknown")))

    async def test_a_key_inside_of_the_token_is_not_used(
        self, app: FastAPI, visitor: Visitor, hostile: Hostile
    ) -> None:
        own = new_key("own")
        header = {"jwk": own.as_dict(private=False)}
        await refused_for(app, visitor, hostile, lambda claims: hostile.sign(claims, key=own, **header))

    async def test_a_changed_one_is_refused(self, app: FastAPI, visitor: Visitor, hostile: Hostile) -> None:
        def change(claims: dict[str, Any]) -> str:
            header, _, signature = hostile.sign(claims).split(".")
            changed = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "another"}).encode()).decode().rstrip("=")
            return f"{header}.{changed}.{signature}"

        await refused_for(app, visitor, hostile, change)

    @pytest.mark.parametrize("token", ["", "a", "a.b.c", "....", "x" * 100_000, "żółw"])
    async def test_a_text_that_is_no_token(self, app: FastAPI, visitor: Visitor, hostile: Hostile, token: str) -> None:
        await refused_for(app, visitor, hostile, lambda _: token)

    async def test_of_an_earlier_log_in_is_refused(self, visitor: Visitor, hostile: Hostile) -> None:
        begun = await begin(visitor, hostile)
        hostile.id_token = hostile.sign(hostile.claims(nonce=begun.nonce))
        assert (await begun.end()).status_code == 303
        assert_refused(await (await begin(visitor, hostile)).end(), NOT_VERIFIED)


class TestKeys:
    async def test_a_new_key_is_read_at_once_and_an_old_one_is_refused_then(
        self, app: FastAPI, visitor: Visitor, hostile: Hostile
    ) -> None:
        begun = await begin(visitor, hostile)
        hostile.id_token = hostile.sign(hostile.claims(nonce=begun.nonce))
        assert (await begun.end()).status_code == 303
        old, hostile.keys = hostile.keys[0], [new_key("two")]
        provider = parts(app).providers.get(NAME)
        assert provider._keys is not None
        provider._keys = (provider._keys[0] - 30, provider._keys[1])  # read 30 s ago
        begun = await begin(visitor, hostile)
        hostile.id_token = hostile.sign(hostile.claims(nonce=begun.nonce))
        assert (await begun.end()).status_code == 303
        visitor.http.cookies.clear()
        await refused_for(app, visitor, hostile, lambda claims: hostile.sign(claims, key=old))

    async def test_unknown_keys_cause_one_call_in_30_s(self, app: FastAPI, visitor: Visitor, hostile: Hostile) -> None:
        unknown = new_key("unknown")
        for _ in range(3):
            await refused_for(app, visitor, hostile, lambda claims: hostile.sign(claims, key=unknown))
        assert [path for path, _ in hostile.requests].count("/keys") == 1

    async def test_a_key_for_encryption_and_a_shared_secret_are_not_used(
        self, app: FastAPI, visitor: Visitor, hostile: Hostile
    ) -> None:
        public = hostile.keys[0].as_dict(private=False)
        secret = {"kty": "oct", "kid": "two", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}
        hostile.documents["/keys"] = {"keys": [public | {"use": "enc"}, secret, {"kty": "new"}, "text"]}
        await refused_for(app, visitor, hostile, hostile.sign)


class TestResponses:
    @pytest.mark.parametrize("issuer", [None, "http://127.0.0.1:1", ""])
    async def test_the_issuer_is_required_if_the_provider_sends_it(
        self, visitor: Visitor, hostile: Hostile, issuer: str | None
    ) -> None:
        begun = await begin(visitor, hostile)
        assert_refused(await begun.end(iss=issuer), "another identity provider")
        assert "/token" not in [path for path, _ in hostile.requests]

    async def test_an_error_of_another_issuer_is_not_believed(
        self, app: FastAPI, visitor: Visitor, hostile: Hostile
    ) -> None:
        begun = await begin(visitor, hostile)
        await begun.end(iss="http://127.0.0.1:1", error="access_denied", code=None)
        assert (await failures(app, NAME))[0] == "issuer_mismatch"

    @pytest.mark.parametrize("changes", [{"error": "server_error"}, {"code": None}, {"code": ""}, {"code": "x" * 5000}])
    async def test_an_error_shows_a_page(self, visitor: Visitor, hostile: Hostile, changes: dict[str, str]) -> None:
        begun = await begin(visitor, hostile)
        assert_refused(await begun.end(**changes), "reported an error")

    @pytest.mark.parametrize("state", [None, "", "another", "ż"])
    async def test_the_state_is_verified(self, visitor: Visitor, hostile: Hostile, state: str | None) -> None:
        begun = await begin(visitor, hostile)
        assert_refused(await begun.end(state=state), "has expired")
        assert "/token" not in [path for path, _ in hostile.requests]

    async def test_the_text_of_an_error_is_not_shown(self, visitor: Visitor, hostile: Hostile) -> None:
        begun = await begin(visitor, hostile)
        response = await begun.end(error="<b>evil</b>", error_description="Send your password to evil.example")
        assert "evil" not in response.text

    @pytest.mark.parametrize("answer", [{}, {"id_token": 7, "access_token": "a"}, {"id_token": "a.b.c"}])
    async def test_a_response_without_tokens(self, visitor: Visitor, hostile: Hostile, answer: dict[str, Any]) -> None:
        hostile.documents["/token"] = answer
        assert_refused(await (await begin(visitor, hostile)).end(), NOT_VERIFIED)

    async def test_a_provider_that_fails_to_exchange_the_code(self, visitor: Visitor, hostile: Hostile) -> None:
        hostile.status = 500
        assert_refused(await (await begin(visitor, hostile)).end(), "does not respond", 503)
        assert [path for path, _ in hostile.requests].count("/token") == 1

    async def test_the_userinfo_of_another_subject_is_refused(self, visitor: Visitor, hostile: Hostile) -> None:
        hostile.documents["/me"] = {"sub": "another", "email": "admin@example.org", "email_verified": True}
        begun = await begin(visitor, hostile)
        hostile.id_token = hostile.sign(hostile.claims(nonce=begun.nonce, email=None))
        assert_refused(await begun.end(), NOT_VERIFIED)


class TestMetadata:
    @pytest.mark.parametrize(
        "changes",
        [
            {"issuer": "http://127.0.0.1:1"},
            {"issuer": None},
            {"authorization_endpoint": None},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"token_endpoint": "ftp://127.0.0.1/token"},
            {"token_endpoint": "//evil.example"},
            {"end_session_endpoint": "http://evil.example;script-src/"},
            {"end_session_endpoint": "http://user@evil.example/"},
            {"jwks_uri": 7},
        ],
        ids=str,
    )
    async def test_is_refused_if_it_is_not_usable(
        self, visitor: Visitor, hostile: Hostile, changes: dict[str, Any]
    ) -> None:
        hostile.documents["/.well-known/openid-configuration"] = hostile.metadata | changes
        assert_refused(await visitor.begin(NAME), "does not respond at the moment", 503)

    async def test_a_token_endpoint_with_a_private_address_is_not_called(
        self, visitor: Visitor, hostile: Hostile
    ) -> None:
        changed = hostile.metadata | {"token_endpoint": "http://169.254.169.254/token"}
        hostile.documents["/.well-known/openid-configuration"] = changed
        assert_refused(await (await begin(visitor, hostile)).end(), "does not respond", 503)
