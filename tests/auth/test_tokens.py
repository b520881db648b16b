from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from api.auth import tokens
from api.auth.errors import TokenInvalid
from api.auth.models import User
from api.auth.tokens import AccessTokens, hash_secret, issue_access_token, new_secret, read_access_token
from api.kernel import clock
from api.kernel.ids import uuid7
from settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "a-key-of-the-tests-and-of-nothing-else, long enough for each algorithm"
SETTINGS = Settings.of(jwt_secret=KEY)
USER = User(id=uuid7(), roles=["executive"], permissions=["create_campaign"], token_version=3)
SESSION_ID = uuid7()


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def signed(key: str = KEY, algorithm: str = "HS256", **changes: Any) -> str:
    claims = claims_of(issue_access_token(SETTINGS, USER, SESSION_ID)) | changes
    return jwt.encode(claims, key, algorithm)


def without(name: str) -> str:
    claims = claims_of(signed())
    del claims[name]
    return jwt.encode(claims, KEY, "HS256")


def unpadded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def without_signature() -> str:
    return f"{unpadded({'alg': 'none', 'typ': 'JWT'})}.{unpadded(claims_of(signed()))}."


def none_with_our_signature() -> str:
    return f"{unpadded({'alg': 'none', 'typ': 'JWT'})}.{'.'.join(signed().split('.')[1:])}"


def with_another_role() -> str:
    header, _, signature = signed().split(".")
    return f"{header}.{unpadded(claims_of(signed()) | {'roles': ['system_admin']})}.{signature}"


class TestIssueAccessToken:
    def test_has_issuer_audience_and_user_for_15_minutes(self) -> None:
        now = datetime(2026, 5, 4, 12, tzinfo=UTC)
        with clock.at(now):
            claims = claims_of(issue_access_token(SETTINGS, USER, SESSION_ID))
        assert claims == {
            "sub": str(USER.id),
            "sid": str(SESSION_ID),
            "roles": ["executive"],
            "perms": ["create_campaign"],
            "ver": 3,
            "iss": "ideamint",
            "aud": "ideamint-api",
            "iat": now.timestamp(),
            "exp": (now + timedelta(minutes=15)).timestamp(),
            "typ": "access",
        }


class TestReadAccessToken:
    def test_returns_the_issued_claims(self) -> None:
        claims = read_access_token(SETTINGS, issue_access_token(SETTINGS, USER, SESSION_ID))
        assert (claims.user_id, claims.session_id, claims.token_version) == (USER.id, SESSION_ID, 3)
        assert (set(claims.roles), set(claims.permissions)) == ({"executive"}, {"create_campaign"})

    def test_accepts_a_token_that_the_tests_assemble(self) -> None:
        assert read_access_token(SETTINGS, signed()).user_id == USER.id

    @pytest.mark.parametrize(
        "forge",
        [
            pytest.param(without_signature, id="alg-none"),
            pytest.param(none_with_our_signature, id="alg-none-with-a-signature"),
            pytest.param(lambda: signed("another-key-of-at-least-32-characters"), id="wrong-key"),
            pytest.param(lambda: signed(KEY, "HS384"), id="another-algorithm"),
            pytest.param(lambda: signed(KEY, "HS512"), id="a-third-algorithm"),
            pytest.param(with_another_role, id="tampered-payload"),
            pytest.param(lambda: signed()[:-4] + "AAAA", id="tampered-signature"),
            pytest.param(lambda: signed().rpartition(".")[0] + ".", id="no-signature"),
            pytest.param(lambda: signed(aud="another-api"), id="wrong-audience"),
            pytest.param(lambda: signed(aud=["ideamint-api", "another-api"]), id="many-audiences"),
            pytest.param(lambda: signed(iss="somebody"), id="wrong-issuer"),
            pytest.param(lambda: signed(typ="refresh"), id="another-type"),
            pytest.param(lambda: signed(sub="no-uuid"), id="subject-no-id"),
            pytest.param(lambda: signed(ver="x"), id="version-no-number"),
            pytest.param(lambda: signed(nbf=datetime.now(UTC) + timedelta(hours=1)), id="not-yet"),
            pytest.param(lambda: "", id="empty"),
            pytest.param(lambda: "a.b.c", id="no-token"),
            pytest.param(lambda: "\N{GREEK SMALL LETTER ALPHA}.b.c", id="not-ascii"),
            pytest.param(lambda: signed(padding="x" * 5000), id="too-long"),
            *(
                pytest.param(partial(without, name), id=f"without-{name}")
                for name in ("sub", "sid", "roles", "perms", "ver", "iss", "aud", "iat", "exp", "typ")
            ),
        ],
    )
    def test_refuses(self, forge: Callable[[], str]) -> None:
        with pytest.raises(TokenInvalid, match="is not valid"):
            read_access_token(SETTINGS, forge())

    @pytest.mark.parametrize("ago_s", [1, 3600])
    def test_refuses_an_expired_token_as_such(self, ago_s: int) -> None:
        with pytest.raises(TokenInvalid, match="has expired"):
            read_access_token(SETTINGS, signed(exp=datetime.now(UTC) - timedelta(seconds=ago_s)))

    def test_accepts_a_token_from_a_host_whose_clock_is_ahead(self) -> None:
        with clock.at(datetime.now(UTC) + timedelta(seconds=30)):
            token = issue_access_token(SETTINGS, USER, SESSION_ID)
        assert read_access_token(SETTINGS, token).user_id == USER.id


class TestNewSecret:
    def test_is_256_bits_that_do_not_repeat(self) -> None:
        made = {new_secret() for _ in range(1000)}
        assert len(made) == 1000
        assert {len(base64.urlsafe_b64decode(secret + "=")) for secret in made} == {32}


class TestHashSecret:
    def test_is_sha_256(self) -> None:
        assert hash_secret("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


class TestRemembered:
    def test_a_verified_token_is_not_verified_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reader = AccessTokens(SETTINGS)
        token = issue_access_token(SETTINGS, USER, SESSION_ID)
        first = reader.read(token)
        monkeypatch.setattr(tokens, "read_access_token", None)
        assert reader.read(token) is first

    def test_a_verified_token_is_refused_after_its_expiry(self) -> None:
        now = datetime.now(UTC).timestamp()
        reader = AccessTokens(SETTINGS, lambda: now)
        token = issue_access_token(SETTINGS, USER, SESSION_ID)
        expires_at = reader.read(token).expires_at
        now = expires_at - 0.001
        assert reader.read(token).user_id == USER.id
        now = expires_at
        with pytest.raises(TokenInvalid, match="has expired"):
            reader.read(token)

    def test_a_refused_token_is_not_cached(self) -> None:
        reader = AccessTokens(SETTINGS)
        for _ in range(2):
            with pytest.raises(TokenInvalid):
                reader.read(signed(key="another key, also long enough for every algorithm"))

    def test_the_oldest_token_is_removed_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tokens, "VERIFIED_TOKENS_MAX", 2)
        reader = AccessTokens(SETTINGS)
        known = [signed(jti=str(number)) for number in range(3)]
        for token in known:
            reader.read(token)

        def verify(_: Settings, token: str) -> object:
            verified.append(token)
            return read_access_token(SETTINGS, token)

        verified: list[str] = []
        monkeypatch.setattr(tokens, "read_access_token", verify)
        for token in reversed(known):
            reader.read(token)
        assert verified == [known[0]]
