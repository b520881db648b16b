"""HTML pages: templates, security headers and protection against cross-site request forgery (CSRF).

A form is accepted only with the signature of a random cookie that the same browser received with the form, so that
another site cannot submit it. A form that the browser reports as sent by another site is refused as well.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from itsdangerous import Signer
from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup
from starlette.responses import HTMLResponse

from settings import Settings

EXPIRED_FORM = "This form has expired. Please try again."
CSRF_COOKIE = "ideamint_form"
SECRET_LENGTH = len(secrets.token_urlsafe())


class Browser:
    """Renders the pages of one package and checks their forms.

    Templates are in the package's folder `templates`; they may extend the kernel's `page.html`.
    """

    def __init__(self, package: str, *, script: str | None = None) -> None:
        """`package` is the name of the pages' package, such as `api.web`; `script` a file of its templates' folder.

        The script is part of every page of this object, and the only one that its pages run.
        """
        loader = ChoiceLoader([PackageLoader(package), PackageLoader("api.kernel")])
        self._templates = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
        self._style, _, _ = loader.get_source(self._templates, "page.css")
        self._script = "" if script is None else loader.get_source(self._templates, script)[0]

    def render(
        self,
        request: Request,
        settings: Settings,
        status: int,
        template: str,
        *,
        form_targets: Sequence[str] = (),
        has_forms: bool = True,
        has_pictures: bool = False,
        **shown: Any,
    ) -> HTMLResponse:
        """A page. `shown` are the template's variables in addition to `csrf`, which its forms must submit.

        `form_targets` are further origins to which the response to a form may redirect. A page without forms sets no cookie.
        One with pictures shows those of this server.
        """
        given = request.cookies.get(CSRF_COOKIE, "")
        secret = given if len(given) == SECRET_LENGTH else secrets.token_urlsafe()
        html = self._templates.get_template(template).render(
            style=Markup(self._style),  # noqa: S704 - our own file
            script=Markup(self._script),  # noqa: S704 - the same
            csrf=_form_signer(settings).get_signature(secret).decode(),
            **shown,
        )
        response = HTMLResponse(html, status, self.headers(settings, form_targets, has_pictures=has_pictures))
        if has_forms:
            response.set_cookie(
                CSRF_COOKIE, secret, path="/", secure=settings.auth.secure_cookies, httponly=True, samesite="lax"
            )
        return response

    def headers(
        self, settings: Settings, form_targets: Sequence[str] = (), *, has_pictures: bool = False
    ) -> dict[str, str]:
        """Security headers: a page has only its own style and script; its forms go to this host or to the dashboards."""
        addresses = settings.addresses
        pages = (urlsplit(url) for url in (addresses.public_dashboards_url, addresses.public_dagster_url))
        targets = " ".join(["'self'", *(f"{page.scheme}://{page.netloc}" for page in pages), *form_targets])
        pictures = "img-src 'self'; " if has_pictures else ""
        script = f"script-src {_source(self._script)}; " if self._script else ""
        policy = (
            f"default-src 'none'; style-src {_source(self._style)}; {script}{pictures}base-uri 'none'; frame-ancestors 'none'; "
            f"form-action {targets}"
        )
        return {"Content-Security-Policy": policy, "Cache-Control": "no-store"}


def path_of(request: Request, name: str, **parts: str) -> str:
    """The path of the page with this name."""
    return str(request.app.url_path_for(name, **parts))


def is_own_form(request: Request, settings: Settings, token: str) -> bool:
    """Whether a submitted form, whose field `csrf` is `token`, was rendered for this browser by this installation."""
    secret = request.cookies.get(CSRF_COOKIE, "")
    from_elsewhere = request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}
    return bool(secret) and not from_elsewhere and _form_signer(settings).verify_signature(secret, token)


def _source(text: str) -> str:
    """The source expression of an inline style or script (CSP, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _form_signer(settings: Settings) -> Signer:
    return Signer(settings.auth.signing_secret, salt="form", key_derivation="hmac", digest_method=hashlib.sha256)
