"""The monthly reports: a PDF and a workbook of every own campaign, or a notice with the reason why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration.refresh import exports_dir
from pipelines import exports, marts, reports
from settings import Settings
from settings.files import replace_file

NOTICE_FILE = "NOT-MADE.txt"


@dataclass(frozen=True)
class MonthlyReports:
    """The result in `folder`: its `files`, or no files and the `reasons`."""

    folder: Path
    files: tuple[Path, ...]
    reasons: tuple[str, ...]


def month_of(moment: datetime) -> str:
    """The month (YYYY-MM) of reports that are made at this moment: the month of the previous day (UTC).

    Reports that are made on the first of a month are for the previous month.
    """
    return f"{moment.astimezone(UTC) - timedelta(days=1):%Y-%m}"


def write_monthly_reports(settings: Settings, month: str, *, made_at: datetime) -> MonthlyReports:
    """Write the reports of `month` under the data folder, from the newest snapshot.

    If newer data was refused since then, a notice with the reason is written instead of reports, since the figures of
    an old snapshot are not those of the month.

    Raises:
        NoSnapshot: nothing is published, and no refusal is recorded.
    """
    refusal = exports.find_refusal(exports_dir(settings))
    if refusal is not None:
        return leave_notice(settings, month, refusal)
    folder = _folder(settings, month)
    files = []
    with marts.open_snapshot(settings.paths.data_dir, marts.Scope.ALL) as reader:
        for campaign in reader.campaigns():
            if campaign.is_imported or campaign.activated_at is None:
                continue
            for kind in reports.Format:
                path = folder / f"{campaign.slug}.{kind}"
                replace_file(path, reports.render(reader, campaign.slug, kind, made_at=made_at).data)
                files.append(path)
    (folder / NOTICE_FILE).unlink(missing_ok=True)
    return MonthlyReports(folder, tuple(files), ())


def leave_notice(settings: Settings, month: str, refusal: exports.Refusal) -> MonthlyReports:
    """Write the notice why there are no reports of `month`, beside older reports if there are any."""
    folder = _folder(settings, month)
    lines = [
        f"The reports for {month} were not made.",
        f"The data of {refusal.refused_at:%Y-%m-%d %H:%M} UTC was refused:",
        *(f"  {reason}" for reason in refusal.reasons),
        "Older reports in this folder, if any, show older data.",
    ]
    replace_file(folder / NOTICE_FILE, "\n".join(lines) + "\n")
    return MonthlyReports(folder, (), refusal.reasons)


def _folder(settings: Settings, month: str) -> Path:
    folder = settings.paths.data_dir / "reports" / month
    folder.mkdir(parents=True, exist_ok=True)
    return folder
