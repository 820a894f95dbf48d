"""Columns of text cells as numbers or as words, decided by a file's first block and held to until its end.

A column is one of numbers if its cells are numbers, marks for missing values apart; it is a category if none of its cells is a
number and they are words. Everything in between is an error that names a cell, and so is a later cell of the other kind.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from condensity.io.cells import (
    MISSING_AMONG_NUMBERS,
    MISSING_TEXTS,
    Number,
    NumberStyle,
    flag_of,
    is_date,
    read_number,
    unit_of_all,
)
from condensity.io.errors import TableError

#: Different words of a column that are remembered as such.
MAX_WORDS = 20_000

PER_CENT = ("%", "‰")


class ColumnFormat(Protocol):
    """Reader of a column's cells."""

    def read(self, cells: Any, first_row: int) -> Any:
        """Values of `cells` (pyarrow.StringArray) that begin at the row `first_row` of the table."""
        ...

    @property
    def decision(self) -> str:
        """What the column was read as, in words; '' where there is nothing to say of it."""
        ...


class NumberFormat:
    """Column of numbers, read as float64.

    Parameters
    ----------
    place : str
        File and column, for messages.
    style : NumberStyle
    unit : str
        '%', '‰', a currency, or ''. Per cent is that of all cells or of none; a currency may be left out.

    Attributes
    ----------
    missing : Counter
        Marks for missing values met so far.
    """

    def __init__(self, place: str, style: NumberStyle, unit: str = ""):
        self.place, self.style, self.unit = place, style, unit
        self.missing: Counter[str] = Counter()

    def read(self, cells: Any, first_row: int) -> Any:
        """Values (pyarrow.DoubleArray) of `cells` (pyarrow.StringArray).

        Raises
        ------
        TableError
            For the first cell that is neither a number nor a mark for a missing one.
        """
        values = None if self.unit in PER_CENT else plain_numbers(cells, self.style, self.missing)
        return self._read_spelled(cells, first_row) if values is None else values

    def _read_spelled(self, cells: Any, first_row: int) -> Any:
        import pyarrow
        import pyarrow.compute as pc

        encoded = cells.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        values = [self._value(text) for text in texts]
        wrong = [k for k, value in enumerate(values) if value is None]
        if wrong:
            row = min(pc.index(encoded.indices, k).as_py() for k in wrong)
            raise TableError(not_a_number(self.place, first_row + row, cells[row].as_py(), self.unit))
        for counted in encoded.indices.drop_null().value_counts().to_pylist():
            text = texts[counted["values"]]
            if text.strip() and self.style.is_missing(text):
                self.missing[text.strip()] += counted["counts"]
        numbers = pyarrow.array([None if value != value else value for value in values], pyarrow.float64())
        return numbers.take(encoded.indices)

    def _value(self, text: str) -> float | None:
        """Number in a cell, NaN for a missing one, None for a cell that is neither."""
        if self.style.is_missing(text):
            return float("nan")
        number = read_number(text, self.style)
        if number is None:
            return None
        is_right = number.unit == self.unit or (number.unit == "" and self.unit not in PER_CENT)
        return number.value if is_right else None

    @property
    def decision(self) -> str:
        """Unit and missing values in words; '' for plain numbers."""
        parts = []
        if self.unit:
            parts.append(
                {"%": "'%' read as hundredths", "‰": "'‰' read as thousandths"}.get(self.unit, f"in {self.unit}")
            )
        for mark, count in self.missing.most_common(3):
            parts.append(f"{count} {'cell' if count == 1 else 'cells'} {mark!r} read as missing")
        return ", ".join(["numbers", *parts]) if parts else ""


class FlagFormat:
    """Column of true and false, read as 1 and 0; parameters as for `NumberFormat`."""

    def __init__(self, place: str, style: NumberStyle):
        self.place, self.style = place, style

    def read(self, cells: Any, first_row: int) -> Any:
        """Values (pyarrow.DoubleArray) of `cells` (pyarrow.StringArray); errors as for numbers."""
        import pyarrow
        import pyarrow.compute as pc

        encoded = cells.dictionary_encode()
        values: list[float | None] = []
        for k, text in enumerate(encoded.dictionary.to_pylist()):
            value = flag_value(text)
            if value is None and not self.style.is_missing(text):
                row = pc.index(encoded.indices, k).as_py()
                raise TableError(not_a_number(self.place, first_row + row, text, "true or false"))
            values.append(value)
        return pyarrow.array(values, pyarrow.float64()).take(encoded.indices)

    @property
    def decision(self) -> str:
        """In words."""
        return "true is 1, false is 0"


class TextFormat:
    """Column of words, read as text.

    Parameters
    ----------
    place : str
        File and column, for messages.
    style : NumberStyle
        Of the numbers that may not be among the words.
    named : bool
        Whether the user, or a model, says that this is a category; then numbers are words as well.
    """

    def __init__(self, place: str, style: NumberStyle, *, named: bool):
        self.place, self.style, self.named = place, style, named
        self._words: set[str] = set()

    def read(self, cells: Any, first_row: int) -> Any:
        """Text (pyarrow.StringArray) of `cells` (pyarrow.StringArray), null for missing values.

        Raises
        ------
        TableError
            For the first number in a column that is not named as a category.
        """
        import pyarrow
        import pyarrow.compute as pc

        if not self.named:
            self._refuse_numbers(cells, first_row)
        missing = pyarrow.array([*MISSING_TEXTS, *self.style.missing])
        return pc.if_else(pc.is_in(cells, value_set=missing), None, cells)

    def _refuse_numbers(self, cells: Any, first_row: int) -> None:
        import pyarrow.compute as pc

        for text in cells.unique().to_pylist():
            if text is None or text in self._words:
                continue
            if read_number(text, self.style) is not None and not self.style.is_missing(text):
                row = first_row + pc.index(cells, text).as_py()
                raise TableError(mixture(self.place, [(row, text, "a number among words")]))
            if len(self._words) < MAX_WORDS:
                self._words.add(text)

    @property
    def decision(self) -> str:
        """In words."""
        return "category"


def flag_value(text: str) -> float | None:
    """1 for true and '1', 0 for false and '0'; None for any other `text`."""
    return {"0": 0.0, "1": 1.0}.get(text.strip(), flag_of(text))


def plain_numbers(cells: Any, style: NumberStyle, missing: Counter[str] | None = None) -> Any:
    """Numbers (pyarrow.DoubleArray) of `cells` without thousands and units, fast; None where other cells are among them.

    Parameters
    ----------
    cells : pyarrow.StringArray
    style : NumberStyle
    missing : Counter, optional
        Marks for missing values are counted here.
    """
    import pyarrow
    import pyarrow.compute as pc

    if style.decimal == ",":
        if pc.any(pc.match_substring(cells, ".")).as_py():
            return None
        cells = pc.replace_substring(cells, ",", ".")
    if not style.missing and not missing:  # marks that came once come again
        try:
            return pc.cast(pc.if_else(pc.equal(cells, ""), None, cells), pyarrow.float64())
        except pyarrow.ArrowInvalid:
            pass
    trimmed = pc.utf8_trim_whitespace(cells)
    marks = pc.is_in(pc.utf8_lower(trimmed), value_set=pyarrow.array(sorted(MISSING_AMONG_NUMBERS)))
    marks = pc.or_(marks, pc.is_in(trimmed, value_set=pyarrow.array(sorted(style.missing), pyarrow.string())))
    try:
        values = pc.cast(pc.if_else(marks, None, trimmed), pyarrow.float64())
    except pyarrow.ArrowInvalid:
        return None
    if missing is not None:
        for counted in pc.value_counts(trimmed.filter(marks)).to_pylist():
            if counted["values"]:
                missing[counted["values"]] += counted["counts"]
    return values


def judge(file: str, name: str, cells: Any, style: NumberStyle, *, numbers_only: bool = False) -> ColumnFormat:
    """Format of a column, from its cells in the first block.

    Parameters
    ----------
    file, name : str
        Of the file and the column.
    cells : pyarrow.StringArray
    style : NumberStyle
        Of the file.
    numbers_only : bool
        Whether a model or a role, such as a target's, leaves no other choice.

    Raises
    ------
    TableError
        For numbers with words among them, dates, and numbers with a unit that is neither per cent nor a currency.
    """
    place = f"{file}: column {name!r}"
    if plain_numbers(cells, style) is not None:
        return NumberFormat(place, style)
    texts = [text for text in cells.unique().to_pylist() if not style.is_missing(text)]
    numbers = {text: number for text in texts if (number := read_number(text, style)) is not None}
    if texts and all(flag_value(text) is not None for text in texts):
        return FlagFormat(place, style)
    words = [text for text in texts if text not in numbers]
    if not words:
        return NumberFormat(place, style, _unit(place, cells, numbers))
    if numbers_only:
        raise TableError(not_a_number(place, *_first(cells, words)))
    if numbers:
        examples = [(*_first(cells, words), "no number"), (*_first(cells, list(numbers)), "a number")]
        raise TableError(mixture(place, sorted(examples)))
    if all(map(is_date, words)):
        raise TableError(
            f"{place} holds dates or durations, such as {words[0]!r}; numbers are needed. Convert it, for example to days "
            "since a reference date, or leave it out."
        )
    unit = unit_of_all(words)
    if unit:
        raise TableError(
            f"{place} holds numbers with the unit {unit!r}, such as {words[0]!r}; write them without it, or name the column "
            "in --categories."
        )
    return TextFormat(place, style, named=False)


def _unit(place: str, cells: Any, numbers: Mapping[str, Number]) -> str:
    """The unit of a column's numbers, by their texts.

    Raises
    ------
    TableError
        For two currencies, and for numbers with and without per cent.
    """
    units = {number.unit for number in numbers.values()}
    per_cent = units.intersection(PER_CENT)
    if len(units - {""}) > 1 or (per_cent and len(units) > 1):
        row, cell = _first(cells, list(numbers))
        unit = numbers[cell].unit
        row, cell = _first(cells, [text for text, number in numbers.items() if number.unit != unit])
        raise TableError(not_a_number(place, row, cell, unit))
    return (units - {""} or {""}).pop()


def _first(cells: Any, texts: Sequence[str]) -> tuple[int, str]:
    """Row, from 0, and text of the first of the `cells` that is one of the `texts`."""
    import pyarrow
    import pyarrow.compute as pc

    row = pc.index(pc.is_in(cells, value_set=pyarrow.array(texts, pyarrow.string())), True).as_py()
    return row, cells[row].as_py()


def not_a_number(place: str, row: int, cell: str, unit: str = "") -> str:
    """Message about a `cell` in a `row`, from 0, of a column at a `place` whose others are numbers with a `unit`."""
    expected = f"is not a number with {unit!r}, as others are" if unit else "is not a number"
    if unit == "true or false":
        expected = "is neither true nor false, as the others are"
    return (
        f"{place}, row {row} (from 0, after the header): {cell[:40]!r} {expected}. Correct it; or say --na {cell[:40]!r} if it "
        "means a missing value."
    )


def mixture(place: str, examples: Sequence[tuple[int, str, str]]) -> str:
    """Message about a column at a `place` with both numbers and words, by `examples` of row, cell and what it is."""
    listed = ", ".join(
        f"row {row} (from 0, after the header) holds {cell[:40]!r}, {kind}" for row, cell, kind in examples
    )
    word = next((cell[:40] for _, cell, kind in examples if kind == "no number"), None)
    missing = "" if word is None else f" Say --na {word!r} if it means a missing value;"
    return f"{place} mixes numbers and words: {listed}.{missing} name the column in --categories if it is one; or leave it out."
