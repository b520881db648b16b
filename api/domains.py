"""The domains of the product, in the order of their routes, and the choice of those that a process runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.analytics.domain import ANALYTICS
from api.auth.domain import AUTH
from api.campaigns.domain import CAMPAIGNS
from api.coins.domain import COINS
from api.events.domain import EVENTS
from api.ideas.domain import IDEAS
from api.kernel.domain import KERNEL
from api.web.domain import WEB
from settings import PREFIX, SettingsError

if TYPE_CHECKING:
    from api.container import Container
    from api.kernel.domains import Domain

# what every process has, whatever domains it runs
FOUNDATION: tuple[Domain[Container], ...] = (KERNEL, EVENTS)
DOMAINS: tuple[Domain[Container], ...] = (AUTH, CAMPAIGNS, COINS, IDEAS, ANALYTICS, WEB)


def select_domains(names: tuple[str, ...]) -> tuple[Domain[Container], ...]:
    """The foundation and the domains that the setting `services` names, in their own order; all if it names none.

    Raises:
        SettingsError: there is no domain of a name.
    """
    known = [domain.name for domain in DOMAINS]
    for name in names:
        if name not in known:
            msg = f"{PREFIX}SERVICES: there is no domain {name!r}; expected: {', '.join(known)}"
            raise SettingsError(msg)
    return (*FOUNDATION, *(domain for domain in DOMAINS if not names or domain.name in names))
