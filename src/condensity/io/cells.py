"""Numbers as text files spell them, and cells that stand for missing values."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

#: Cells that stand for a missing value in every column, words too: those of pandas.read_csv, so that both read a file alike.
MISSING_TEXTS = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
    "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip

#: Cells that stand for a missing value among numbers, in any case, besides '#DIV/0!' and other error values of spreadsheets.
MISSING_AMONG_NUMBERS = {
    *(text.lower() for text in MISSING_TEXTS),
    "?", "-", "--", "---", "–", "—", ".", "..", "...", "nil", "n.a.", "k.a.", "missing",
}  # fmt: skip

#: Codes of currencies, besides the symbols, which Unicode has as a category.
CURRENCIES = {
    "EUR", "USD", "GBP", "CHF", "JPY", "CNY", "INR", "RUB", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "CAD", "AUD", "NZD", "BRL",
    "MXN", "KRW", "TRY", "ZAR", "SGD", "HKD", "kr", "zł", "Kč", "Ft", "Fr", "Fr.", "R$", "US$",
}  # fmt: skip

#: Blanks that separate groups of three digits.
BLANKS = "\u0020\u00a0\u2007\u2009\u202f"

_ERROR_VALUE = re.compile(r"#[A-ZÀ-Þ][A-ZÀ-Þ0-9/_]+[!?]?")
_FLAGS = {"true": 1.0, "false": 0.0}
_DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})|\d{1,2}[- ][A-Za-z]{3}[- ]\d{2,4})"
    r"([ T]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?)?\s*(Z|[+-]\d{2}:?\d{2}|AM|PM|am|pm)?|\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?"
)
_PARTS = re.compile(
    rf"(?P<sign>[+\-−]?)[{BLANKS}]?(?P<before>[^\d\s.,'’+\-−]{{1,3}}\.?)?[{BLANKS}]?(?P<inner>[+\-−]?)"
    rf"(?P<digits>[0-9][0-9.,'’{BLANKS}]*|[.,][0-9]+)(?P<exponent>[eE][+\-−]?[0-9]+)?[{BLANKS}]?(?P<after>[^\d\s.,'’]{{1,3}}\.?)?"
)


class NumberStyle(NamedTuple):
    """Spelling of a file's numbers.

    Attributes
    ----------
    decimal : str
        '.' or ','.
    thousands : str
        Characters that may separate groups of three digits; '' for none.
    missing : frozenset of str
        Cells that the user says are missing.
    """

    decimal: str = "."
    thousands: str = ""
    missing: frozenset[str] = frozenset()

    def is_missing(self, cell: str) -> bool:
        """Whether a `cell` stands for a missing value in a column of numbers."""
        text = cell.strip()
        return text in self.missing or text.lower() in MISSING_AMONG_NUMBERS or bool(_ERROR_VALUE.fullmatch(text))


class Number(NamedTuple):
    """A number that a cell spells, and its unit: '%', a currency or ''."""

    value: float
    unit: str


class Spelling(NamedTuple):
    """Digits of a cell with their marks, and what surrounds them."""

    sign: str
    digits: str
    exponent: str
    unit: str


def spelling_of(cell: str) -> Spelling | None:
    """Parts of a cell that may be a number in some country's spelling; None for others.

    Examples
    --------
    >>> spelling_of("-1.234,5 €")
    Spelling(sign='-', digits='1.234,5', exponent='', unit='€')
    """
    parts = _PARTS.fullmatch(cell.strip())
    if parts is None or (parts["sign"] and parts["inner"]) or (parts["before"] and parts["after"]):
        return None
    unit = parts["before"] or parts["after"] or ""
    if unit and not is_currency(unit) and not (unit in ("%", "‰") and parts["after"]):
        return None
    sign = "-" if (parts["sign"] or parts["inner"]) in ("-", "−") else ""
    return Spelling(sign, parts["digits"].rstrip(BLANKS), (parts["exponent"] or "").replace("−", "-"), unit)


def is_currency(unit: str) -> bool:
    """Whether a `unit` is a currency's symbol or code."""
    return unit in CURRENCIES or (len(unit) == 1 and unicodedata.category(unit) == "Sc")


def read_number(cell: str, style: NumberStyle) -> Number | None:
    """The number that a `cell` spells in a `style`; hundredths for per cent. None where it spells none.

    Examples
    --------
    >>> read_number("1.234,5 €", NumberStyle(",", "."))
    Number(value=1234.5, unit='€')
    >>> read_number("12 %", NumberStyle())
    Number(value=0.12, unit='%')
    >>> read_number("twelve", NumberStyle()) is None
    True
    """
    if cell.strip().lower().lstrip("+-") in ("inf", "infinity"):
        return Number(float(cell), "")
    spelling = spelling_of(cell)
    if spelling is None:
        return None
    whole, _, fraction = spelling.digits.partition(style.decimal)
    if not (whole or fraction) or (fraction and not _is_digits(fraction)):
        return None
    ungrouped = _without_groups(whole, style.thousands) if whole else "0"
    if ungrouped is None:
        return None
    shift = {"%": -2, "‰": -3}.get(spelling.unit, 0)
    exponent = int(spelling.exponent[1:] or 0) + shift if spelling.exponent else shift
    return Number(float(f"{spelling.sign}{ungrouped}.{fraction or '0'}e{exponent}"), spelling.unit)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _without_groups(whole: str, thousands: str) -> str | None:
    """Digits without the marks between groups of three; None for other characters and groups of other lengths."""
    if _is_digits(whole):
        return whole
    mark = next(c for c in whole if not _is_digits(c))
    groups = whole.split(mark)
    if mark not in thousands or not all(map(_is_digits, groups)) or not _are_groups(groups):
        return None
    return "".join(groups)


def _are_groups(groups: list[str]) -> bool:
    first, others = groups[0], groups[1:]
    return 1 <= len(first) <= 3 and not first.startswith("0") and all(len(group) == 3 for group in others)


@lru_cache(maxsize=4096)
def flag_of(cell: str) -> float | None:
    """1 for the `cell` 'true' and 0 for 'false', in any case; None for others."""
    return _FLAGS.get(cell.strip().lower())


def is_date(cell: str) -> bool:
    """Whether a `cell` is a date, a time of day, or both."""
    return _DATE.fullmatch(cell.strip()) is not None


def unit_of_all(cells: Iterable[str]) -> str:
    """The word, such as 'km', that follows the number in every one of the `cells`; '' where there is none."""
    units, numbers = set(), set()
    for cell in cells:
        parts = re.fullmatch(r"\s*([+\-−]?\d[\d.,]*)\s*([^\d\s.,][^\d]*?)\s*", cell)
        if parts is None:
            return ""
        numbers.add(parts[1])
        units.add(parts[2])
    return units.pop() if len(units) == 1 and len(numbers) > 1 else ""


class MarkEvidence:
    """Cells of a file that show which of '.' and ',' is its decimal mark, and what separates thousands.

    Attributes
    ----------
    decimal, thousands, ambiguous : dict of str to str
        For a mark the first cell, with its column, that has it in this part, or that may have it in either, such as '1,234'.
    """

    def __init__(self) -> None:
        self.decimal: dict[str, str] = {}
        self.thousands: dict[str, str] = {}
        self.ambiguous: dict[str, str] = {}

    def add(self, cell: str, column: str) -> None:
        """Take a `cell` of a `column` into account, whatever it is."""
        spelling = spelling_of(cell)
        if spelling is None:
            return
        shown = f"{cell.strip()!r} in column {column!r}"
        for mark in {c for c in spelling.digits if c in BLANKS or c in "'’"}:
            if _are_groups(re.split("[.,]", spelling.digits)[0].split(mark)):
                self.thousands.setdefault(mark, shown)
        digits = re.sub(f"[{BLANKS}'’]", "", spelling.digits)
        marks = re.findall("[.,]", digits)
        if len(set(marks)) == 2:
            self._add_both(digits, marks, shown)
        elif len(marks) > 1 and _are_groups(digits.split(marks[0])):
            self.thousands.setdefault(marks[0], shown)
        elif len(marks) == 1:
            undecided = _are_groups(digits.split(marks[0])) and digits == spelling.digits and not spelling.exponent
            (self.ambiguous if undecided else self.decimal).setdefault(marks[0], shown)

    def _add_both(self, digits: str, marks: list[str], shown: str) -> None:
        """A cell with both marks: the last is the decimal one, if the others separate groups of three."""
        first, last = marks[0], marks[-1]
        if marks.count(last) == 1 and _are_groups(digits.split(last)[0].split(first)):
            self.decimal.setdefault(last, shown)
            self.thousands.setdefault(first, shown)
