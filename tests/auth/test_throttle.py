from __future__ import annotations

import pytest

from api.auth.errors import TooManyAttempts
from api.auth.throttle import LogInDelays
from tests.factories.clocks import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def delays(clock: Clock) -> LogInDelays:
    return LogInDelays(clock)


def wait_s(delays: LogInDelays, email: str, address: str) -> int:
    try:
        delays.check(email, address)
    except TooManyAttempts as error:
        return error.retry_after_s
    return 0


class TestLogInDelays:
    def test_delays_start_after_four_failures_and_double_up_to_15_minutes(
        self, delays: LogInDelays, clock: Clock
    ) -> None:
        waits = []
        for _ in range(17):
            delays.failed("anna@example.org", "192.0.2.1")
            waits.append(wait_s(delays, "anna@example.org", "192.0.2.1"))
            clock.now_s += waits[-1]
            assert wait_s(delays, "anna@example.org", "192.0.2.1") == 0
        assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]

    def test_an_account_is_counted_over_all_addresses(self, delays: LogInDelays) -> None:
        for host in range(5):
            delays.failed("Anna@Example.org", f"192.0.2.{host}")
        assert wait_s(delays, "anna@example.org", "198.51.100.1") == 1
        assert wait_s(delays, "ben@example.org", "198.51.100.1") == 0

    def test_an_address_is_counted_over_all_accounts(self, delays: LogInDelays) -> None:
        for number in range(5):
            delays.failed(f"user{number}@example.org", "192.0.2.1")
        assert wait_s(delays, "ben@example.org", "192.0.2.1") == 1
        assert wait_s(delays, "ben@example.org", "192.0.2.2") == 0

    def test_a_success_clears_the_account_and_not_the_address(self, delays: LogInDelays) -> None:
        for _ in range(5):
            delays.failed("anna@example.org", "192.0.2.1")
        delays.succeeded("anna@example.org", "192.0.2.9")
        assert wait_s(delays, "anna@example.org", "198.51.100.1") == 0
        assert wait_s(delays, "ben@example.org", "192.0.2.1") == 1

    def test_failures_of_others_do_not_lock_out_a_user_who_logged_in_from_here(self, delays: LogInDelays) -> None:
        delays.succeeded("anna@example.org", "192.0.2.1")
        for number in range(50):
            delays.failed("anna@example.org", f"198.51.100.{number}")  # failures of her account from other addresses
            delays.failed(f"user{number}@example.org", "192.0.2.1")  # failures of other accounts from her address
        assert wait_s(delays, "anna@example.org", "192.0.2.1") == 0
        assert wait_s(delays, "anna@example.org", "203.0.113.1") == 900

    def test_a_user_who_logged_in_from_here_is_delayed_as_well(self, delays: LogInDelays) -> None:
        delays.succeeded("anna@example.org", "192.0.2.1")
        for _ in range(6):
            delays.failed("anna@example.org", "192.0.2.1")
        assert wait_s(delays, "anna@example.org", "192.0.2.1") == 2

    def test_an_hour_without_a_failure_resets_the_count(self, delays: LogInDelays, clock: Clock) -> None:
        for _ in range(12):
            delays.failed("anna@example.org", "192.0.2.1")
        clock.now_s += 3601
        delays.failed("anna@example.org", "192.0.2.1")
        assert wait_s(delays, "anna@example.org", "192.0.2.1") == 0

    def test_one_host_has_many_ipv6_addresses(self, delays: LogInDelays) -> None:
        for number in range(5):
            delays.failed(f"user{number}@example.org", f"2001:db8:0:1::{number}")
        assert wait_s(delays, "ben@example.org", "2001:db8:0:1:ffff::1") == 1
        assert wait_s(delays, "ben@example.org", "2001:db8:0:2::1") == 0

    def test_the_number_of_counts_is_limited_and_the_oldest_is_removed_first(self, clock: Clock) -> None:
        delays = LogInDelays(clock, counts_max=100)
        for _ in range(5):
            delays.failed("anna@example.org", "192.0.2.1")
        for number in range(49):
            delays.failed(f"user{number}@example.org", f"host-{number}")
            delays.succeeded(f"known{number}@example.org", "192.0.2.7")
        assert wait_s(delays, "anna@example.org", "203.0.113.1") == 1
        for number in range(1000):
            delays.failed(f"more{number}@example.org", f"other-{number}")
            delays.succeeded(f"other{number}@example.org", "192.0.2.7")
        assert wait_s(delays, "anna@example.org", "203.0.113.1") == 0
        assert (len(delays._counts), len(delays._known)) == (100, 100)
