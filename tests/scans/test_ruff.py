"""Exceptions from ruff's rules for security (S) have a reason each."""

from __future__ import annotations

import re
import subprocess
import tomllib

from tests.scans.secrets import ROOT

# a code, further codes, then a reason in brackets or after a dash
_WITH_REASON = re.compile(r"# noqa: [A-Z0-9, ]*[A-Z][0-9]+ (?:- |\()\S")


def test_all_of_them_are_on() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    assert {rule for rule in lint["ignore"] if re.fullmatch(r"S\d+", rule)} == {"S101", "S404", "S603", "S607"}


def test_ignored_rules_have_a_reason() -> None:
    lines = [line.strip() for line in (ROOT / "pyproject.toml").read_text().splitlines()]
    ignored = [line for line in lines if re.match(r'"S\d+",', line)]
    assert len(ignored) >= 4
    assert [line for line in ignored if not re.fullmatch(r'"S\d+", # \S.*', line)] == []


def test_ignored_lines_have_a_reason() -> None:
    found = subprocess.run(
        ["git", "grep", "-hE", r"noqa: [A-Z0-9, ]*\bS[0-9]+", "--", "*.py", ":!tests/scans"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert found
    assert [line for line in found if not _WITH_REASON.search(line)] == []
