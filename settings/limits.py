"""Settings of rate limits and request sizes."""

from __future__ import annotations

from pydantic import Field

from settings.rates import Rate, RateLimit
from settings.subject import Subject


class LimitSettings(Subject):
    """Limits per caller, member, campaign and request; a rate of None is no limit."""

    requests_per_caller: RateLimit = Field(
        Rate(600, "minute"),
        description="requests of one user, or of one network address without a log-in, such as 600/minute, or off",
    )
    searches_per_caller: RateLimit = Field(
        Rate(60, "minute"), description="requests of one user that search for words, such as 60/minute, or off"
    )
    figures_per_caller: RateLimit = Field(
        Rate(20, "minute"), description="reports and exports of one user, such as 20/minute, or off"
    )
    comments_per_caller: RateLimit = Field(
        Rate(30, "minute"), description="comments and notes that one user writes or edits, such as 30/minute, or off"
    )
    uploads_per_caller: RateLimit = Field(
        Rate(20, "minute"), description="files that one user uploads, such as 20/minute, or off"
    )
    log_ins_per_address: RateLimit = Field(
        Rate(10, "minute"),
        description="log-ins, second steps and uses of mailed links from one network address, such as 10/minute, or off",
    )
    coin_commands_per_member: RateLimit = Field(
        Rate(120, "minute"), description="coin commands of one member, such as 120/minute (second, hour, day), or off"
    )
    coin_commands_per_campaign: RateLimit = Field(
        Rate(60_000, "minute"), description="coin commands of one campaign, such as 60000/minute, or off"
    )
    coin_reads_per_member: RateLimit = Field(
        Rate(600, "minute"), description="readings of coins by one member, such as 600/minute, or off"
    )
    coin_figures_per_member: RateLimit = Field(
        Rate(20, "minute"),
        description="readings of a whole ledger (statistics, verify) by one member, such as 20/minute, or off",
    )
    registrations_per_address: RateLimit = Field(
        Rate(20, "hour"), description="registrations from one network address, such as 20/hour, or off"
    )
    registrations_per_installation: RateLimit = Field(
        Rate(1000, "hour"), description="registrations of everyone, such as 1000/hour, or off"
    )
    account_mails_per_address: RateLimit = Field(
        Rate(20, "hour"),
        description="requests for a mail without a log-in from one network address, such as 20/hour, or off",
    )
    request_body_bytes_max: int = Field(1_048_576, ge=1024, description="largest request body, bytes")
    connections_max: int = Field(1000, ge=1, description="open HTTP connections of one API process")
