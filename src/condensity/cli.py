"""The command line: ``condensity demo``, ``report FILE --target y`` and ``doctor FILE --target y``.

Only click and the standard library are imported here, so that ``--help`` answers at once.
Errors are one line on stderr; the exit code is 2 for a wrong call, 1 for data and files, 130 for Ctrl-C.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata

try:
    import click
except ModuleNotFoundError as error:
    raise SystemExit(
        'condensity: error: the command line is not installed; run pip install "condensity[cli]".'
    ) from error

#: What the extra [cli] brings.
EXTRA_MODULES = {"matplotlib", "jinja2", "markupsafe", "pyarrow", "PIL"}

Progress = Callable[[str], None]


class CommandError(click.ClickException):
    """Something about the data or the files, in one line."""


class Interrupted(click.ClickException):
    """Ctrl-C."""

    exit_code = 130

    def __init__(self):
        super().__init__("interrupted; nothing was written.")


class Stop(BaseException):
    """Ctrl-C as commands see it. At a KeyboardInterrupt a fit would keep its best model and go on to the next thing."""


@contextmanager
def ctrl_c_stops_everything() -> Iterator[None]:
    """Let SIGINT raise `Stop`; only the main thread can say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        raise Stop

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class OneLineErrors(click.Group):
    """A group of commands whose errors are one line, whatever they are."""

    def invoke(self, ctx):
        """Run a command; turn what may go wrong with data, files and extras into a `CommandError`."""
        try:
            with ctrl_c_stops_everything():
                return super().invoke(ctx)
        except (KeyboardInterrupt, Stop):
            raise Interrupted() from None
        except BrokenPipeError:
            raise
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] not in EXTRA_MODULES:
                raise
            raise CommandError(f'{error.name} is not installed; run pip install "condensity[cli]".') from error
        except (ValueError, ArithmeticError, OSError, MemoryError) as error:
            raise CommandError(str(error) or type(error).__name__) from error

    def main(self, *args, **extra):
        """Run as a console script does, and exit."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a narrow encoding shows ? in place of σ rather than fail
                stream.reconfigure(errors="replace")
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = error.exit_code
        except (click.ClickException, click.Abort) as error:
            # click aborts when Ctrl-C comes before the command has begun.
            failure = Interrupted() if isinstance(error, click.Abort) else error
            click.echo("condensity: error: " + " ".join(failure.format_message().split()), err=True)
            code = failure.exit_code
        sys.exit(code or 0)


def _version(ctx, _, value):
    if value and not ctx.resilient_parsing:
        click.echo(f"condensity {metadata.version('condensity')}")
        ctx.exit()


def _output_option(default):
    return click.option("--output", default=default, show_default=True, metavar="PATH", help="The page to write.")


_random_state_option = click.option(
    "--random-state",
    type=click.IntRange(0, 2**32 - 2),
    default=0,
    show_default=True,
    help="Seed of everything random.",
)


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def main():
    """The whole distribution of y given x."""


@main.command()
@_output_option("condensity-demo.html")
@click.option(
    "--n-samples",
    type=click.IntRange(100, 1_000_000),
    default=2000,
    show_default=True,
    help="Rows to fit, per set.",
)
@_random_state_option
def demo(output, n_samples, random_state):
    """Fit four models on four odd data sets and compare them with the truth.

    Prints one table and writes one self-contained HTML page with the charts of the founding blog post.
    """
    from condensity.persistence import check_writable
    from condensity.report.cases import fit_all, four_models, odd_data_sets

    path = check_writable(output)
    with _progress() as progress:
        studies = [
            fit_all(data, four_models("joint GMM, 40", random_state, n_components=40), progress)
            for data in odd_data_sets(n_samples, random_state)
        ]
        title = "Four models on four odd data sets"
        lead = (
            "A mixture density network as the founding blog post trained it, its regularised variant, "
            "condensity's default, and a joint Gaussian mixture, on data whose true density is known."
        )
        _write_page(studies, path, title, lead, random_state, progress)
    _announce(studies, path)


@main.command()
@click.argument("file", metavar="FILE")
@click.option("--target", required=True, metavar="NAME", help="The column y.")
@click.option("--features", metavar="NAMES", help="The columns x, separated by commas.  [default: all but the target]")
@click.option(
    "--along",
    metavar="NAME",
    help="The feature on the x axis.  [default: largest rank correlation with the target]",
)
@_output_option("condensity-report.html")
@_random_state_option
def report(file, target, features, along, output, random_state):
    """Fit four models on the numeric columns of a CSV or Parquet FILE.

    A random fifth of the rows is kept for the test. Prints one table and writes one self-contained HTML page.
    """
    from condensity.persistence import check_writable
    from condensity.report.cases import fit_all, four_models, table_data_set

    path = check_writable(output)
    data = table_data_set(file, target, features, along, random_state)
    with _progress() as progress:
        study = fit_all(data, four_models("joint GMM", random_state), progress)
        lead = f"Four models of p({data.target} | x), fitted on {len(data.y)} rows of {data.name}."
        _write_page([study], path, f"The distribution of {data.target}", lead, random_state, progress)
    _announce([study], path)


@main.command()
@click.argument("file", metavar="FILE")
@click.option("--target", required=True, metavar="NAME", help="The column y.")
@click.option("--features", metavar="NAMES", help="The columns x, separated by commas.  [default: all but the target]")
@click.option("--members", type=click.IntRange(1, 100), default=1, show_default=True, help="Networks in the ensemble.")
@_random_state_option
def doctor(file, target, features, members, random_state):
    """Fit the default network on the numeric columns of FILE and say what it is like.

    One finding a line; those that ask for something to be done begin with an exclamation mark.
    """
    import pyarrow

    from condensity import MDNRegressor
    from condensity.report.cases import numbers_of
    from condensity.report.study import compare_held_out, fit_model

    numbers, y, names = numbers_of(file, target, features)
    X = pyarrow.table(list(numbers.T), names=names)
    with _progress() as progress:
        progress(f"{file}: fitting")
        fit = fit_model("MDN", MDNRegressor(n_members=members, n_jobs=-1, random_state=random_state), X, y)
        progress(f"{file}: comparing with a joint Gaussian mixture")
        comparison = compare_held_out(fit.model, X, y, random_state)
    for finding in (*fit.model.health_, *([] if comparison is None else [comparison])):
        click.echo(str(finding))
    for note in fit.notes:
        if not note.startswith("ConvergenceWarning"):  # it says what a finding says
            click.echo(f"condensity: note: {note}", err=True)


def _write_page(studies, path, title, lead, random_state, progress):
    from condensity.persistence import write_atomically
    from condensity.report.builder import build_page
    from condensity.report.study import all_notes, collected_warnings

    with collected_warnings() as notes:
        page = build_page(studies, title=title, lead=lead, random_state=random_state, progress=progress)
    write_atomically(path, page.encode("utf-8", errors="replace"))
    progress("")
    for note in [*all_notes(studies), *notes]:
        click.echo(f"condensity: note: {note}", err=True)


def _announce(studies, path):
    """Print the table of numbers, aligned, and where the page is."""
    from condensity.report.builder import column_names, table_rows

    head = column_names(studies)
    lines = [list(head)]
    for study in studies:
        for fit, cells in zip(study.fits, table_rows(study, len(head)), strict=True):
            lines.append([study.data.name, fit.name, *(cell.text for cell in cells)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        texts = [text.rjust(width) for text, width in zip(line, widths, strict=True)]
        texts[:2] = [text.ljust(width) for text, width in zip(line[:2], widths[:2], strict=True)]
        click.echo("  ".join(texts).rstrip())
    click.echo(f"\npage: {path}")


@contextmanager
def _progress() -> Iterator[Progress]:
    """A function that shows a line in place of its last one on a terminal, and does nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    def show(text):
        click.echo(f"\r\x1b[2K{text}", nl=False, err=True)

    try:
        yield show
    finally:
        show("")
