"""A separate installation, used through its command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.factories.shells import Shell, installed

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def ideamint() -> Iterator[Shell]:
    """The command line of a new installation."""
    with installed() as shell:
        yield shell
