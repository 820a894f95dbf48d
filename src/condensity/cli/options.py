"""Options that several commands share."""

import csv
from collections.abc import Callable
from typing import Any

from condensity.cli.shell import click

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
