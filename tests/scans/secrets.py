"""Searches the files of the repository for secrets: `python -m tests.scans.secrets [--write] [FILE ...]`.

Known findings, which are examples and values of tests, are in `.secrets.baseline`, by file, kind and hash. `--write` writes it
again; review its diff. Passwords in Python code are found by ruff (S105 to S107), so the keyword detector is not used: it would
report every password of a fictitious user.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / ".secrets.baseline"

_DETECTORS = (
    "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "GitHubTokenDetector", "GitLabTokenDetector",
    "JwtTokenDetector", "NpmDetector", "OpenAIDetector", "PrivateKeyDetector", "PypiTokenDetector", "SendGridDetector",
    "SlackDetector", "StripeDetector", "TwilioKeyDetector",
)  # fmt: skip
_SETTINGS = {
    "plugins_used": [
        *({"name": name} for name in _DETECTORS),
        {"name": "Base64HighEntropyString", "limit": 4.5},
        {"name": "HexHighEntropyString", "limit": 3.0},
        {"name": "ApiTokenDetector", "path": Path(__file__).with_name("api_token_detector.py").as_uri()},
    ],
    "filters_used": [
        {"path": "detect_secrets.filters.allowlist.is_line_allowlisted"},
        {"path": "detect_secrets.filters.heuristic.is_potential_uuid"},
        {"path": "detect_secrets.filters.heuristic.is_sequential_string"},
        {"path": "detect_secrets.filters.heuristic.is_templated_secret"},
    ],
}
# hashes of packages, and a generated document
_LEFT_OUT = ("requirements/", "openapi.json", ".secrets.baseline")
_ADVICE = """\
These look like secrets. A secret that was committed must be replaced where it is used, since the history of the repository keeps
it. If they are none, `python -m tests.scans.secrets --write` adds them to .secrets.baseline.
"""
_BINARY = {".png", ".woff2", ".ico", ".ttf", ".otf"}


@dataclass(frozen=True, order=True)
class Finding:
    """Something that looks like a secret; `digest` is its SHA-1."""

    file: str
    line: int
    kind: str
    digest: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """What identifies it in the baseline, in whichever line it is."""
        return self.file, self.kind, self.digest


def scan(files: list[Path]) -> list[Finding]:
    """The findings in files."""
    collection = SecretsCollection(root=str(ROOT))
    with transient_settings(_SETTINGS):
        for file in files:
            collection.scan_file(str(file))
    return sorted(Finding(_shown(name), found.line_number, found.type, found.secret_hash) for name, found in collection)


def tracked_files() -> list[Path]:
    """The files of the repository that are searched."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split("\0") if name and not name.startswith(_LEFT_OUT)]
    return [ROOT / name for name in names if Path(name).suffix not in _BINARY and (ROOT / name).is_file()]


def read_baseline() -> set[tuple[str, str, str]]:
    """The identities of the known findings."""
    known: dict[str, list[list[str]]] = json.loads(BASELINE.read_text(encoding="utf-8"))
    return {(file, kind, digest) for file, findings in known.items() for kind, digest in findings}


def write_baseline(findings: list[Finding]) -> None:
    """Make all findings known ones."""
    known: dict[str, list[list[str]]] = {}
    for file, kind, digest in sorted({finding.identity for finding in findings}):
        known.setdefault(file, []).append([kind, digest])
    BASELINE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """The exit code: 1 if there is a finding that the baseline does not have."""
    names = [each for each in arguments if each != "--write"]
    findings = scan([Path(name).resolve() for name in names] or tracked_files())
    if "--write" in arguments:
        write_baseline(findings)
        return 0
    known = read_baseline()
    unknown = [finding for finding in findings if finding.identity not in known]
    for finding in unknown:
        sys.stderr.write(f"{finding.file}:{finding.line}: {finding.kind}\n")
    if unknown:
        sys.stderr.write(_ADVICE)
    return 1 if unknown else 0


def _shown(name: str) -> str:
    path = Path(name)
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
