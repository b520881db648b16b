from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from api.auth.sso.providers import Providers
from api.kernel.outgoing import make_outgoing
from settings import Settings, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

CORP: dict[str, Any] = {"name": "corp", "label": "Corp", "issuer": "https://id.example", "client_id": "ideamint"}


def read(*providers: dict[str, Any], **others: Any) -> Settings:
    return Settings.of(sso_providers=json.dumps(providers), **others)


class TestProviders:
    def test_are_a_json_list(self) -> None:
        [corp] = read(CORP | {"client_secret": "s", "roles_claim": "groups", "roles": {"a": "executive"}}).sso.providers
        assert (corp.issuer, corp.scopes, corp.roles) == (
            "https://id.example", ("openid", "profile", "email"), {"a": "executive"},
        )  # fmt: skip
        assert Settings.of().sso.providers == ()

    def test_a_secret_may_be_in_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text("from-file\n")
        [corp] = read(CORP | {"client_secret_file": str(file)}).sso.providers
        assert corp.client_secret is not None
        assert corp.client_secret.get_secret_value() == "from-file"

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"name": "Corp"}, "provider 2: name: "),
            ({"issuer": "http://id.example"}, "provider 2: issuer: not an https URL"),
            ({"issuer": "https://id.example?a=1"}, "provider 2: issuer: not an https URL"),
            ({"client_id": ""}, "provider 2: client_id: "),
            ({"scopes": ["email"]}, "provider 2: scopes: must include openid"),
            ({"roles": {"a": "executive"}}, "provider 2: roles and roles_claim are given both or neither"),
            ({"client_secret_file": "/no/such/file"}, "client_secret_file: /no/such/file: No such file"),
            ({"client_secret": "s", "client_secret_file": "f"}, "both given"),
            ({"secret": "s"}, "provider 2: secret: Extra inputs"),
        ],
    )
    def test_an_error_names_the_provider_and_the_field(self, changes: dict[str, Any], problem: str) -> None:
        second = CORP | {"name": "second", "issuer": "https://second.example"} | changes
        with pytest.raises(SettingsError, match="IDEAMINT_SSO_PROVIDERS") as caught:
            read(CORP, second)
        assert problem in str(caught.value)

    @pytest.mark.parametrize("text", ["[", "{}", "corp"])
    def test_another_text_is_refused_without_showing_it(self, text: str) -> None:
        with pytest.raises(SettingsError, match=r"not .*JSON") as caught:
            Settings.of(sso_providers=text)
        assert "corp" not in str(caught.value)

    def test_have_different_names_and_issuers(self) -> None:
        for same in ("name", "issuer"):
            other = {"name": "other", "issuer": "https://other.example"} | {same: CORP[same]}
            with pytest.raises(SettingsError, match=f"the same {same}"):
                read(CORP, CORP | other)

    def test_a_role_must_exist(self) -> None:
        settings = read(CORP | {"roles_claim": "groups", "roles": {"a": "emperor"}})
        with pytest.raises(SettingsError, match="corp: there is no role emperor; expected: system_admin"):
            Providers(settings.sso, make_outgoing(settings.outgoing))


class TestOnly:
    def test_needs_a_provider(self) -> None:
        with pytest.raises(SettingsError, match="IDEAMINT_SSO_ONLY: needs a provider"):
            Settings.of(sso_only="true")

    def test_allows_a_password_to_the_emergency_account(self) -> None:
        sso = read(CORP, sso_only="true", sso_emergency_email="Admin@example.org").sso
        assert sso.allows_password("admin@EXAMPLE.org")
        assert not sso.allows_password("other@example.org")
        assert not sso.allows_password(None)
        assert not read(CORP, sso_only="true").sso.allows_password("admin@example.org")
        assert read(CORP).sso.allows_password("other@example.org")


class TestPrivateHosts:
    def test_are_hosts_with_or_without_a_port(self) -> None:
        outgoing = Settings.of(outgoing_private_hosts="ID.corp.example, 10.0.0.5:8443 ,[fd00::5]").outgoing
        assert outgoing.allows_private("id.corp.example", 443)
        assert outgoing.allows_private("10.0.0.5", 8443)
        assert not outgoing.allows_private("10.0.0.5", 443)
        assert outgoing.allows_private("fd00::5", 1)
        assert not outgoing.allows_private("other.corp.example", 443)

    @pytest.mark.parametrize("text", ["https://id.example", "a b", "10.0.0.0/8", "x:y"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(SettingsError, match="IDEAMINT_OUTGOING_PRIVATE_HOSTS"):
            Settings.of(outgoing_private_hosts=text)
