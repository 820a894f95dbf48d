"""Options of a user who says how a text file is written; whatever is left out is found in the file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadingOptions:
    """Answers to what a text file does not say of itself; None and () leave the finding to its first block.

    Attributes
    ----------
    separator : str or None
        One character between cells.
    decimal : str or None
        '.' or ','.
    thousands : str or None
        One character between groups of three digits.
    encoding : str or None
        Any that Python has, such as 'cp1252'.
    missing : tuple of str
        Cells that stand for missing values, besides the usual ones.
    """

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] = ()


#: Everything is found in the file.
NO_OPTIONS = ReadingOptions()
