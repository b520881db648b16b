"""The container of a process, composed from the settings. No connection is opened before the first statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.auth.keys import SigningKeys
from api.auth.passwords import Passwords
from api.auth.rates import MailRates, RegistrationRates
from api.auth.revocations import Revocations
from api.auth.sso.providers import Providers
from api.auth.sso.rates import SignOnRates
from api.auth.throttle import LogInDelays
from api.auth.tokens import AccessTokens
from api.coins.commands.batcher import Batcher
from api.coins.commands.execution import MemberCommands
from api.coins.container import CoinsContainer
from api.coins.rates import CoinRates
from api.events import status as consumer_status
from api.ideas.queries import find_statuses
from api.kernel import heartbeats
from api.kernel.db import Database
from api.kernel.disk import DiskSpace
from api.kernel.mail import make_mail
from api.kernel.outgoing import make_outgoing
from api.kernel.rates import Buckets, LocalBuckets
from api.migrations import revisions

if TYPE_CHECKING:
    from settings import Settings


@dataclass(frozen=True, kw_only=True)
class Container(CoinsContainer):
    """Every object that an API or worker process makes once."""


def make_container(settings: Settings, database: Database | None = None) -> Container:
    """A container of new objects; `database` is by default a pool of the size in the settings."""
    database = database or Database(settings.database)
    rate_buckets = _rate_buckets(settings)
    batcher = Batcher(settings.database, settings.ledger)
    coin_rates = CoinRates(settings.limits, rate_buckets)
    outgoing = make_outgoing(settings.outgoing)
    return Container(
        settings=settings,
        database=database,
        rate_buckets=rate_buckets,
        needed_schema=revisions.needed(),
        find_degraded=(heartbeats.degraded, consumer_status.degraded),
        disk=DiskSpace(settings.paths.data_dir),
        access_tokens=AccessTokens(settings, SigningKeys(database, settings.auth), Revocations(database)),
        mail=make_mail(settings),
        outgoing=outgoing,
        passwords=Passwords(settings.auth.password_hashes_at_once),
        log_in_delays=LogInDelays(),
        registration_rates=RegistrationRates(settings.limits, rate_buckets),
        mail_rates=MailRates(settings.limits, rate_buckets),
        providers=Providers(settings.sso, outgoing),
        sign_on_rates=SignOnRates(settings.sso, rate_buckets),
        batcher=batcher,
        coin_rates=coin_rates,
        # the coins domain is below the ideas domain and does not import it
        member_commands=MemberCommands(database, batcher, coin_rates, find_statuses),
    )


def _rate_buckets(settings: Settings) -> Buckets:
    if settings.redis.url is None:
        return LocalBuckets()
    from api.kernel.shared_rates import SharedBuckets  # Redis' client takes 0.3 s to import

    return SharedBuckets(str(settings.redis.url), timeout_s=settings.redis.timeout_ms / 1000)
