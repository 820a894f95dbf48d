"""The decimal mark of a text file, and what separates its thousands, found from cells of the first block."""

from collections.abc import Mapping
from typing import Any

from condensity.io.cells import MarkEvidence, NumberStyle
from condensity.io.errors import TableError
from condensity.io.options import ReadingOptions

#: Cells of a column that the decimal mark is found from.
MAX_CELLS_FOR_MARKS = 1000


def find_style(columns: Mapping[str, Any], separator: str, options: ReadingOptions, file: str) -> NumberStyle:
    """Spelling of the numbers in the columns of a file's first block.

    Parameters
    ----------
    columns : mapping of str to pyarrow.StringArray
    separator : str
        Between cells: with semicolons a decimal comma is as likely as a point.
    options : ReadingOptions
    file : str
        For messages.

    Raises
    ------
    TableError
        Where the file has both decimal marks, or cells such as '1,234' and none that shows what the comma is.
    """
    evidence = _evidence(columns, separator)
    decimal = options.decimal or {",": ".", ".": ","}.get(options.thousands or "")
    decimal = decimal or _decimal_mark(evidence, separator, file)
    seen = {*evidence.thousands, *evidence.ambiguous} - {decimal}
    thousands = "".join(sorted(seen)) if options.thousands is None else options.thousands
    return NumberStyle(decimal, thousands, frozenset(options.missing))


def _evidence(columns: Mapping[str, Any], separator: str) -> MarkEvidence:
    """What cells show of the marks: columns that have others than one point and, where these leave a doubt, the rest."""
    import pyarrow.compute as pc

    evidence = MarkEvidence()
    is_plain = {
        name: not pc.any(pc.match_substring_regex(cells, r"[,'’\s]|\..*\.")).as_py() for name, cells in columns.items()
    }
    for name in (name for name in columns if not is_plain[name]):
        for cell in _telling_cells(columns[name]):
            evidence.add(cell, name)
    if separator == ";" or evidence.ambiguous or evidence.decimal:
        for name in (name for name in columns if is_plain[name]):
            if "." in evidence.decimal:
                break
            for cell in columns[name].slice(0, MAX_CELLS_FOR_MARKS).unique().to_pylist():
                evidence.add(cell, name)
    return evidence


def _telling_cells(cells: Any) -> list[str]:
    """The first of the cells, and the first of those with several marks or with one before three digits."""
    import pyarrow.compute as pc

    marked = cells.filter(pc.match_substring_regex(cells, r"[.,'’\s].*[.,'’\s]|^\D*\d{1,3}[.,]\d{3}\D*$"))
    return [cell for part in (cells, marked) for cell in part.slice(0, MAX_CELLS_FOR_MARKS).unique().to_pylist()]


def _decimal_mark(evidence: MarkEvidence, separator: str, file: str) -> str:
    comma = evidence.decimal.get(",") or evidence.thousands.get(".")
    point = evidence.decimal.get(".") or evidence.thousands.get(",")
    if comma and point:
        raise TableError(
            f"{file}: decimal commas ({comma}) and decimal points ({point}) do not go together; say which it is by --decimal."
        )
    if comma or point:
        return "," if comma else "."
    doubtful = evidence.ambiguous.get(",") or (evidence.ambiguous.get(".") if separator == ";" else None)
    if doubtful:
        raise TableError(
            f"{file}: {doubtful} may be in thousands or have three decimals, and no other cell shows which; say --decimal ',' or "
            "--decimal '.'."
        )
    return "."
