"""Layout of a text table: what separates its cells, and which lines come before the header."""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from condensity.io.errors import TableError
from condensity.io.options import ReadingOptions

#: Separators that are tried, the likeliest first, and what messages call them.
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}

#: Lines that the separator is found from.
MAX_SNIFFED_LINES = 1000


class Dialect(NamedTuple):
    """Layout of a text table.

    Attributes
    ----------
    separator : str
    header_line : int
        Lines before the header: blank, comments, 'sep=;'.
    n_comments : int
        Comments among them.
    names : list of str
        Cells of the header.
    has_rows : bool
        Whether a line follows the header.
    """

    separator: str
    header_line: int
    n_comments: int
    names: list[str]
    has_rows: bool

    @property
    def separator_name(self) -> str:
        """The separator as messages call it."""
        return SEPARATORS.get(self.separator, repr(self.separator))


def find_dialect(text: str, options: ReadingOptions, file: str) -> Dialect:
    """Layout of a table that begins with `text`, which ends with a line; messages call it `file`.

    The separator is that of `options`, of a line 'sep=;', or the one that cuts all lines into equally many cells; among several
    the one whose cells are numbers most often.

    Raises
    ------
    TableError
        If there is no header.
    """
    lines = text.splitlines()
    stated = re.fullmatch(r"\ufeff?\"?sep=(.)\"?", lines[0].strip(" \r")) if lines else None
    start = 1 if stated else 0
    comments = list(itertools.takewhile(lambda i: _is_skipped(lines[i]), range(start, len(lines))))
    header = start + len(comments)
    asked = options.separator or (stated.group(1) if stated else None)
    if comments and _is_header(lines, comments[-1], asked):
        header, comments = comments[-1], comments[:-1]
    if header >= len(lines):
        raise TableError(f"{file} is empty; expected a header line and rows of numbers.")
    table = lines[header : header + MAX_SNIFFED_LINES]
    separator = asked or _best_separator(table)
    names = next(_split(table, separator), [])
    has_rows = any(line.strip() for line in lines[header + 1 :])
    return Dialect(separator, header, sum(bool(lines[i].strip()) for i in comments), names, has_rows)


def _is_skipped(line: str) -> bool:
    return not line.strip() or line.startswith("#")


def _is_header(lines: Sequence[str], comment: int, asked: str | None) -> bool:
    """Whether a line that begins with '#' names columns: as many as the line of numbers that follows has cells."""
    if not lines[comment].startswith("#") or comment + 1 >= len(lines):
        return False
    table = [lines[comment], lines[comment + 1]]
    separator = asked or _best_separator(table)
    first, second = itertools.islice(itertools.chain(_split(table, separator), [[], []]), 2)
    return len(first) == len(second) > 1 and any(map(is_number_like, second)) and not any(map(is_number_like, first))


def _split(lines: Sequence[str], separator: str) -> Iterator[list[str]]:
    """Rows of cells; what the csv module cannot read ends them."""
    rows = csv.reader((f"{line}\n" for line in lines), delimiter=separator)
    while True:
        try:
            row = next(rows)
        except (StopIteration, csv.Error):
            return
        if row:
            yield row


def _best_separator(lines: Sequence[str]) -> str:
    return max(SEPARATORS, key=lambda separator: _fitness(list(_split(lines, separator))))


def _fitness(rows: Sequence[Sequence[str]]) -> tuple[float, float, int]:
    """Share of rows as long as the header, share of cells below it that are numbers, cells of the header; 0 for one column."""
    width = len(rows[0]) if rows else 0
    if width < 2:
        return 0.0, 0.0, 0
    body = rows[1:]
    cells = [cell for row in body for cell in row]
    numbers = sum(map(is_number_like, cells)) / max(len(cells), 1)
    return sum(len(row) == width for row in body) / max(len(body), 1) if body else 0.5, numbers, width


def is_number_like(cell: str) -> bool:
    """Whether a cell may be a number, in any country's spelling."""
    return re.fullmatch(r"\s*[+\-−]?\d[\d.,'’\s]*(?:[eE][+-]?\d+)?\s*", cell) is not None
