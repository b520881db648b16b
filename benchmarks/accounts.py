"""Measures what log-ins reveal about addresses, and how fast another process refuses a token after a log-out.

    python -m benchmarks.accounts [--log-ins 1000] [--revocations 200] [--json]

Log-ins with a wrong password at one API process, one at a time, known and unknown addresses in turn, each from another network
address, so that no attempt is delayed: `known_ms` and `unknown_ms` are the medians, `difference` is the difference of both divided by the larger one, and `auc` is the
probability that a random known address takes longer than a random unknown one: 0.5 means that time tells nothing.
`registration_...` are the same figures of registrations.

`revocation_...` is the time in milliseconds from the response of a log-out at one process to the first refusal of its
access token by another one, which is asked every 5 ms.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from bisect import bisect_left, bisect_right
from contextlib import ExitStack
from ipaddress import IPv4Address
from secrets import randbits
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
import psycopg

from api.auth.passwords import hash_password
from benchmarks import ledgers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from settings import Settings

PASSWORD = "granite-otter-52-lamp"  # noqa: S105 - of the accounts of this benchmark
ASK_S = 0.005
VARIABLES = {
    "IDEAMINT_TRUSTED_PROXIES": "127.0.0.1",
    "IDEAMINT_REGISTRATIONS_PER_INSTALLATION": "off",
}


def measure(settings: Settings, log_ins: int, revocations: int) -> dict[str, float]:
    """All figures."""
    known = add_accounts(settings, log_ins)
    unknown = [f"{uuid4().hex}@example.org" for _ in range(log_ins)]
    with ExitStack() as stack:
        ports = [stack.enter_context(ledgers.api(settings, **VARIABLES)) for _ in range(2)]
        first, second = [
            stack.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30)) for port in ports
        ]

        def log_in(email: str) -> int:
            body = {"email": email, "password": "a wrong password"}
            return first.post("/auth/login", json=body, headers=from_elsewhere()).status_code

        def register(email: str) -> int:
            body = {"email": email, "password": PASSWORD, "display_name": "Anna"}
            return first.post("/auth/register", json=body, headers=from_elsewhere()).status_code

        figures = _compare(log_in, 401, known, unknown)
        registrations = _compare(register, 202, known, unknown)
        figures |= {f"registration_{name}": value for name, value in registrations.items()}
        delays = [_revoke(first, second, email) for email in known[:revocations]]
    return figures | {
        "revocation_median_ms": round(statistics.median(delays) * 1000, 1),
        "revocation_max_ms": round(max(delays) * 1000, 1),
    }


def add_accounts(settings: Settings, number: int) -> list[str]:
    """Create accounts with `PASSWORD`; returns their addresses."""
    emails = [f"{uuid4().hex}@example.org" for _ in range(number)]
    with psycopg.connect(settings.database.role_url("app")) as connection:
        connection.execute(
            "INSERT INTO app.users (email, display_name, password_hash, email_verified_at) "
            "SELECT email, 'Anna', %s, now() FROM unnest(%s::text[]) AS t (email)",
            (hash_password(PASSWORD), emails),
        )
    return emails


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The area under the receiver operating characteristic: P(positive > negative) + P(equal) / 2 (Mann and Whitney, 1947)."""
    ordered = sorted(negative)
    larger = sum(bisect_left(ordered, value) + bisect_right(ordered, value) for value in positive)
    return larger / (2 * len(positive) * len(negative))


def _compare(call: Callable[[str], int], status: int, known: Sequence[str], unknown: Sequence[str]) -> dict[str, float]:
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for emails in zip(known, unknown, strict=True):
        for kind, email in zip(times, emails, strict=True):
            began = time.perf_counter()
            found = call(email)
            times[kind].append(time.perf_counter() - began)
            assert found == status, f"{kind}: {found}"
    medians = {kind: statistics.median(each) for kind, each in times.items()}
    return {
        **{f"{kind}_ms": round(median * 1000, 2) for kind, median in medians.items()},
        "difference": round(abs(medians["known"] - medians["unknown"]) / max(medians.values()), 4),
        "auc": round(auc(times["known"], times["unknown"]), 3),
    }


def from_elsewhere() -> dict[str, str]:
    """The header of a proxy that reports a random network address."""
    return {"X-Forwarded-For": str(IPv4Address(randbits(32)))}


def _revoke(first: httpx2.Client, second: httpx2.Client, email: str) -> float:
    """Seconds from the response of a log-out to the first refusal by the second process."""
    tokens = first.post("/auth/login", json={"email": email, "password": PASSWORD}).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert second.get("/users/me", headers=headers).status_code == httpx2.codes.OK
    assert first.post("/auth/logout", headers=headers).status_code == httpx2.codes.NO_CONTENT
    ended = time.perf_counter()
    while second.get("/users/me", headers=headers).status_code == httpx2.codes.OK:
        time.sleep(ASK_S)
    return time.perf_counter() - ended


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log-ins", type=int, default=1000, help="log-ins of known and of unknown addresses, each")
    parser.add_argument("--revocations", type=int, default=200, help="log-outs")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    arguments = parser.parse_args()
    with ledgers.installation() as (settings, _):
        figures = measure(settings, arguments.log_ins, arguments.revocations)
    ledgers.print_figures(figures, as_json=arguments.json)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
