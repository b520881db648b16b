"""The application of the tests of accounts, with its additional routes."""

from __future__ import annotations

from tests.auth.conftest import app, http, shared_app

__all__ = ["app", "http", "shared_app"]
