from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import settings as configuration


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"bind_host": "0.0.0.0", "api_port": 9000}, "http://127.0.0.1:9000"),  # noqa: S104 - nothing is bound
        ({"bind_host": "::"}, "http://[::1]:8000"),
        ({"bind_host": "fe80::1"}, "http://[fe80::1]:8000"),
        ({"api_url": "http://api:8000/"}, "http://api:8000"),
    ],
)
def test_is_an_address_that_other_processes_can_connect_to(
    tmp_path: Path, given: dict[str, Any], expected: str
) -> None:
    assert configuration.load(env_file=None, data_dir=tmp_path, **given).addresses.internal_api_url == expected
