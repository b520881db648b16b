"""The tables of all domains in one metadata, for the comparison with a migrated database."""

from __future__ import annotations

from api.attachments import models as attachments
from api.auth import models as auth
from api.auth.api_tokens import models as api_tokens
from api.auth.second_factors import models as second_factors
from api.auth.sso import models as sso
from api.campaigns import models as campaigns
from api.campaigns.attributes import models as member_attributes
from api.campaigns.invitations import models as invitations
from api.campaigns.join_requests import models as join_requests
from api.deliveries import models as deliveries
from api.discussions import models as discussions
from api.ideas import models as ideas
from api.ideas.exports import models as idea_exports
from api.ideas.lists import models as idea_lists
from api.kernel import idempotency
from api.kernel.db import Model
from api.sharing import models as sharing

__all__ = [
    "Model",
    "api_tokens",
    "attachments",
    "auth",
    "campaigns",
    "deliveries",
    "discussions",
    "idea_exports",
    "idea_lists",
    "ideas",
    "idempotency",
    "invitations",
    "join_requests",
    "member_attributes",
    "second_factors",
    "sharing",
    "sso",
]
