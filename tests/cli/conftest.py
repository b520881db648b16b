"""A separate installation, used through its command line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories.shells import Shell


@pytest.fixture(scope="module")
def ideamint() -> Iterator[Shell]:
    """The command line of a new installation; its server is stopped at the end.

    Not in tmp_path, since the account of the server cannot enter it if root runs the tests.
    """
    with tempfile.TemporaryDirectory(prefix="ideamint-test-") as folder:
        Path(folder).chmod(0o711)
        shell = Shell(Path(folder) / "data")
        yield shell
        shell("db", "stop")
