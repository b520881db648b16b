"""The application of the tests of accounts, with its additional routes."""

from __future__ import annotations

from tests.auth.conftest import app, http, mails, shared_app

__all__ = ["app", "http", "mails", "shared_app"]
