"""Fixtures of the proofs: their size."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the proofs at full size (make proofs)")


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether the proofs run at full size, or at the small size of `make test-deep`."""
    return bool(request.config.getoption("--full", default=False))
