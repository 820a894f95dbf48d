"""Commands that write a page: `demo` and `report`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from condensity.cli.options import (
    Columns,
    columns_options,
    jobs_option,
    name_option,
    output_option,
    random_state_option,
    reading_options,
    require_targets,
    settled_by_model,
)
from condensity.cli.shell import Progress, click, echo, echo_notes, progress_line
from condensity.io.options import ReadingOptions


@click.command()
@output_option("The page to write.", "condensity-demo.html")
@click.option(
    "--n-samples",
    type=click.IntRange(100, 1_000_000),
    default=2000,
    show_default=True,
    help="Rows to fit, per set.",
)
@jobs_option
@random_state_option
def demo(output: str, n_samples: int, jobs: int, random_state: int) -> None:
    """Fit four models on four odd data sets and compare them with the truth.

    Prints one table and writes one self-contained HTML page with the charts of the founding blog post.

    \f
    Each set has `n_samples` rows drawn with `random_state`, fits run on `jobs` threads, and the page is written at `output`.
    """  # noqa: D301 (click ends the help at \f)
    from condensity.cli.demo import demo_studies
    from condensity.persistence import check_writable

    path = check_writable(output)
    with progress_line() as progress:
        studies = demo_studies(n_samples, random_state, progress, jobs)
        title = "Four models on four odd data sets"
        lead = (
            "A mixture density network as the founding blog post trained it, its regularised variant, "
            "condensity's default, and a joint Gaussian mixture, on data whose true density is known."
        )
        _write_page(studies, path, title, lead, random_state, progress)
    _announce(studies, path)


@click.command()
@click.argument("files", metavar="[MODEL] DATA", nargs=-1)
@output_option("The page to write.", "condensity-report.html")
@columns_options
@name_option("--along", help="The feature on the x axis.  [default: largest rank correlation with the target]")
@jobs_option
@random_state_option
@reading_options
def report(
    files: tuple[str, ...],
    output: str,
    columns: Columns | None,
    along: str | None,
    jobs: int,
    random_state: int,
    reading: ReadingOptions,
) -> None:
    """Fit four models to a table; or score a saved MODEL on it.

    DATA is a CSV, JSON lines, Excel, Parquet or Arrow file, a folder of Parquet files, or '-' for stdin.

    Text is a category, and values may be missing. Without MODEL a random fifth of the rows is kept for the test. Prints one
    table and writes one self-contained HTML page.

    \f
    The `files` are a table, after a saved model or alone; four models are fitted to its `columns` on `jobs` threads. The feature
    `along` is drawn on the x axis, `random_state` chooses the test rows, and the page is `output`. A text file is read as
    `reading` says.
    """  # noqa: D301 (click ends the help at \f)
    from condensity.cli.tables import saved_model_studies, table_studies
    from condensity.persistence import check_writable

    if not 1 <= len(files) <= 2:
        raise click.UsageError(f"DATA is needed, or MODEL and DATA; {len(files)} files are given.")
    *model, data = files
    if model:
        settled_by_model(columns, but="weights")
    else:
        columns = require_targets(columns)
    path = check_writable(output, files)
    with progress_line() as progress:
        progress(f"{data}: reading")
        if model or columns is None:
            studies = saved_model_studies(model[0], data, columns and columns.weights, along, reading)
            rows = studies[0].data
            lead = f"{Path(model[0]).name} on {len(rows.y)} rows of {rows.name}."
        else:
            studies = table_studies(
                data, columns, progress, along=along, random_state=random_state, jobs=jobs, reading=reading
            )
            rows = studies[0].data
            lead = f"Four models of p({rows.target} | x), fitted on {len(rows.y)} rows of {rows.name}."
        _write_page(studies, path, f"The distribution of {rows.target}", lead, random_state, progress)
    _announce(studies, path)


def _write_page(
    studies: Sequence[Any], path: Path, title: str, lead: str, random_state: int, progress: Progress
) -> None:
    from condensity.cli.demo import unconverged_note
    from condensity.persistence import write_atomically
    from condensity.report.builder import build_page
    from condensity.report.study import all_notes
    from condensity.warning import collected_warnings

    with collected_warnings() as notes:
        page = build_page(studies, title=title, lead=lead, random_state=random_state, progress=progress)
    write_atomically(path, page.encode("utf-8", errors="replace"))
    progress("")
    echo_notes([*unconverged_note(studies), *all_notes(studies), *notes])


def _announce(studies: Sequence[Any], path: Path) -> None:
    """Print the table of numbers, aligned, and the path of the page."""
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
        echo("  ".join(texts).rstrip())
    echo("")
    echo(f"page: {path}")
