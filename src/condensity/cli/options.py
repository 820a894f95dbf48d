"""Options that several commands share."""

import codecs
import csv
import functools
from collections.abc import Callable
from typing import Any

from condensity.cli.shell import click
from condensity.io.options import ReadingOptions

#: A decorator that adds an option to a command.
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def split_names(_: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Callback of click (`_`, `parameter`): names between commas in `value`, quoted as in CSV where they hold a comma."""
    if value is None:
        return None
    try:
        return next(csv.reader([value], strict=True), [])
    except csv.Error as error:
        raise click.BadParameter(f"{value!r} cannot be read as names between commas: {error}.") from None


def split_levels(_: click.Context, parameter: click.Parameter, value: str | None) -> list[float] | None:
    """Callback of click (`_`, `parameter`): different numbers in (0, 1) between commas in `value`."""
    if value is None:
        return None
    try:
        levels = [float(text) for text in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of numbers between commas.") from None
    if not all(0.0 < level < 1.0 for level in levels) or len(set(levels)) < len(levels):
        raise click.BadParameter(f"{value!r}: different numbers between 0 and 1 are needed.")
    return levels


def names_option(*flags: str, help: str, required: bool = False) -> Decorator:
    """Option with these `flags` and this `help` that takes names of columns; without `required` it may be left out."""
    return click.option(*flags, callback=split_names, metavar="NAMES", help=help, required=required)


def output_option(default: str) -> Decorator:
    """Option for the page that a command writes: the path `default` unless another is given."""
    return click.option("-o", "--output", default=default, show_default=True, metavar="PATH", help="The page to write.")


features_option = names_option("--features", help="Columns x, by commas.  [default: all others]")

categories_option = names_option(
    "--categories", help="Columns of numbers that are categories. Text is one without being named."
)

weights_option = click.option("--weights", metavar="NAME", help="The column of sample weights.")

groups_option = click.option(
    "--groups", metavar="NAME", help="The column of labels of rows that belong together, such as a patient; no input."
)

members_option = click.option(
    "--members", type=click.IntRange(1, 100), default=1, show_default=True, help="Networks in the ensemble."
)

random_state_option = click.option(
    "--random-state",
    type=click.IntRange(0, 2**32 - 2),
    default=0,
    show_default=True,
    help="Seed of everything random.",
)


def _one_character(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    r"""Callback of click (`_`, `parameter`): one character, or tab, blank or \t by name, in `value`."""
    named = {"tab": "\t", r"\t": "\t", "blank": " ", "space": " "}
    character = named.get(value or "", value)
    if character is not None and (len(character) != 1 or character in '"\r\n'):
        raise click.BadParameter(f"{value!r} is not one character; write for example ';' or tab.")
    return character


def _known_encoding(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Callback of click (`_`, `parameter`): an encoding that Python has, in `value`."""
    try:
        return None if value is None else codecs.lookup(value).name
    except LookupError:
        raise click.BadParameter(f"{value!r} is not an encoding; write for example utf-8, cp1252 or latin-1.") from None


_READING_OPTIONS = (
    click.option(
        "--sep", callback=_one_character, metavar="CHAR", help="Between the cells of a text file.  [default: found]"
    ),
    click.option("--decimal", type=click.Choice([".", ","]), help="Decimal mark of a text file.  [default: found]"),
    click.option(
        "--thousands", callback=_one_character, metavar="CHAR", help="Between groups of three digits.  [default: found]"
    ),
    click.option(
        "--encoding", callback=_known_encoding, metavar="NAME", help="Of a text file, such as cp1252.  [default: UTF-8]"
    ),
    click.option(
        "--na",
        callback=split_names,
        metavar="MARKS",
        help="Cells that are missing values, by commas, besides ?, NA, - and their kind.",
    ),
)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --sep, --decimal, --thousands, --encoding and --na to a `command`, which gets them as one argument `reading`."""

    @functools.wraps(command)
    def with_reading(
        sep: str | None,
        decimal: str | None,
        thousands: str | None,
        encoding: str | None,
        na: list[str] | None,
        **others: Any,
    ) -> Any:
        return command(reading=ReadingOptions(sep, decimal, thousands, encoding, tuple(na or ())), **others)

    for option in reversed(_READING_OPTIONS):
        with_reading = option(with_reading)
    return with_reading
