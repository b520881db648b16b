"""Access tokens: what is issued, and that nothing else is accepted."""

from __future__ import annotations

import base64
import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.auth import sessions, tokens
from api.auth.api_tokens.verification import ApiTokens
from api.auth.errors import TokenInvalid
from api.auth.keys import SigningKeys
from api.auth.models import User
from api.auth.revocations import Revocations
from api.auth.tokens import AccessTokens, sign
from api.kernel import clock
from api.kernel.stored_secrets import hash_secret, new_secret
from tests.factories.users import make_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from api.kernel.db import Database
    from settings import Settings

OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"another key of 32 bytes, of tests"[:32])
OTHER_SECRET = "another secret, long enough for each of the algorithms that use one for a signature"


@dataclass(frozen=True)
class Issuer:
    """Issues and forges tokens of a user with a session."""

    settings: Settings
    reader: AccessTokens
    user: User
    session_id: UUID
    kid: str
    key: Ed25519PrivateKey
    token: str

    @property
    def claims(self) -> dict[str, Any]:
        return claims_of(self.token)

    def signed(self, **changes: Any) -> str:
        return sign(self.claims | changes, self.kid, self.key)

    def signed_by(self, key: Any, algorithm: str = "EdDSA", **header: str) -> str:
        return jwt.encode(self.claims, key, algorithm, headers={"kid": self.kid} | header)

    def without(self, name: str) -> str:
        claims = self.claims
        del claims[name]
        return sign(claims, self.kid, self.key)

    def without_key_id(self) -> str:
        return jwt.encode(self.claims, self.key, "EdDSA")

    def without_signature(self, signature: str = "") -> str:
        return f"{unpadded({'alg': 'none', 'typ': 'JWT', 'kid': self.kid})}.{unpadded(self.claims)}.{signature}"

    def with_another_role(self) -> str:
        header, _, signature = self.token.split(".")
        return f"{header}.{unpadded(self.claims | {'roles': ['system_admin']})}.{signature}"

    def signed_with_the_public_key(self) -> str:
        """HMAC with the public key as its secret, for readers that take the algorithm from the header."""
        header, payload = unpadded({"alg": "HS256", "kid": self.kid}), unpadded(self.claims)
        public = self.key.public_key().public_bytes_raw()
        mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
            f"{header}.{payload}".encode(), public
        )
        return f"{header}.{payload}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def unpadded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def make_reader(database: Database, settings: Settings, **options: Any) -> AccessTokens:
    revocations = Revocations(database)
    keys = SigningKeys(database, settings.auth)
    return AccessTokens(settings, keys, revocations, ApiTokens(settings, database, revocations), **options)


@pytest_asyncio.fixture
async def issuer(db: Database, database: Settings) -> Issuer:
    async with db.session() as session:
        user = await make_user(session, roles=["executive"], permissions=["create_campaign"], token_version=3)
        issued = await sessions.start_session(session, database, user.id, kind="token")
    assert issued is not None
    reader = make_reader(db, database)
    token = await reader.issue(issued.user, issued.session_id)
    kid, key = await reader.keys.to_sign()
    return Issuer(database, reader, issued.user, issued.session_id, kid, key, token)


class TestIssue:
    async def test_has_issuer_audience_and_user_for_15_minutes(self, issuer: Issuer) -> None:
        # whole seconds, and not before the key signs
        now = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        with clock.at(now):
            token = await issuer.reader.issue(issuer.user, issuer.session_id)
        claims = claims_of(token)
        assert claims.pop("jti") != issuer.claims["jti"]
        assert claims == {
            "sub": str(issuer.user.id),
            "sid": str(issuer.session_id),
            "roles": ["executive"],
            "perms": ["create_campaign"],
            "ver": 3,
            "iss": "ideamint",
            "aud": "ideamint-api",
            "iat": now.timestamp(),
            "exp": (now + timedelta(minutes=15)).timestamp(),
            "typ": "access",
        }
        assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": issuer.kid, "typ": "JWT"}

    async def test_ends_with_its_session(self, issuer: Issuer) -> None:
        ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=3)
        token = await issuer.reader.issue(issuer.user, issuer.session_id, ends_at=ends_at)
        assert claims_of(token)["exp"] == ends_at.timestamp()


class TestRead:
    async def test_returns_the_issued_claims(self, issuer: Issuer) -> None:
        claims = await issuer.reader.read(issuer.token)
        assert (claims.user_id, claims.session_id, claims.token_version) == (issuer.user.id, issuer.session_id, 3)
        assert (set(claims.roles), set(claims.permissions)) == ({"executive"}, {"create_campaign"})

    async def test_accepts_a_token_that_the_tests_assemble(self, issuer: Issuer) -> None:
        assert (await issuer.reader.read(issuer.signed())).user_id == issuer.user.id

    @pytest.mark.parametrize(
        "forge",
        [
            pytest.param(Issuer.without_signature, id="alg-none"),
            pytest.param(lambda i: i.without_signature(i.token.rpartition(".")[2]), id="alg-none-with-a-signature"),
            pytest.param(lambda i: i.signed_by(OTHER_KEY), id="wrong-key"),
            pytest.param(lambda i: i.signed_by(i.key, kid="another"), id="unknown-key-id"),
            pytest.param(lambda i: i.signed_by(i.key, kid="../../etc/passwd"), id="key-id-as-a-path"),
            pytest.param(Issuer.without_key_id, id="no-key-id"),
            pytest.param(lambda i: i.signed_by(OTHER_SECRET, "HS256"), id="hmac"),
            pytest.param(lambda i: i.signed_by(OTHER_SECRET, "HS512"), id="another-hmac"),
            pytest.param(Issuer.signed_with_the_public_key, id="hmac-with-the-public-key"),
            pytest.param(Issuer.with_another_role, id="tampered-payload"),
            pytest.param(lambda i: i.token[:-4] + "AAAA", id="tampered-signature"),
            pytest.param(lambda i: i.token.rpartition(".")[0] + ".", id="no-signature"),
            pytest.param(lambda i: i.signed(aud="another-api"), id="wrong-audience"),
            pytest.param(lambda i: i.signed(aud=["ideamint-api", "another-api"]), id="many-audiences"),
            pytest.param(lambda i: i.signed(iss="http://localhost:8001"), id="wrong-issuer"),
            pytest.param(lambda i: i.signed(typ="refresh"), id="another-type"),
            pytest.param(lambda i: i.signed(sub="no-uuid"), id="subject-no-id"),
            pytest.param(lambda i: i.signed(ver="x"), id="version-no-number"),
            pytest.param(lambda i: i.signed(nbf=datetime.now(UTC) + timedelta(hours=1)), id="not-yet"),
            pytest.param(lambda _: "", id="empty"),
            pytest.param(lambda _: "a.b.c", id="no-token"),
            pytest.param(lambda _: "\N{GREEK SMALL LETTER ALPHA}.b.c", id="not-ascii"),
            pytest.param(lambda i: i.signed(padding="x" * 5000), id="too-long"),
            *(
                pytest.param(lambda i, name=name: i.without(name), id=f"without-{name}")
                for name in ("sub", "sid", "jti", "roles", "perms", "ver", "iss", "aud", "iat", "exp", "typ")
            ),
        ],
    )
    async def test_refuses(self, issuer: Issuer, forge: Callable[[Issuer], str]) -> None:
        with pytest.raises(TokenInvalid, match="is not valid"):
            await issuer.reader.read(forge(issuer))

    @pytest.mark.parametrize("ago_s", [1, 3600])
    async def test_refuses_an_expired_token_as_such(self, issuer: Issuer, ago_s: int) -> None:
        with pytest.raises(TokenInvalid, match="has expired"):
            await issuer.reader.read(issuer.signed(exp=datetime.now(UTC) - timedelta(seconds=ago_s)))

    async def test_accepts_a_token_from_a_host_whose_clock_is_ahead(self, issuer: Issuer) -> None:
        token = issuer.signed(iat=datetime.now(UTC) + timedelta(seconds=30))
        assert (await issuer.reader.read(token)).user_id == issuer.user.id

    async def test_refuses_the_token_of_another_user_s_session(self, issuer: Issuer, db: Database) -> None:
        async with db.session() as session:
            other = await make_user(session)
        with pytest.raises(TokenInvalid, match="has ended"):
            await issuer.reader.read(issuer.signed(sub=str(other.id)))


class TestVerifiedTokens:
    async def test_are_not_verified_again(self, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
        first = await issuer.reader.read(issuer.token)
        monkeypatch.setattr(jwt, "decode", None)
        assert await issuer.reader.read(issuer.token) is first

    async def test_are_refused_after_their_expiry(self, issuer: Issuer, db: Database) -> None:
        now = datetime.now(UTC).timestamp()
        reader = make_reader(db, issuer.settings, now=lambda: now)
        expires_at = (await reader.read(issuer.token)).expires_at
        now = expires_at - 0.001
        assert (await reader.read(issuer.token)).user_id == issuer.user.id
        now = expires_at
        with pytest.raises(TokenInvalid, match="has expired"):
            await reader.read(issuer.token)

    async def test_are_refused_when_their_key_is_accepted_no_more(self, issuer: Issuer) -> None:
        await issuer.reader.read(issuer.token)
        keys = issuer.reader.keys._keys
        keys[issuer.kid] = dataclasses.replace(keys[issuer.kid], accepted_until=clock.now())
        with pytest.raises(TokenInvalid, match="is not valid"):
            await issuer.reader.read(issuer.token)

    async def test_do_not_include_refused_ones(self, issuer: Issuer) -> None:
        forged = issuer.signed_by(OTHER_KEY)
        for _ in range(2):
            with pytest.raises(TokenInvalid):
                await issuer.reader.read(forged)

    async def test_a_forged_token_is_verified_once(self, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tokens, "FORGED_TOKENS_MAX", 2)
        forged = [f"{issuer.signed(jti=str(number))[:-4]}AAAA" for number in range(3)]
        decoded: list[str] = []
        decode = jwt.decode

        def verify(token: str, *arguments: Any, **options: Any) -> dict[str, Any]:
            decoded.append(token)
            claims: dict[str, Any] = decode(token, *arguments, **options)
            return claims

        monkeypatch.setattr(jwt, "decode", verify)
        for token in (*forged, *forged[1:], forged[0]):
            with pytest.raises(TokenInvalid):
                await issuer.reader.read(token)
        assert decoded == [*forged, forged[0]]  # the oldest was forgotten

    async def test_are_forgotten_the_oldest_first(self, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tokens, "VERIFIED_TOKENS_MAX", 2)
        known = [issuer.signed(jti=str(number)) for number in range(3)]
        for token in known:
            await issuer.reader.read(token)
        verified: list[str] = []
        decode = jwt.decode

        def verify(token: str, *arguments: Any, **options: Any) -> dict[str, Any]:
            verified.append(token)
            claims: dict[str, Any] = decode(token, *arguments, **options)
            return claims

        monkeypatch.setattr(jwt, "decode", verify)
        for token in reversed(known):
            await issuer.reader.read(token)
        assert verified == [known[0]]


class TestNewSecret:
    def test_is_256_bits_that_do_not_repeat(self) -> None:
        made = {new_secret() for _ in range(1000)}
        assert len(made) == 1000
        assert {len(base64.urlsafe_b64decode(secret + "=")) for secret in made} == {32}


class TestHashSecret:
    def test_is_sha_256(self) -> None:
        assert hash_secret("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
