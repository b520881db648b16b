"""The command `ideamint`: each subcommand is a thin call of one function.

Exit codes: 0 success; 1 refused, or a check failed; 2 invalid usage or settings; 130 interrupted. Commands import modules
on use, so that `ideamint --help` is fast.
"""

from __future__ import annotations

import os
from typing import Any

import typer
from typer.core import TyperGroup

from cli.commands import (
    audit,
    campaigns,
    data,
    database,
    events,
    exports,
    keys,
    ledger,
    mail,
    people,
    platform,
    serving,
    tokens,
)

REFUSED = 1
WRONG_SETTINGS = 2


class _Commands(TyperGroup):
    """Prints errors that users can resolve as one message, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. What it writes is for this account alone, unless the account's umask is stricter still."""
        os.umask(os.umask(0o077) | 0o077)
        try:
            return super().invoke(ctx)
        except Exception as error:
            code = _exit_code(error)
            if code is None:
                raise
            from cli import console

            console.fail(str(error))
            raise typer.Exit(code) from error


# By name, because importing all of them would take seconds.
_EXIT_CODES = {
    "settings.subject.SettingsError": WRONG_SETTINGS,
    "api.kernel.errors.DomainError": REFUSED,
    "api.kernel.mail.MailError": REFUSED,
    "api.kernel.startup.DatabaseMissing": REFUSED,
    "builtins.OSError": REFUSED,
    "cli.demo.run.DemoRefused": REFUSED,
    "cli.local.cluster.ServerError": REFUSED,
    "pipelines.marts.snapshots.NoSnapshot": REFUSED,
    "pipelines.reports.content.UnknownCampaign": REFUSED,
    "pipelines.quality.checking.SnapshotRefused": REFUSED,
    "pipelines.warehouse.BuildFailed": REFUSED,
    "pipelines.builds.records.NotPublishable": REFUSED,
    "pipelines.builds.lock.BuildLockLost": REFUSED,
}


def _exit_code(error: Exception) -> int | None:
    """The exit code for an error; None for a defect, which shows its traceback."""
    names = (f"{each.__module__}.{each.__qualname__}" for each in type(error).__mro__)
    return next((_EXIT_CODES[name] for name in names if name in _EXIT_CODES), None)


app = typer.Typer(
    name="ideamint",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=(
        "An ideation platform with a coin economy.\n\n"
        "Start with `ideamint up`: it runs everything on this machine and prints the addresses. Settings come from "
        "IDEAMINT_... variables or a file .env; .env.example documents each.\n\n"
        "Exit codes: 0 success; 1 refused, or a check failed; 2 invalid usage or settings."
    ),
)
app.command("up")(serving.up)
app.command("worker")(serving.worker)
app.add_typer(database.app, name="db")
app.command("demo")(data.demo)
app.add_typer(data.imports, name="import")
app.command("refresh")(platform.refresh)
app.add_typer(exports.app, name="export")
app.command("report")(platform.report)
app.command("verify")(ledger.verify)
app.add_typer(ledger.app, name="ledger")
app.add_typer(events.app, name="events")
app.add_typer(people.app, name="user")
app.add_typer(campaigns.app, name="campaign")
app.add_typer(keys.app, name="keys")
app.command("audit")(audit.audit)
app.add_typer(tokens.tokens, name="token")
app.add_typer(tokens.service_accounts, name="service-account")
app.add_typer(mail.app, name="mail")


if __name__ == "__main__":
    app()
