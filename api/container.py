"""The container of a process, composed from the settings. No connection is opened before the first statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.attachments.container import AttachmentsContainer
from api.attachments.examination import Examination
from api.auth.api_tokens.verification import ApiTokens
from api.auth.keys import SigningKeys
from api.auth.log_in_counts import DatabaseCounts, FailureCounts
from api.auth.passwords import Passwords
from api.auth.rates import MailRates, RegistrationRates
from api.auth.revocations import Revocations
from api.auth.sso.providers import Providers
from api.auth.sso.rates import SignOnRates
from api.auth.throttle import LogInDelays
from api.auth.tokens import AccessTokens
from api.coins.commands.batcher import Batcher
from api.coins.commands.execution import MemberCommands
from api.coins.rates import CoinRates
from api.events import status as consumer_status
from api.ideas.container import IdeasContainer
from api.ideas.lists.counts import Counts
from api.ideas.queries import find_statuses
from api.kernel import heartbeats
from api.kernel.container import Probe
from api.kernel.db import Database
from api.kernel.disk import DiskSpace
from api.kernel.mail import make_mail
from api.kernel.outgoing import make_outgoing
from api.kernel.rates import Buckets, LocalBuckets
from api.kernel.refusals import Refusals
from api.kernel.request_rates import RequestRates
from api.kernel.storage import make_storage
from api.migrations import revisions
from settings.redis import LogInCounts
from settings.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.kernel.mail import MailPort
    from api.kernel.storage import StoragePort
    from settings import Settings


@dataclass(frozen=True, kw_only=True)
class Container(IdeasContainer, AttachmentsContainer):
    """Every object that an API or worker process makes once."""


def make_container(settings: Settings, database: Database | None = None) -> Container:
    """A container of new objects; `database` is by default a pool of the size in the settings."""
    database = database or Database(settings.database)
    rate_buckets = _rate_buckets(settings)
    mail = make_mail(settings)
    batcher = Batcher(settings.database, settings.ledger)
    coin_rates = CoinRates(settings.limits, rate_buckets)
    revocations = Revocations(database)
    outgoing = make_outgoing(settings.outgoing)
    storage = make_storage(settings)
    return Container(
        settings=settings,
        database=database,
        rate_buckets=rate_buckets,
        request_rates=RequestRates(settings.limits, rate_buckets),
        needed_schema=revisions.needed(),
        find_degraded={"worker": heartbeats.degraded, "consumers": consumer_status.degraded},
        probes=tuple(_probes(settings, rate_buckets, mail, storage)),
        disk=DiskSpace(settings.paths.data_dir),
        access_tokens=AccessTokens(
            settings, SigningKeys(database, settings.auth), revocations, ApiTokens(settings, database, revocations)
        ),
        mail=mail,
        refusals=Refusals(),
        outgoing=outgoing,
        storage=storage,
        passwords=Passwords(settings.auth.password_hashes_at_once),
        log_in_delays=LogInDelays(settings.auth.signing_secret, _log_in_counts(settings)),
        registration_rates=RegistrationRates(settings.limits, rate_buckets),
        mail_rates=MailRates(settings.limits, rate_buckets),
        providers=Providers(settings.sso, outgoing),
        sign_on_rates=SignOnRates(settings.sso, rate_buckets),
        batcher=batcher,
        coin_rates=coin_rates,
        examination=Examination(settings.storage),
        # the coins domain is below the ideas domain and does not import it
        member_commands=MemberCommands(database, batcher, coin_rates, find_statuses),
        list_counts=Counts(),
    )


def _probes(settings: Settings, rate_buckets: Buckets, mail: MailPort, storage: StoragePort) -> Iterator[Probe]:
    """The servers that the settings name, apart from the database."""
    if settings.redis.url is not None:
        yield Probe("redis", rate_buckets.check)
    if settings.mail.host is not None:
        yield Probe("mail", mail.check)
    if settings.storage.kind is Storage.S3:
        yield Probe("storage", storage.check)


def _log_in_counts(settings: Settings) -> FailureCounts:
    if settings.redis.log_in_counts is LogInCounts.POSTGRESQL:
        return DatabaseCounts()
    from api.auth.shared_log_in_counts import RedisCounts  # Redis' client takes 0.3 s to import

    return RedisCounts(str(settings.redis.url), timeout_s=settings.redis.timeout_ms / 1000)


def _rate_buckets(settings: Settings) -> Buckets:
    if settings.redis.url is None:
        return LocalBuckets()
    from api.kernel.shared_rates import SharedBuckets  # Redis' client takes 0.3 s to import

    return SharedBuckets(str(settings.redis.url), timeout_s=settings.redis.timeout_ms / 1000)
