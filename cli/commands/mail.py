"""`ideamint mail`: previews of mails, and a test of the mail settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from api.kernel.mail_templates import MailContent
    from settings.mail import Language

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

_ADVICE = (
    "Check IDEAMINT_SMTP_HOST, IDEAMINT_SMTP_PORT and IDEAMINT_SMTP_SECURITY against the documentation of the server, then "
    "IDEAMINT_SMTP_USER, IDEAMINT_SMTP_PASSWORD and IDEAMINT_MAIL_SENDER. docs/mail.md lists causes of errors."
)

app = typer.Typer(no_args_is_help=True, help="Preview the mails, and test the mail settings.")


@app.command()
def preview(
    name: Annotated[str, typer.Argument(help="The mail, such as verify_address; by default all.")] = "",
    language: Annotated[str, typer.Option(help="The language, en or pl; by default all.")] = "",
    out: Annotated[
        Path, typer.Option(help="The folder to write; existing files are replaced.", file_okay=False)
    ] = Path("mail-previews"),
    time_zone: Annotated[str, typer.Option(help="The time zone of moments.")] = "UTC",
    as_json: AsJson = False,
) -> None:
    """Write mails with example values as files: .eml for a mail program, .html for a browser, and .txt.

    No mail is sent, and no database is needed.
    """
    import settings as configuration
    from api.kernel.mail import as_envelope
    from api.kernel.mail_templates import render
    from cli import console

    sender = configuration.load().mail.sender
    examples = _examples()
    if name and name not in examples:
        msg = f"{name!r} is not one of {', '.join(examples)}"
        raise typer.BadParameter(msg, param_hint="NAME")
    languages = _languages(language)
    _check_time_zone(time_zone)
    out.mkdir(parents=True, exist_ok=True)
    files: list[str] = []
    for each in [name] if name else examples:
        for tongue in languages:
            mail = render(
                examples[each], to="nadia.brathwaite@marlowick.example", language=tongue, time_zone=time_zone, key=each
            )
            contents = {
                "eml": as_envelope(mail, sender, encoding="8bit").content,
                "html": mail.html.encode(),
                "txt": mail.text.encode(),
            }
            for suffix, content in contents.items():
                path = out / f"{each}.{tongue}.{suffix}"
                path.write_bytes(content)
                files.append(str(path))
    console.result({"files": files}, files, as_json=as_json)


@app.command("test")
def send_test(
    address: Annotated[str, typer.Argument(help="The e-mail address to send to.")],
    as_json: AsJson = False,
) -> None:
    """Send a short mail as the settings say, and report what happened.

    Without IDEAMINT_SMTP_HOST the mail is written to the folder mails under the data folder. Exits with 1 if the mail was not
    sent.
    """
    import asyncio

    import settings as configuration
    from api.kernel.mail import MailUnavailable, make_mail
    from api.kernel.mail_templates import render
    from api.kernel.mails import Trial
    from cli import console

    settings = configuration.load()

    async def send() -> str:
        from datetime import UTC, datetime

        port = make_mail(settings)
        try:
            return await port.send(render(Trial(at=datetime.now(UTC)), to=address, language=settings.mail.language))
        finally:
            await port.close()

    try:
        result = asyncio.run(send())
    except MailUnavailable:
        console.say(_ADVICE if settings.mail.host else "Check whether IDEAMINT_DATA_DIR can be written to.")
        raise
    if settings.mail.host is None:
        lines = [f"Written to {result}", "IDEAMINT_SMTP_HOST is not set, so mails are written to this folder."]
        server = None
    else:
        server = f"{settings.mail.host}:{settings.mail.port}"
        lines = [
            f"{server} accepted the mail from {settings.mail.sender}: {result}",
            f"If it does not arrive at {address}, look into the folder for spam and the log of the server.",
        ]
    console.result({"to": address, "server": server, "result": result}, lines, as_json=as_json)


def _examples() -> dict[str, MailContent]:
    """An example of each mail, by the name of its template."""
    from api.auth import mails as of_auth
    from api.campaigns.invitations import mails as of_invitations
    from api.campaigns.join_requests import mails as of_requests
    from api.kernel import mails as of_kernel

    examples = (*of_auth.EXAMPLES, *of_invitations.EXAMPLES, *of_requests.EXAMPLES, *of_kernel.EXAMPLES)
    return {example.template(): example for example in examples}


def _languages(language: str) -> list[Language]:
    from settings.mail import Language

    if not language:
        return list(Language)
    if language not in list(Language):
        msg = f"{language!r} is not one of {', '.join(Language)}"
        raise typer.BadParameter(msg, param_hint="--language")
    return [Language(language)]


def _check_time_zone(name: str) -> None:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):  # OSError for a folder of time zones
        msg = f"{name!r} is not a time zone such as Europe/Warsaw"
        raise typer.BadParameter(msg, param_hint="--time-zone") from None
