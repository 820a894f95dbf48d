"""The command line.

    condensity demo                               four models on four odd data sets, one page
    condensity report DATA --target y             four models on your table, one page
    condensity report MODEL DATA                  a saved model on your table, one page
    condensity fit DATA --target y -o MODEL       a model of p(y | x), as a file
    condensity predict MODEL DATA -o OUT          its distributions, for tables of any length
    condensity score MODEL DATA                   their mean log density and CRPS
    condensity doctor MODEL                       findings about a model, in words

Only click and the standard library are imported here, so that ``--help`` answers at once.
Errors are one line on stderr; the exit code is 2 for a wrong call, 1 for data and files, 130 for Ctrl-C.
"""

from importlib import metadata

from condensity.cli import commands, pages
from condensity.cli.shell import OneLineErrors, click


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"condensity {metadata.version('condensity')}")
        ctx.exit()


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def main() -> None:
    """The whole distribution of y given x."""


for command in (pages.demo, pages.report, commands.fit, commands.predict, commands.score, commands.doctor):
    main.add_command(command)
