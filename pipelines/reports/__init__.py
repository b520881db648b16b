"""Reports of a campaign, from one published snapshot: an executive PDF and an Excel workbook.

    write_report(data_dir, "greener-offices", Format.PDF, Path("report.pdf"))

    with marts.open_snapshot(data_dir, marts.Scope.ALL) as reader:
        data = render_xlsx(reader, "greener-offices")

A report shows only data of the marts. Unknown values are shown as unknown, amounts of different currencies are never
added, and nothing is shown for a group smaller than `GROUP_SIZE_MIN`.
"""

from pipelines.report_formats import Format
from pipelines.reports.content import UnknownCampaign
from pipelines.reports.service import Report, ReportResult, render, render_pdf, render_xlsx, write_report

__all__ = [
    "Format",
    "Report",
    "ReportResult",
    "UnknownCampaign",
    "render",
    "render_pdf",
    "render_xlsx",
    "write_report",
]
