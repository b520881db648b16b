"""The search for secrets finds a planted one, and knows those of the baseline."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api.auth.api_tokens.secrets import new_token
from tests.scans.secrets import ROOT, main, read_baseline, scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def private_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


# made at run time: this file has no secret itself
PLANTED: dict[str, Callable[[], str]] = {
    "Ideamint API token": lambda: f"curl -H 'Authorization: Bearer {new_token()}'",
    "AWS Access Key": lambda: f"key = AKIA{base64.b32encode(secrets.token_bytes(10)).decode()}",
    "Private Key": private_key,
    "Basic Auth Credentials": lambda: f"postgresql://ideamint:{secrets.token_hex(12)}@db/ideamint",
    "Hex High Entropy String": lambda: f'secret = "{secrets.token_hex(32)}"',
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_secret_is_found(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "settings.py"
    planted = PLANTED[kind]()
    file.write_text(f"import os\n{planted}\n")
    assert main([str(file)]) == 1
    printed = capsys.readouterr().err
    assert f"{file}:2: {kind}" in printed
    assert planted.splitlines()[-1] not in printed


def test_a_file_without_secrets_passes(tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    file.write_text("import os\nsecret = os.environ['IDEAMINT_JWT_SECRET']\n")
    assert main([str(file)]) == 0


def test_a_token_with_a_wrong_checksum_is_none(tmp_path: Path) -> None:
    file = tmp_path / "docs.md"
    file.write_text(f"Bearer imt_{'0' * 49}\n")
    assert scan([file]) == []


def test_the_baseline_has_existing_files_only() -> None:
    assert [file for file, _, _ in read_baseline() if not (ROOT / file).is_file()] == []
