"""Formats of numbers, dates, statuses and user-written texts in dashboards and reports.

The formats are those of British English in the CLDR, through Babel. No-break spaces join parts that must not be
separated. A caller that writes HTML escapes the result.
"""

from pipelines.wording.dates import age, day, duration, minute, month, month_name, span
from pipelines.wording.numbers import amount, count, counted, difference, money, percent, signed, value
from pipelines.wording.people import ELIGIBLE_NOT_KNOWN, ELIGIBLE_WRONG, FEWER, FEWER_PEOPLE, HIDDEN, UNDER, people
from pipelines.wording.publication import as_of, refusal_reasons, refused
from pipelines.wording.results import result
from pipelines.wording.spreadsheets import CSV_START, WORKBOOK_OPTIONS, csv_cell, csv_lines
from pipelines.wording.terms import ATTRIBUTES, NONE, NOT_IN_FILE, NOT_KNOWN, status, status_title
from pipelines.wording.texts import plain, shortened, title

__all__ = [
    "ATTRIBUTES",
    "CSV_START",
    "ELIGIBLE_NOT_KNOWN",
    "ELIGIBLE_WRONG",
    "FEWER",
    "FEWER_PEOPLE",
    "HIDDEN",
    "NONE",
    "NOT_IN_FILE",
    "NOT_KNOWN",
    "UNDER",
    "WORKBOOK_OPTIONS",
    "age",
    "amount",
    "as_of",
    "count",
    "counted",
    "csv_cell",
    "csv_lines",
    "day",
    "difference",
    "duration",
    "minute",
    "money",
    "month",
    "month_name",
    "people",
    "percent",
    "plain",
    "refusal_reasons",
    "refused",
    "result",
    "shortened",
    "signed",
    "span",
    "status",
    "status_title",
    "title",
    "value",
]
