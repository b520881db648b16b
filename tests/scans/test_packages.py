"""The audit of packages, with a vulnerability service on this machine: found, nothing found, unknown, and unreachable."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.scans.packages import Audit, audit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VULNERABLE = {
    "vulns": [
        {
            "id": "GHSA-0000-0000-0001",
            "summary": "An example",
            "affected": [
                {
                    "package": {"name": "jinja2", "ecosystem": "PyPI"},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9.9"}]}],
                }
            ],
        }
    ]
}


@contextmanager
def service(response: dict[str, Any]) -> Iterator[str]:
    """A service with the interface of osv.dev, which responds alike to each request; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(response).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text(f"jinja2==3.1.0 --hash=sha256:{'0' * 64}\n")
    return file


def ask(requirements: Path, url: str) -> Audit:
    return audit(
        [requirements], ["--vulnerability-service", "osv", "--osv-url", url, "--cache-dir", str(requirements.parent)]
    )


class TestAudit:
    def test_a_vulnerability_fails_always(self, requirements: Path) -> None:
        with service(VULNERABLE) as url:
            done = ask(requirements, url)
        assert done.vulnerabilities == ("jinja2 3.1.0: GHSA-0000-0000-0001, fixed in 9.9.9",)
        assert [done.exit_code(is_strict=is_strict) for is_strict in (True, False)] == [1, 1]
        assert "VULNERABLE: jinja2" in done.report()[0]

    def test_none_passes(self, requirements: Path) -> None:
        with service({}) as url:
            done = ask(requirements, url)
        assert (done.audited, done.exit_code(is_strict=True)) == (1, 0)

    def test_an_unreachable_service_is_reported_and_fails_only_if_strict(self, requirements: Path) -> None:
        with service({}) as url:
            pass
        done = ask(requirements, url)
        assert done.error
        assert [done.exit_code(is_strict=is_strict) for is_strict in (True, False)] == [1, 0]
        assert "NOT AUDITED" in done.report()[0]

    def test_packages_that_the_service_does_not_know_are_reported(self) -> None:
        done = Audit(1, skipped=("one", "two"))
        assert "NOT AUDITED: the vulnerability service does not know 2 packages: one, two" in done.report()
        assert [done.exit_code(is_strict=is_strict) for is_strict in (True, False)] == [1, 0]
