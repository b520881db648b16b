"""The export, checked by the program in docs/ledger-export.md."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from api.coins import service as coins
from api.coins.chain import chains
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.ledgers import make_sealed_ledger, seal_now

if TYPE_CHECKING:
    from api.kernel.db import Database

DOCS = Path(__file__).parents[2] / "docs" / "ledger-export.md"
PROGRAM_LINES_MAX = 30
Edit = Callable[[list[str]], None]


@dataclass(frozen=True)
class Export:
    """An export's lines, without their newlines, and the hashes of its blocks by height."""

    lines: list[str]
    heads: list[str]


@pytest.fixture
def export(exported: Export) -> Export:
    """A copy of the export, which a test may change."""
    return Export([*exported.lines], exported.heads)


@pytest_asyncio.fixture(scope="module")
async def exported(quiet_db: Database) -> Export:
    """Line 1 is the header; block 1 is line 2, its 3 grants 3 to 5; block 2 is line 6, its 2 movements 7 and 8; block 3
    is line 9, its 2 expiries 10 and 11; read 2 lines at a time.
    """
    ledger = await make_sealed_ledger(quiet_db, "a|b\n")
    async with quiet_db.session() as session:
        head = await chains.get_head(session, ledger.campaign_id)
        heads = [(await chains.get_head(session, ledger.campaign_id, height)).hash for height in range(head.height + 1)]
        # transfers that are sealed during an export are not part of it
        await coins.move_coins(session, [ledger.move(1, target=2)])
    await seal_now(quiet_db)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chains, "LINES_AT_ONCE", 2)
        parts = [part async for part in chains.export_chain(quiet_db, head)]
    assert [part.transfers_done for part in parts] == [0, 1, 3, 4, 5, 7]
    assert {part.transfers_total for part in parts} == {7}
    text = "".join(part.lines for part in parts)
    assert text.endswith("\n")
    return Export(text.splitlines(), heads)


def program() -> str:
    """The program in the page."""
    (found,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


def check(folder: Path, lines: list[str], *arguments: str) -> tuple[int, str]:
    """Exit code and last output line of the program, run as a separate process."""
    (folder / "check_ledger.py").write_text(program(), encoding="utf-8")
    (folder / "ledger.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "check_ledger.py", "ledger.jsonl", *arguments],
        cwd=folder, capture_output=True, text=True, check=False, timeout=GIVE_UP_AFTER_S,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, (done.stdout + done.stderr).strip()


def changed(line: str, **values: Any) -> str:
    return json.dumps({**json.loads(line), **values}, separators=(",", ":"))


class TestProgram:
    def test_is_short_and_needs_only_python(self) -> None:
        lines = program().splitlines()
        assert len(lines) <= PROGRAM_LINES_MAX
        imported = [
            name for line in lines if line.startswith("import ") for name in line.removeprefix("import ").split(", ")
        ]
        assert set(imported) <= sys.stdlib_module_names

    def test_accepts_an_unchanged_export(self, export: Export, tmp_path: Path) -> None:
        assert check(tmp_path, export.lines) == (0, f"whole, up to 3:{export.heads[3]}")

    def test_finds_each_head_that_was_kept(self, export: Export, tmp_path: Path) -> None:
        for height, hash_ in enumerate(export.heads):
            assert check(tmp_path, export.lines, f"{height}:{hash_}")[0] == 0
        for kept in (f"2:{export.heads[3]}", f"4:{export.heads[3]}", "nonsense"):
            assert check(tmp_path, export.lines, kept) == (1, "line 1: the head that was kept is not in it")

    def test_accepts_an_empty_chain(self, tmp_path: Path) -> None:
        first = {
            "format": "ideamint-ledger-1",
            "campaign_id": "c",
            "height": 0,
            "hash": "0" * 64,
            "sealed_transfers": 0,
        }
        assert check(tmp_path, [json.dumps(first)]) == (0, f"whole, up to 0:{'0' * 64}")

    def test_names_every_field_that_was_altered(self, export: Export, tmp_path: Path) -> None:
        """An expiry, which has all fields except those of other kinds."""
        fields = json.loads(export.lines[9])
        assert len(fields) == 25
        for field, value in fields.items():
            lines = [*export.lines]
            lines[9] = changed(lines[9], **{field: f"{value}0"})
            code, output = check(tmp_path, lines)
            assert (code, output) == (1, "line 10: the transfer is not what was sealed"), field

    @pytest.mark.parametrize("field", ["block", "previous_hash", "sealed_at", "hash"])
    def test_names_a_block_that_was_altered(self, export: Export, tmp_path: Path, field: str) -> None:
        value = json.loads(export.lines[5])[field]
        export.lines[5] = changed(export.lines[5], **{field: value + 1 if isinstance(value, int) else value[::-1]})
        code, output = check(tmp_path, export.lines)
        assert (code, output.split(":")[0]) == (1, "line 6")

    @pytest.mark.parametrize(
        ("name", "line"),
        [
            ("a transfer removed", 6), ("the last transfer removed", 9), ("a block removed", 6), ("a transfer twice", 6),
            ("transfers in another order", 6), ("a transfer in another block", 2), ("fields in another order", 7),
            ("a field more", 7), ("a field less", 7), ("no JSON", 7), ("a list", 7), ("an empty line", 7),
            ("the end cut off", 6), ("all of it cut off", 2), ("another head promised", 12),
        ],
    )  # fmt: skip
    def test_names_the_first_bad_line(self, export: Export, tmp_path: Path, name: str, line: int) -> None:
        lines = export.lines
        seventh = json.loads(lines[6])
        edits: dict[str, Edit] = {
            "a transfer removed": lambda all_: all_.__delitem__(6),
            "the last transfer removed": lambda all_: all_.__delitem__(10),
            "a block removed": lambda all_: all_.__delitem__(slice(5, 8)),
            "a transfer twice": lambda all_: all_.insert(6, all_[6]),
            "transfers in another order": lambda all_: all_.insert(6, all_.pop(7)),
            "a transfer in another block": lambda all_: all_.insert(4, all_.pop(6)),
            "fields in another order": lambda all_: all_.__setitem__(6, json.dumps(dict(sorted(seventh.items())))),
            "a field more": lambda all_: all_.__setitem__(6, changed(all_[6], note="")),
            "a field less": lambda all_: all_.__setitem__(
                6, json.dumps({name: value for name, value in seventh.items() if name != "reason"})
            ),
            "no JSON": lambda all_: all_.__setitem__(6, all_[6][:-1]),
            "a list": lambda all_: all_.__setitem__(6, json.dumps(list(seventh.values()))),
            "an empty line": lambda all_: all_.insert(6, ""),
            "the end cut off": lambda all_: all_.__delitem__(slice(7, None)),
            "all of it cut off": lambda all_: all_.__delitem__(slice(1, None)),
            "another head promised": lambda all_: all_.__setitem__(0, changed(all_[0], height=4)),
        }
        edits[name](lines)
        code, output = check(tmp_path, lines)
        assert (code, output.split(":")[0]) == (1, f"line {line}"), output

    def test_shows_a_forged_line_at_its_block(self, export: Export, tmp_path: Path) -> None:
        """An inserted or altered transfer with a correct hash is not in its block."""
        import hashlib

        values = json.loads(export.lines[6])
        values["credit_balance_coins"] = 31
        text = "|".join("" if value is None else str(value) for value in list(values.values())[:-1])
        values["hash"] = hashlib.sha256(f"ideamint.transfer.1|{text}".encode()).hexdigest()
        for lines in (
            [*export.lines[:6], json.dumps(values), *export.lines[7:]],
            [*export.lines[:6], json.dumps(values), *export.lines[6:]],
        ):
            assert check(tmp_path, lines) == (1, "line 6: its transfers are not those sealed")


class TestExport:
    def test_discloses_no_person_and_no_text(self, export: Export) -> None:
        expiry = json.loads(export.lines[9])
        assert expiry["kind"] == "expire"
        assert all(re.fullmatch("[0-9a-f]{64}", expiry[field]) for field in ("actor", "reason", "debit_member"))
        grant = json.loads(export.lines[2])
        assert (grant["actor"], grant["reason"], grant["debit_member"], grant["debit_account"]) == (
            None,
            None,
            None,
            "mint",
        )

    def test_a_member_has_the_same_hash_in_every_line(self, export: Export) -> None:
        grants = {json.loads(line)["credit_member"] for line in export.lines[2:5]}
        movers = {json.loads(line)["credit_member"] for line in export.lines[6:8]}
        backers = {json.loads(line)["debit_member"] for line in export.lines[9:11]}
        assert len(grants) == 3
        assert movers == backers < grants
        assert json.loads(export.lines[9])["actor"] in grants - movers
