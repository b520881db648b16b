"""Looks for known vulnerabilities of the pinned packages: `python -m tests.scans.packages [--strict] [FILE ...]`.

pip-audit asks the vulnerability data of PyPI about each package of `requirements/`. That service can be away, or unreachable
behind a firewall or a mirror that has packages only. Then this command reports what was not audited and exits with 0, so that no
check of a change depends on it; with `--strict`, for a scheduled run, it exits with 1. A vulnerability always exits with 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
FILES = (ROOT / "requirements" / "dev.txt", ROOT / "requirements" / "uv.txt")
TIMEOUT_S = 300
# of a connection; pip-audit stops at the first package whose connection fails
CONNECTION_TIMEOUT_S = 5


@dataclass(frozen=True)
class Audit:
    """The result: how many packages were audited, and a line about each vulnerability and each package left out."""

    audited: int
    vulnerabilities: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    error: str = ""

    def exit_code(self, *, is_strict: bool) -> int:
        """1 for a vulnerability, or if it is strict and a package was not audited."""
        is_incomplete = bool(self.error or self.skipped)
        return 1 if self.vulnerabilities or (is_strict and is_incomplete) else 0

    def report(self) -> list[str]:
        """The lines to print."""
        lines = [f"VULNERABLE: {each}" for each in self.vulnerabilities]
        if self.error:
            lines.append(f"NOT AUDITED: the vulnerability service is not reachable: {self.error}")
        if self.skipped:
            shown = ", ".join(self.skipped[:5]) + (" ..." if len(self.skipped) > 5 else "")
            lines.append(f"NOT AUDITED: the vulnerability service does not know {len(self.skipped)} packages: {shown}")
        return [*lines, f"{self.audited} packages audited, {len(self.vulnerabilities)} vulnerabilities"]


def audit(files: Sequence[Path], options: Sequence[str] = ()) -> Audit:
    """Run pip-audit on pinned requirements with hashes; `options` are further ones of pip-audit."""
    requirements = [part for file in files for part in ("--requirement", str(file))]
    command = [
        sys.executable, "-m", "pip_audit", *requirements, "--require-hashes", "--disable-pip", "--format", "json",
        "--progress-spinner", "off", "--timeout", str(CONNECTION_TIMEOUT_S), *options,
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return Audit(0, error=f"no answer in {TIMEOUT_S} s")
    if not done.stdout.strip():
        message = done.stderr.strip().splitlines()
        return Audit(0, error=message[-1] if message else "pip-audit printed nothing")
    return _read(json.loads(done.stdout)["dependencies"])


def _read(dependencies: list[dict[str, Any]]) -> Audit:
    found, skipped = [], []
    for each in dependencies:
        if "skip_reason" in each:
            skipped.append(each["name"])
            continue
        for vulnerability in each["vulns"]:
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version"
            found.append(f"{each['name']} {each['version']}: {vulnerability['id']}, fixed in {fixed}")
    return Audit(len(dependencies) - len(skipped), tuple(found), tuple(skipped))


def main(arguments: list[str]) -> int:
    """Print the report, and return the exit code."""
    files = [Path(each) for each in arguments if each != "--strict"] or FILES
    done = audit(files)
    sys.stderr.write("".join(f"{line}\n" for line in done.report()))
    return done.exit_code(is_strict="--strict" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
