"""Options that several commands share."""

import codecs
import csv
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

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


def one_name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Callback of click (`context`, `parameter`): the one name in `value`, quoted as in CSV where it holds a comma."""
    names = split_names(context, parameter, value)
    if names is None or len(names) == 1:
        return None if names is None else names[0]
    raise click.BadParameter(f"{value!r} is {len(names)} names, and one is needed; quote a name that holds a comma.")


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


def name_option(*flags: str, help: str) -> Decorator:
    """Option with these `flags` and this `help` that takes the name of one column."""
    return click.option(*flags, callback=one_name, metavar="NAME", help=help)


def output_option(help: str, default: str | None = None) -> Decorator:
    """Option with this `help` for the file that a command writes, at the path `default`; without one it must be given."""
    needed: dict[str, Any] = {"required": True} if default is None else {"default": default, "show_default": True}
    return click.option("-o", "--output", metavar="PATH", help=help, **needed)


class Columns(NamedTuple):
    """Columns of a table by their part in a fit, as they are named on the command line.

    Attributes
    ----------
    targets : list of str
        y.
    features, exclude : list of str or None
        X, all but the others by default, and what of these is left out.
    categories : list of str or None
        Columns of numbers that are categories.
    weights, groups : str or None
        Sample weights, and labels of rows that belong together.
    """

    targets: list[str]
    features: list[str] | None = None
    exclude: list[str] | None = None
    categories: list[str] | None = None
    weights: str | None = None
    groups: str | None = None


def columns_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name columns of a table to a `command`, which takes them as `columns`; None where none is given."""

    @functools.wraps(command)
    def with_columns(**options: Any) -> Any:
        named = {name: options.pop(name) for name in Columns._fields}
        given = any(value is not None for value in named.values())
        return command(columns=Columns(**named) if given else None, **options)

    wrapped: Callable[..., Any] = with_columns
    for option in (groups_option, weights_option, categories_option, exclude_option, features_option, target_option):
        wrapped = option(wrapped)
    return wrapped


def require_targets(columns: Columns | None) -> Columns:
    """The `columns` of a table to fit, which have a target.

    Raises
    ------
    click.UsageError
        If there is none.
    """
    if columns is None or not columns.targets:
        raise click.UsageError("--target is needed: the column y of a table.")
    return columns


def settled_by_model(columns: Columns | None, but: str = "") -> None:
    """Refuse `columns`, except the one `but`, where there is a saved model, which has its columns.

    Raises
    ------
    click.UsageError
        With the first option that is settled.
    """
    named = {} if columns is None else columns._asdict()
    settled = [name for name, value in named.items() if value is not None and name != but]
    if settled:
        option = "--target" if settled[0] == "targets" else f"--{settled[0]}"
        raise click.UsageError(f"{option} is of tables to fit; a saved model has its columns already.")


target_option = names_option("--target", "targets", help="The column y, or several by commas.")

features_option = names_option("--features", help="Columns x, by commas.  [default: all others]")

exclude_option = names_option("--exclude", help="Columns that are no x, such as a key.")

categories_option = names_option(
    "--categories", help="Columns of numbers that are categories. Text is one without being named."
)

weights_option = name_option("--weights", help="The column of sample weights.")

groups_option = name_option(
    "--groups", help="The column of labels of rows that belong together, such as a patient; no input."
)

transform_option = click.option(
    "--y-transform",
    type=click.Choice(["log", "log1p", "logit", "sqrt", "yeo-johnson", "box-cox", "auto"]),
    help="For a positive, bounded or skewed y.",
)

outside_option = click.option(
    "--outside",
    type=click.Choice(["ignore", "warn", "raise", "prior"]),
    default="ignore",
    show_default=True,
    help="For rows unlike all training rows: predict as for others, warn of them, refuse them, or predict y without x.",
)

members_option = click.option(
    "--members", type=click.IntRange(1, 100), default=1, show_default=True, help="Networks in the ensemble."
)

jobs_option = click.option("--jobs", type=int, default=-1, show_default=True, help="Threads; -1 is all cores.")

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
