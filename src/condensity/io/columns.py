"""Columns of a text file: what each is, decided by the first block, and their values in every block."""

from collections.abc import Sequence
from typing import Any

from condensity.io.cells import NumberStyle
from condensity.io.formats import ColumnFormat, TextFormat, judge
from condensity.io.marks import find_style
from condensity.io.options import ReadingOptions


class TextColumns:
    """Some columns of a text file as models take them.

    Parameters
    ----------
    block : pyarrow.Table
        The first rows of the columns, all of them text.
    wanted, texts, numbers : sequence of str
        Columns; those among them that are categories whatever they hold; and those that must be numbers. All others are judged.
    separator : str
        Between cells of the file; '' where it has none.
    options : ReadingOptions
    file : str
        For messages.

    Raises
    ------
    TableError
        For a column that is neither numbers nor words, by its first wrong cell.
    """

    def __init__(
        self,
        block: Any,
        wanted: Sequence[str],
        texts: Sequence[str],
        numbers: Sequence[str],
        *,
        separator: str,
        options: ReadingOptions,
        file: str,
    ):
        cells = {name: block.column(name).combine_chunks() for name in wanted}
        judged = {name: column for name, column in cells.items() if name not in texts}
        self.style: NumberStyle = find_style(judged, separator, options, file)
        self.formats: dict[str, ColumnFormat] = {
            name: judge(file, name, column, self.style, numbers_only=name in numbers)
            if name in judged
            else TextFormat(f"{file}: column {name!r}", self.style, named=True)
            for name, column in cells.items()
        }

    def read(self, block: Any, first_row: int) -> Any:
        """Values (pyarrow.Table) of a `block` (pyarrow.Table) of text that begins at the row `first_row`.

        Raises
        ------
        TableError
            For the first cell of another kind than its column.
        """
        import pyarrow

        cells = {name: block.column(name).combine_chunks() for name in self.formats}
        return pyarrow.table({name: self.formats[name].read(column, first_row) for name, column in cells.items()})

    @property
    def decisions(self) -> list[str]:
        """What the columns were read as, in words."""
        said = {name: column.decision for name, column in self.formats.items()}
        parts = [f"{name}: {text}" for name, text in said.items() if text not in ("", "category")]
        for label, decision in (("numbers", ""), ("categories", "category")):
            names = [name for name, text in said.items() if text == decision]
            parts += [f"{label}: {_listed(names)}"] if names else []
        return parts

    @property
    def has_surprises(self) -> bool:
        """Whether cells were read as missing or scaled, or the decimal mark is a comma."""
        return self.style.decimal == "," or any(
            column.decision not in ("", "category") for column in self.formats.values()
        )


def _listed(names: Sequence[str], at_most: int = 8) -> str:
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more
