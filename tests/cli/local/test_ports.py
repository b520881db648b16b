from __future__ import annotations

import socket

from cli.local.ports import HOST, free_port


class TestFreePort:
    def test_a_server_can_listen_on_it(self) -> None:
        with socket.socket() as server:
            server.bind((HOST, free_port()))

    def test_the_preferred_one_if_it_is_free(self) -> None:
        port = free_port()
        assert free_port(port) == port

    def test_another_one_if_it_is_taken(self) -> None:
        with socket.create_server((HOST, 0)) as server:
            taken = server.getsockname()[1]
            assert free_port(taken) not in {0, taken}
