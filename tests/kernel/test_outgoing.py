from __future__ import annotations

import asyncio
import gzip
import ipaddress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import pytest_asyncio
import stamina

from api.kernel.outgoing import CALLS_AT_ONCE, RESPONSE_BYTES_MAX, Outgoing, OutgoingTransport
from api.kernel.outgoing_addresses import is_public
from api.kernel.outgoing_errors import CallFailed, Reason
from settings.outgoing import OutgoingSettings
from tests.factories.certificates import make_certificate, trusting
from tests.factories.clocks import Clock
from tests.factories.http_servers import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

LOCAL = OutgoingSettings.model_validate({"outgoing_private_hosts": "127.0.0.1, other.example"})


class Server:
    """A server whose responses a test prepares; without any it responds with a JSON object."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.headers: list[tuple[bytes, bytes]] = [(b"content-type", b"application/json")]
        self.body = b'{"is": "here"}'
        self.released = asyncio.Event()
        self.released.set()
        self.at_once = self.at_once_max = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append((scope["method"], scope["path"], headers))
        self.at_once += 1
        self.at_once_max = max(self.at_once, self.at_once_max)
        await self.released.wait()
        self.at_once -= 1
        status = self.statuses.pop(0) if self.statuses else 200
        await send({"type": "http.response.start", "status": status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture
def server() -> Server:
    return Server()


@pytest_asyncio.fixture
async def url(server: Server) -> AsyncIterator[str]:
    async with serving(server) as port:
        yield f"http://127.0.0.1:{port}"


@pytest_asyncio.fixture
async def outgoing() -> AsyncIterator[Outgoing]:
    calls = Outgoing(OutgoingTransport(LOCAL))
    yield calls
    await calls.close()


class Resolver:
    """Resolves every name, with the next addresses at each question."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def resolved(resolver: Resolver, settings: OutgoingSettings = LOCAL, **options: Any) -> Outgoing:
    return Outgoing(OutgoingTransport(settings, resolve_host=resolver, **options))


async def failure(call: Any) -> Reason:
    with pytest.raises(CallFailed) as caught:
        await call
    return caught.value.reason


class TestIsPublic:
    @pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "64:ff9b::808:808"])
    def test_an_address_of_the_internet_is(self, address: str) -> None:
        assert is_public(ipaddress.ip_address(address))

    @pytest.mark.parametrize(
        "address",
        [
            "0.0.0.1", "127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
            "192.0.0.8", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
            "::", "::1", "fe80::1", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1",
            "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
            "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::",
        ],
    )  # fmt: skip
    def test_no_other_address_is(self, address: str) -> None:
        assert not is_public(ipaddress.ip_address(address))


class TestAddresses:
    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"],
    )
    async def test_a_private_address_is_refused_however_it_is_written(self, server: Server, host: str) -> None:
        calls = Outgoing(OutgoingTransport(OutgoingSettings()))
        async with serving(server) as port:
            assert await failure(calls.get_json(f"http://{host}:{port}/")) in {
                Reason.ADDRESS_REFUSED, Reason.NOT_RESOLVED,
            }  # fmt: skip
        assert server.requests == []
        await calls.close()

    async def test_one_private_address_among_public_ones_is_refused(self) -> None:
        calls = resolved(Resolver(["93.184.215.14", "10.0.0.1"]))
        assert await failure(calls.get_json("http://mixed.example/")) is Reason.ADDRESS_REFUSED
        await calls.close()

    async def test_the_connection_goes_to_the_checked_address(self, server: Server) -> None:
        """A second question would be answered with another address; it is never asked."""
        resolver = Resolver(["127.0.0.1"], ["10.255.255.1"])
        calls = resolved(resolver)
        async with serving(server) as port:
            assert await calls.get_json(f"http://other.example:{port}/path?a=1") == {"is": "here"}
        assert resolver.asked == ["other.example"]
        [(method, path, headers)] = server.requests
        assert (method, path, headers["host"]) == ("GET", "/path", f"other.example:{port}")
        await calls.close()

    async def test_tls_verifies_the_name_and_not_the_address(self, server: Server, tmp_path: Path) -> None:
        certificate = make_certificate(tmp_path / "certificate.pem", host="other.example")
        calls = resolved(Resolver(["127.0.0.1"]), tls=trusting(certificate))
        async with serving(server, certificate=certificate) as port:
            assert await calls.get_json(f"https://other.example:{port}/") == {"is": "here"}
            assert await failure(calls.get_json(f"https://127.0.0.1:{port}/")) is Reason.NOT_CONNECTED
        await calls.close()

    async def test_an_allowed_host_is_allowed_on_its_port_only(self, server: Server) -> None:
        async with serving(server) as port:
            allowed = OutgoingSettings.model_validate({"outgoing_private_hosts": f"127.0.0.1:{port}"})
            calls = Outgoing(OutgoingTransport(allowed))
            assert await calls.get_json(f"http://127.0.0.1:{port}/") == {"is": "here"}
            assert await failure(calls.get_json(f"http://127.0.0.1:{port + 1}/")) is Reason.ADDRESS_REFUSED
            await calls.close()

    async def test_a_name_without_addresses(self, outgoing: Outgoing) -> None:
        assert await failure(outgoing.get_json(f"http://{uuid4().hex}.invalid/")) is Reason.NOT_RESOLVED


class TestRetries:
    async def test_an_idempotent_call_is_repeated_until_it_succeeds(
        self, server: Server, url: str, outgoing: Outgoing
    ) -> None:
        server.statuses = [503, 502, 500, 429]
        assert await outgoing.get_json(url) == {"is": "here"}
        assert len(server.requests) == 5

    async def test_five_times_at_most(self, server: Server, url: str, outgoing: Outgoing) -> None:
        server.statuses = [503] * 10
        assert await failure(outgoing.get_json(url)) is Reason.BAD_STATUS
        assert len(server.requests) == 5

    async def test_another_call_is_sent_once(self, server: Server, url: str, outgoing: Outgoing) -> None:
        server.statuses = [503]
        assert (await outgoing.request("POST", url, content=b"{}")).status_code == 503
        assert len(server.requests) == 1

    async def test_a_refusal_is_not_repeated(self, server: Server, url: str, outgoing: Outgoing) -> None:
        server.statuses = [404]
        assert await failure(outgoing.get_json(url)) is Reason.BAD_STATUS
        assert len(server.requests) == 1


class TestBreaker:
    async def test_suspends_calls_to_a_failing_server_until_a_trial_succeeds(self, server: Server) -> None:
        clock = Clock()
        calls = Outgoing(OutgoingTransport(LOCAL, clock=clock))
        server.statuses = [500] * 6
        async with serving(server) as port, serving(Server()) as other:
            url = f"http://127.0.0.1:{port}"
            for _ in range(5):
                await calls.request("POST", url)
            assert await failure(calls.request("POST", url)) is Reason.SUSPENDED
            assert len(server.requests) == 5
            assert (await calls.request("POST", f"http://127.0.0.1:{other}")).status_code == 200
            clock.now_s += 30
            assert (await calls.request("POST", url)).status_code == 500
            assert await failure(calls.request("POST", url)) is Reason.SUSPENDED
            clock.now_s += 30
            assert (await calls.request("POST", url)).status_code == 200
            assert (await calls.request("POST", url)).status_code == 200
        await calls.close()

    async def test_a_refused_address_is_no_failure_of_the_server(self, server: Server) -> None:
        resolver = Resolver(["10.0.0.1"])
        settings = OutgoingSettings.model_validate({"outgoing_private_hosts": "127.0.0.1"})
        calls = resolved(resolver, settings)
        for _ in range(10):
            assert await failure(calls.get_json("http://some.example/")) is Reason.ADDRESS_REFUSED
        await calls.close()


class TestBulkhead:
    async def test_limits_the_calls_at_the_same_time(self, server: Server, url: str, outgoing: Outgoing) -> None:
        server.released.clear()
        running = [asyncio.create_task(outgoing.get_json(url)) for _ in range(3 * CALLS_AT_ONCE)]
        while server.at_once < CALLS_AT_ONCE:  # noqa: ASYNC110 - the server counts
            await asyncio.sleep(0.01)
        server.released.set()
        assert await asyncio.gather(*running) == [{"is": "here"}] * len(running)
        assert server.at_once_max == CALLS_AT_ONCE

    async def test_refuses_calls_that_would_wait_behind_too_many(
        self, server: Server, url: str, outgoing: Outgoing
    ) -> None:
        server.released.clear()
        running = [asyncio.create_task(outgoing.request("POST", url)) for _ in range(CALLS_AT_ONCE + 150)]
        done, waiting = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        assert {task.exception().reason for task in done} == {Reason.BUSY}  # type: ignore[union-attr]
        server.released.set()
        assert {response.status_code for response in await asyncio.gather(*waiting)} == {200}


class TestResponses:
    async def test_a_response_over_the_limit_is_refused(self, server: Server, url: str, outgoing: Outgoing) -> None:
        server.body = b"x" * RESPONSE_BYTES_MAX
        assert (await outgoing.request("GET", url)).content == server.body
        server.body += b"x"
        assert await failure(outgoing.request("GET", url)) is Reason.TOO_LARGE

    async def test_a_compressed_response_is_refused(self, server: Server, url: str, outgoing: Outgoing) -> None:
        server.body = gzip.compress(b"0" * 100 * RESPONSE_BYTES_MAX)
        assert len(server.body) < RESPONSE_BYTES_MAX
        server.headers = [(b"content-encoding", b"gzip")]
        assert await failure(outgoing.request("GET", url)) is Reason.BAD_CONTENT
        assert server.requests[0][2]["accept-encoding"] == "identity"

    async def test_a_redirect_is_refused_unless_it_is_allowed(
        self, server: Server, url: str, outgoing: Outgoing
    ) -> None:
        server.headers = [(b"location", b"/next")]
        server.statuses = [302]
        assert await failure(outgoing.get_json(url)) is Reason.REDIRECTED
        server.statuses = [302]
        assert (await outgoing.request("GET", url, allows_redirects=True)).status_code == 200
        server.statuses = [302] * 10
        assert await failure(outgoing.request("GET", url, allows_redirects=True)) is Reason.REDIRECTED

    async def test_a_redirect_to_a_private_address_is_refused(
        self, server: Server, url: str, outgoing: Outgoing
    ) -> None:
        server.headers = [(b"location", b"http://169.254.169.254/latest/meta-data")]
        server.statuses = [302]
        assert await failure(outgoing.request("GET", url, allows_redirects=True)) is Reason.ADDRESS_REFUSED

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b'"text"', b"", b"\xff"])
    async def test_what_is_not_a_json_object_is_refused(
        self, server: Server, url: str, outgoing: Outgoing, body: bytes
    ) -> None:
        server.body = body
        assert await failure(outgoing.get_json(url)) is Reason.BAD_CONTENT

    async def test_a_slow_server_is_given_up(self, server: Server, url: str) -> None:
        calls = Outgoing(OutgoingTransport(LOCAL.model_copy(update={"timeout_s": 0.05})))
        server.released.clear()
        assert await failure(calls.request("POST", url)) is Reason.TIMED_OUT
        server.released.set()
        await calls.close()

    async def test_a_server_that_breaks_off(self, outgoing: Outgoing) -> None:
        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as broken:
            port = broken.sockets[0].getsockname()[1]
            assert await failure(outgoing.request("POST", f"http://127.0.0.1:{port}")) is Reason.BROKEN

    async def test_a_closed_port(self, outgoing: Outgoing) -> None:
        async with serving(Server()) as port:
            pass
        assert await failure(outgoing.request("POST", f"http://127.0.0.1:{port}")) is Reason.NOT_CONNECTED

    async def test_the_error_names_the_host_and_no_more_of_the_url(
        self, server: Server, url: str, outgoing: Outgoing
    ) -> None:
        server.statuses = [404]
        with pytest.raises(CallFailed) as caught:
            await outgoing.get_json(f"{url}/path?secret=1")
        assert caught.value.detail == "The server 127.0.0.1 cannot be used: it responded with an error (status 404)."
