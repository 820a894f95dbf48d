"""Tables whose cells are text: delimited text, JSON lines, spreadsheets. They decide nothing."""

import codecs
import io
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, Protocol

from condensity.io.compression import open_decompressed
from condensity.io.dialect import Dialect, find_dialect
from condensity.io.encoding import find_encoding, first_undecodable
from condensity.io.errors import TableError
from condensity.io.options import ReadingOptions

#: Bytes from which encoding and separator are found.
SNIFF_BYTES = 2**20

#: Bytes of delimited text that are parsed at a time; its columns are judged by the first ones.
CSV_BLOCK = 2**23

#: Rows of other text that are parsed at a time.
BLOCK_ROWS = 2**16


class TextSource(Protocol):
    """A table of text cells.

    Attributes
    ----------
    names : list of str
        Of the columns.
    separator : str
        Between cells; '' where there is none.
    """

    names: list[str]
    separator: str

    @property
    def layout(self) -> str:
        """How the file is written, in words."""
        ...

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Parts (pyarrow.Table) of some `columns` of the table, all of them text; '' for an empty cell."""
        ...


class DelimitedText:
    """Table of lines whose cells are separated by commas, semicolons, tabs or another character.

    Parameters
    ----------
    path : path-like
    options : ReadingOptions
    file : str
        Its name in messages.

    Raises
    ------
    TableError
        For an encoding that is not certain, and a file without a header.
    """

    def __init__(self, path: str | PathLike[str], options: ReadingOptions, file: str):
        self.path, self.file = path, file
        with open_decompressed(path) as stream:
            head = stream.read(SNIFF_BYTES)
        self.encoding = options.encoding or find_encoding(head, file)
        self.dialect: Dialect = find_dialect(self._whole_lines(head), options, file)
        self.names = [name for name in self.dialect.names if name.strip()]
        self.separator = self.dialect.separator
        self.n_comments = self.dialect.n_comments

    def _whole_lines(self, head: bytes) -> str:
        decoder = codecs.getincrementaldecoder(self.encoding)()
        try:
            text = decoder.decode(head, final=len(head) < SNIFF_BYTES)
        except UnicodeDecodeError:
            raise TableError(first_undecodable(self.path, self.encoding, self.file) or "") from None
        end = max(text.rfind("\n"), text.rfind("\r")) if len(head) == SNIFF_BYTES else len(text)
        return text[: end + 1 if end >= 0 else len(text)].removeprefix("\ufeff")

    @property
    def layout(self) -> str:
        """Separator, encoding and lines left out, in words."""
        parts = [self.dialect.separator_name]
        if self.encoding not in ("utf-8", "utf-8-sig"):
            parts.append(self.encoding.upper())
        if self.n_comments:
            parts.append(f"{self.n_comments} comment {'line' if self.n_comments == 1 else 'lines'} left out")
        unnamed = len(self.dialect.names) - len(self.names)
        if unnamed:
            parts.append(f"{unnamed} {'column' if unnamed == 1 else 'columns'} without a name left out")
        return ", ".join(parts)

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Parts (pyarrow.Table) of some `columns` of the table, all of them text; '' for an empty cell.

        Raises
        ------
        TableError
            For bytes that are not in the encoding, with their line.
        pyarrow.ArrowInvalid
            For rows of another length than the header.
        """
        import pyarrow

        if not self.dialect.has_rows:
            return
        self.n_comments = self.dialect.n_comments
        try:
            with open_decompressed(self.path) as stream:
                for batch in self._open(stream, columns):
                    yield pyarrow.Table.from_batches([batch])
        except (pyarrow.ArrowInvalid, UnicodeDecodeError) as error:
            is_encoding = isinstance(error, UnicodeDecodeError) or "UTF8" in str(error)
            message = first_undecodable(self.path, self.encoding, self.file) if is_encoding else None
            if message is None:
                raise
            raise TableError(message) from error

    def _open(self, stream: Any, columns: Sequence[str]) -> Any:
        import pyarrow
        from pyarrow import csv

        is_utf8 = self.encoding in ("utf-8", "utf-8-sig")
        return csv.open_csv(
            stream,
            read_options=csv.ReadOptions(
                block_size=CSV_BLOCK,
                use_threads=False,
                skip_rows=self.dialect.header_line,
                encoding="utf8" if is_utf8 else self.encoding,
            ),
            parse_options=csv.ParseOptions(
                delimiter=self.dialect.separator, newlines_in_values=True, invalid_row_handler=self._skip_comment
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(self.names, pyarrow.string()),
                include_columns=list(columns) or self.names[:1],
                strings_can_be_null=False,
            ),
        )

    def _skip_comment(self, row: Any) -> str:
        if not row.text.startswith("#"):
            return "error"
        self.n_comments += 1
        return "skip"


class JsonLines:
    """Table of JSON objects, one a line; numbers keep their spelling. Parameters and errors as for `DelimitedText`."""

    separator = ""

    def __init__(self, path: str | PathLike[str], options: ReadingOptions, file: str):
        self.path, self.file = path, file
        with open_decompressed(path) as stream:
            self.encoding = options.encoding or find_encoding(stream.read(SNIFF_BYTES), file)
        first = next(self._objects(), [])
        self.names = list(dict.fromkeys(name for row in first for name in row))

    @property
    def layout(self) -> str:
        """In words."""
        return "JSON lines"

    def _objects(self) -> Iterator[list[dict[str, Any]]]:
        rows: list[dict[str, Any]] = []
        with open_decompressed(self.path) as stream, io.TextIOWrapper(stream, self.encoding) as lines:
            for number, line in enumerate(lines):
                if line.strip():
                    rows.append(self._parse(line, number))
                if len(rows) == BLOCK_ROWS:
                    yield rows
                    rows = []
        if rows:
            yield rows

    def _parse(self, line: str, number: int) -> dict[str, Any]:
        try:
            row = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError) as error:
            raise TableError(f"{self.file}: line {number + 1} is not JSON: {error}.") from None
        if not isinstance(row, dict):
            raise TableError(f"{self.file}: line {number + 1} is not a JSON object; write one object a line.")
        return row

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Parts (pyarrow.Table) of some `columns`, all of them text.

        Raises
        ------
        TableError
            For nested values, names that the first rows lack, and lines that are no JSON objects.
        """
        names, first_row = set(self.names), 0
        for rows in self._objects():
            for i, row in enumerate(rows):
                if not names.issuperset(row):
                    new = sorted(row.keys() - names)[0]
                    raise TableError(f"{self.file}: row {first_row + i} has {new!r}, which none of the first rows has.")
            cells = {
                name: [self._cell(row.get(name), name, first_row + i) for i, row in enumerate(rows)] for name in columns
            }
            yield _text_table(cells)
            first_row += len(rows)

    def _cell(self, value: Any, name: str, row: int) -> str:
        if isinstance(value, (dict, list)):
            raise TableError(f"{self.file}: column {name!r} is nested in row {row}; split it into columns of its own.")
        return {None: "", True: "true", False: "false"}.get(value, value)


def _text_table(cells: Mapping[str, list[str]]) -> Any:
    """Text columns as a pyarrow.Table."""
    import pyarrow

    return pyarrow.table({name: pyarrow.array(column, pyarrow.string()) for name, column in cells.items()})


class Workbook:
    """First sheet of an Excel workbook, .xlsx. Parameters and errors as for `DelimitedText`."""

    separator = ""

    def __init__(self, path: str | PathLike[str], options: ReadingOptions, file: str):
        self.path, self.file, self.options = path, file, options
        self.sheet = ""
        header = next(self._rows(), [])
        names = [text for text in header if text.strip()]
        if not names:
            raise TableError(f"{file} is empty; expected a header line and rows of numbers.")
        self.names, self._header = names, header

    @property
    def layout(self) -> str:
        """In words."""
        return f"sheet {self.sheet!r}"

    def _rows(self) -> Iterator[list[str]]:
        """Rows that are not empty, as text."""
        values, formulas = (self._open(data_only=data_only) for data_only in (True, False))
        try:
            self.sheet = values.worksheets[0].title
            both = zip(values.worksheets[0].iter_rows(), formulas.worksheets[0].iter_rows(), strict=False)
            for row, written in both:
                texts = [self._text(cell, formula) for cell, formula in zip(row, written, strict=False)]
                if any(texts):
                    yield texts
        finally:
            values.close()
            formulas.close()

    def _open(self, *, data_only: bool) -> Any:
        try:
            import openpyxl
        except ModuleNotFoundError as error:
            raise TableError(
                f'{self.file} is an Excel workbook, and openpyxl is not installed; run pip install "condensity[excel]", '
                "or save it as CSV."
            ) from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles, which are not read
            return openpyxl.load_workbook(self.path, read_only=True, data_only=data_only)

    def _text(self, cell: Any, formula: Any) -> str:
        value = cell.value
        if value is None and formula.data_type == "f":
            raise TableError(
                f"{self.file}: cell {formula.coordinate} holds a formula whose value is not in the file; open it in a "
                "spreadsheet program and save it, or save it as CSV."
            )
        if isinstance(value, bool) or value is None:
            return {None: "", True: "true", False: "false"}[value]
        return value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Parts (pyarrow.Table) of some `columns`, all of them text."""
        places = {name: self._header.index(name) for name in columns}
        cells: dict[str, list[str]] = {name: [] for name in columns}
        rows = self._rows()
        next(rows, None)
        n_rows = 0
        for row in rows:
            for name, place in places.items():
                cells[name].append(row[place] if place < len(row) else "")
            n_rows += 1
            if n_rows == BLOCK_ROWS:
                yield _text_table(cells)
                cells, n_rows = {name: [] for name in columns}, 0
        if n_rows:
            yield _text_table(cells)
