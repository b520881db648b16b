"""Start the API's process: `python -m api.server [--host HOST] [--port PORT]`."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.config import STARTUP_FAILURE

import settings as configuration
from api.kernel import logs
from api.kernel.http_limits import HttpLimits, limited
from api.kernel.startup import DatabaseMissing, wait_for_database
from api.main import create_app

if TYPE_CHECKING:
    from settings import Settings

# Threads that compute, such as the check of a new password, hand the interpreter over to the event loop after this time; by default
# after 5 ms, which each turn of the loop would wait for.
SWITCH_S = 0.0005
# Requests have this time to end after SIGTERM, then waiting coin commands 2 s: the supervisor sends SIGKILL after 10 s, and so do
# container hosts.
DRAIN_S = 6


def configure(settings: Settings, *, host: str, port: int) -> uvicorn.Config:
    """Uvicorn's configuration: limits of connections, and proxies that may report a client's address."""
    addresses = settings.addresses
    return uvicorn.Config(
        partial(create_app, settings),
        factory=True,
        host=host,
        port=port,
        http=limited(HttpLimits(connections=settings.limits.connections_max)),
        ws="none",
        proxy_headers=bool(addresses.trusted_proxies),
        forwarded_allow_ips=addresses.trusted_proxies,
        log_config=None,  # its loggers are those of the process
        access_log=False,
        server_header=False,
        log_level=settings.logs.level.lower(),
        timeout_graceful_shutdown=DRAIN_S,
    )


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", help="address to listen on; by default the setting IDEAMINT_BIND_HOST")
    parser.add_argument("--port", type=int, help="port to listen on; by default the setting IDEAMINT_API_PORT")
    arguments = parser.parse_args()
    try:
        settings = configuration.load()
        logs.configure(settings.logs)
        wait_for_database(settings.database)
    except (configuration.SettingsError, DatabaseMissing) as error:
        sys.exit(str(error))
    host = arguments.host or settings.addresses.bind_host
    port = settings.addresses.api_port if arguments.port is None else arguments.port
    sys.setswitchinterval(SWITCH_S)
    server = uvicorn.Server(configure(settings, host=host, port=port))
    server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


if __name__ == "__main__":
    main()
