"""Commands on the ledger: verification of coin conservation and of the hash chain, and the export."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

if TYPE_CHECKING:
    from uuid import UUID

    from api.coins.schemas import ChainCheck, ChainHead
    from api.coins.service import Conservation
    from api.kernel.db import Database
    from cli.console import Steps

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

app = typer.Typer(no_args_is_help=True, help="Export the ledger for verification by a third party.")


def verify(
    campaign: Annotated[str | None, typer.Option(help="Verify only this campaign: slug or id.")] = None,
    head: Annotated[
        str | None,
        typer.Option(
            help="A head of this campaign's chain that was kept elsewhere, for example in a report.",
            metavar="HEIGHT:HASH",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify that coins are conserved in every campaign, and that no sealed transfer was changed.

    For each campaign: issued + carried in = wallets + held + staked + expired + carried out, every stored balance is
    the sum of its postings, every transfer sums to zero, and every hash and link of the chain matches the sealed
    transfers. A chain that was rebuilt as a whole is detected only with --head. Exits with 1 and the campaign's name
    if a check fails.
    """
    from api.coins.chain.chains import KeptHead
    from api.coins.errors import InvalidHead
    from cli import console
    from cli.local import installation

    kept: KeptHead | None = None
    if head is not None:
        if campaign is None:
            msg = "a head belongs to one campaign: name it with --campaign"
            raise typer.BadParameter(msg, param_hint="--head")
        try:
            kept = KeptHead.parse(head)
        except InvalidHead as error:
            raise typer.BadParameter(str(error), param_hint="--head") from error

    async def work(database: Database, steps: Steps) -> list[tuple[str, Conservation, ChainCheck]]:
        from api.coins.chain.chains import check_chain
        from api.coins.service import verify as verify_coins

        ledgers = await _ledgers(database, campaign)
        steps.say("verifying")
        checked = []
        for done, (campaign_id, slug) in enumerate(ledgers):
            steps.advance(done, len(ledgers))
            async with database.session(statement_timeout_ms=0) as session:
                (conservation,) = await verify_coins(session, campaign_id)
                checked.append((slug, conservation, await check_chain(session, campaign_id, kept)))
        return checked

    with installation.ready() as settings, console.steps() as steps:
        checked = installation.with_database(settings, lambda database: work(database, steps))
    unconserved = [slug for slug, coins, _ in checked if not coins.holds]
    tampered = [slug for slug, _, chain in checked if not chain.holds]
    broken = [slug for slug, coins, chain in checked if not (coins.holds and chain.holds)]
    console.result(
        {"campaigns": [_as_data(*each) for each in checked], "broken": broken},
        [
            *(line for each in checked for line in _as_lines(*each)),
            f"{len(checked) - len(broken)} of {len(checked)} campaigns are valid",
        ],
        as_json=as_json,
    )
    if unconserved:
        console.fail(f"coins are not conserved in: {', '.join(unconserved)}")
    if tampered:
        console.fail(f"sealed transfers were changed: {', '.join(tampered)}")
    if broken:
        raise typer.Exit(1)


@app.command()
def export(
    campaign: Annotated[str, typer.Argument(help="The campaign's slug or id.")],
    out: Annotated[
        Path, typer.Option(help="The file to write; an existing file is replaced. - is the standard output.")
    ],
    as_json: AsJson = False,
) -> None:
    """Write a campaign's sealed transfers as JSON lines, which a third party can verify.

    Each block of the chain is followed by its transfers; members and free text are replaced by keyed hashes. The last
    block is the head at the start of the export. docs/ledger-export.md documents the format, what it proves, and a
    short program that verifies it. The file is written atomically.
    """
    from cli import console
    from cli.local import installation

    is_stdout = str(out) == "-"
    if is_stdout and as_json:
        msg = "cannot be combined with --out -, which writes the export to the standard output"
        raise typer.BadParameter(msg, param_hint="--json")

    async def work(database: Database, steps: Steps) -> tuple[ChainHead, int]:
        from api.coins.background import seal_all
        from api.coins.chain.chains import export_chain, get_head

        ((campaign_id, slug),) = await _ledgers(database, campaign)
        steps.say("sealing new transfers")
        await seal_all(database)
        async with database.session() as session:
            head = await get_head(session, campaign_id)
        steps.say(f"exporting {slug}")
        size = 0
        with _target(out) as file:
            async for part in export_chain(database, head):
                size += file.write(part.lines.encode())
                steps.advance(part.transfers_done, part.transfers_total)
        return head, size

    with installation.ready() as settings, console.steps() as steps:
        head, size = installation.with_database(settings, lambda database: work(database, steps))
    line = f"{out}: {head.height} blocks, {head.sealed_transfers} transfers, head {head.height}:{head.hash}"
    if is_stdout:
        console.say(line)
    else:
        console.result({"file": str(out), "bytes": size, **head.model_dump(mode="json")}, [line], as_json=as_json)


async def _ledgers(database: Database, campaign: str | None) -> list[tuple[UUID, str]]:
    """Id and slug of every campaign with a ledger, sorted by slug, or of the campaign with this id or slug."""
    from sqlalchemy import text

    from api.campaigns.errors import CampaignNotFound

    async with database.session() as session:
        rows = await session.execute(
            text(
                "SELECT l.campaign_id, coalesce(c.slug, l.campaign_id::text) AS slug FROM app.coin_ledgers AS l "
                "LEFT JOIN app.campaigns AS c ON c.id = l.campaign_id ORDER BY 2"
            )
        )
        ledgers = [(row.campaign_id, row.slug) for row in rows]
    if campaign is None:
        return ledgers
    found = [ledger for ledger in ledgers if campaign in (ledger[1], str(ledger[0]))]
    if not found:
        known = ", ".join(slug for _, slug in ledgers) or "none"
        msg = f"no campaign {campaign!r}; known campaigns: {known}"
        raise CampaignNotFound(msg)
    return found


@contextmanager
def _target(out: Path) -> Iterator[BinaryIO]:
    """The file to write to; a failed export leaves an existing file unchanged."""
    from settings.files import replacing

    if str(out) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as file:
        yield file


def _as_data(slug: str, coins: Conservation, chain: ChainCheck) -> dict[str, Any]:
    figures = {name: value for name, value in vars(coins).items() if name != "campaign_id"}
    holds = coins.holds and chain.holds
    return {"campaign": slug, "holds": holds, **figures, "chain": chain.model_dump(mode="json")}


def _as_lines(slug: str, coins: Conservation, chain: ChainCheck) -> Iterator[str]:
    yield (
        f"{slug}: {'conserved' if coins.holds else 'BROKEN'}, {coins.issued_coins} issued, "
        f"{coins.wallet_coins + coins.held_coins} in wallets, {coins.staked_coins} staked, {coins.expired_coins} expired, "
        f"difference {coins.difference_coins}"
    )
    kept = {None: "", True: ", contains the given head", False: ", DOES NOT CONTAIN the given head"}
    yield (
        f"  {'sealed' if chain.holds else 'TAMPERED WITH'}: {chain.sealed_transfers} transfers in {chain.height} blocks, "
        f"head {chain.height}:{chain.hash}{kept[chain.has_kept_head]}"
    )
    for finding in chain.findings:
        place = [
            f"block {finding.height}" if finding.height else "",
            f"position {finding.position}" if finding.position else "",
        ]
        place.append(f"transfer {finding.transfer_id}" if finding.transfer_id else "")
        yield f"  {', '.join(part for part in place if part)}: {finding.detail}"
    wrong = chain.wrong_blocks + chain.altered_transfers + chain.removed_transfers + chain.unsealed_transfers
    if wrong > len(chain.findings):
        yield f"  and {wrong - len(chain.findings)} more"
