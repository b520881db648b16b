"""The domains of the product, in the order of their routes, and the selection that a process runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.analytics.domain import ANALYTICS
from api.attachments.domain import ATTACHMENTS
from api.audit.domain import AUDIT
from api.auth.domain import AUTH, TOKENS
from api.campaigns.domain import CAMPAIGNS
from api.coins.domain import COINS
from api.deliveries.domain import DELIVERIES
from api.discussions.domain import DISCUSSIONS
from api.events.domain import EVENTS
from api.ideas.domain import IDEAS
from api.kernel.domain import KERNEL
from api.outcomes.domain import OUTCOMES
from api.sharing.domain import SHARING
from api.todo.domain import TODO
from api.web.domain import WEB
from settings import PREFIX, SettingsError

if TYPE_CHECKING:
    from api.container import Container
    from api.kernel.domains import Domain

# every process runs these, whatever domains are selected
FOUNDATION: tuple[Domain[Container], ...] = (KERNEL, EVENTS, TOKENS)
DOMAINS: tuple[Domain[Container], ...] = (
    AUTH,
    CAMPAIGNS,
    COINS,
    IDEAS,
    DISCUSSIONS,
    DELIVERIES,
    ATTACHMENTS,
    SHARING,
    TODO,
    OUTCOMES,
    ANALYTICS,
    AUDIT,
    WEB,
)


def select_domains(names: tuple[str, ...]) -> tuple[Domain[Container], ...]:
    """The foundation and the domains named by the setting `services`, in the order of `DOMAINS`; all if it is empty.

    Raises:
        SettingsError: a name is not the name of a domain.
    """
    known = [domain.name for domain in DOMAINS]
    for name in names:
        if name not in known:
            msg = f"{PREFIX}SERVICES: there is no domain {name!r}; expected: {', '.join(known)}"
            raise SettingsError(msg)
    return (*FOUNDATION, *(domain for domain in DOMAINS if not names or domain.name in names))
