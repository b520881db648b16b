"""Free TCP ports of the loopback, and the address at which a local server can be reached."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"


def free_port(preferred: int = 0) -> int:
    """`preferred` if it is given and free, otherwise a port chosen by the system. Another process may take it meanwhile.

    Raises:
        OSError: no port is free.
    """
    with socket.socket() as probe:
        # A connection that a stopped server left in TIME_WAIT does not occupy its port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, preferred))
        except OSError:
            if not preferred:
                raise
            return free_port()
        port: int = probe.getsockname()[1]
        return port


def local_host(bind_host: str) -> str:
    """The host at which this machine reaches a server that listens on `bind_host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind_host, bind_host)  # noqa: S104 (nothing is bound to it)
