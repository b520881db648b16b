"""The record of the HTML pages."""

from __future__ import annotations

from api.auth.container import AuthContainer
from api.kernel.domains import Domain
from api.web.account import router as account
from api.web.accounts import router as accounts
from api.web.campaign_invitations import router as campaign_invitations
from api.web.joining import router as joining
from api.web.log_in import router
from api.web.second_step import router as second_step
from api.web.shared_ideas import router as shared_ideas
from api.web.sign_on import router as sign_on

WEB = Domain[AuthContainer](
    name="web", pages=(router, account, accounts, joining, campaign_invitations, second_step, shared_ideas, sign_on)
)
