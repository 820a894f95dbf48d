"""Commands that write a page: `demo` and `report`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from condensity.cli.options import (
    categories_option,
    features_option,
    names_option,
    output_option,
    random_state_option,
    weights_option,
)
from condensity.cli.shell import Progress, click, echo_notes, progress_line


@click.command()
@output_option("condensity-demo.html")
@click.option(
    "--n-samples",
    type=click.IntRange(100, 1_000_000),
    default=2000,
    show_default=True,
    help="Rows to fit, per set.",
)
@random_state_option
def demo(output: str, n_samples: int, random_state: int) -> None:
    """Fit four models on four odd data sets and compare them with the truth.

    Prints one table and writes one self-contained HTML page with the charts of the founding blog post.

    \f
    Each set has `n_samples` rows drawn with `random_state`, and the page is written at `output`.
    """  # noqa: D301 (click ends the help at \f)
    from condensity.cli.demo import demo_studies
    from condensity.persistence import check_writable

    path = check_writable(output)
    with progress_line() as progress:
        studies = demo_studies(n_samples, random_state, progress)
        title = "Four models on four odd data sets"
        lead = (
            "A mixture density network as the founding blog post trained it, its regularised variant, "
            "condensity's default, and a joint Gaussian mixture, on data whose true density is known."
        )
        _write_page(studies, path, title, lead, random_state, progress)
    _announce(studies, path)


@click.command()
@click.argument("file", metavar="FILE")
@names_option("--target", "targets", help="The column y, or several.  [required without --model]")
@features_option
@categories_option
@weights_option
@click.option("--model", metavar="MODEL", help="A saved model to score on all rows, in place of fitting four.")
@click.option(
    "--along",
    metavar="NAME",
    help="The feature on the x axis.  [default: largest rank correlation with the target]",
)
@output_option("condensity-report.html")
@random_state_option
def report(
    file: str,
    targets: list[str] | None,
    features: list[str] | None,
    categories: list[str] | None,
    weights: str | None,
    model: str | None,
    along: str | None,
    output: str,
    random_state: int,
) -> None:
    """Fit four models to a CSV, Parquet or Arrow FILE, or '-' for stdin; or score a saved one on it.

    Text is a category, and values may be missing. Without --model a random fifth of the rows is kept for the test. Prints one
    table and writes one self-contained HTML page.

    \f
    The table at `file` has the columns `features`, `categories` among them, `targets` and sample `weights`; a saved `model` is
    a path, the feature `along` is drawn on the x axis, `random_state` chooses the test rows, and the page is `output`.
    """  # noqa: D301 (click ends the help at \f)
    from condensity.cli.tables import saved_model_studies, table_studies
    from condensity.persistence import check_writable

    _check_call(targets, features, categories, model)
    path = check_writable(output)
    with progress_line() as progress:
        if model is not None:
            studies = saved_model_studies(model, file, weights, along)
            data = studies[0].data
            lead = f"{Path(model).name} on {len(data.y)} rows of {data.name}."
        else:
            columns: dict[str, Any] = {"features": features, "categories": categories, "weights": weights}
            studies = table_studies(file, targets or [], progress, **columns, along=along, random_state=random_state)
            data = studies[0].data
            lead = f"Four models of p({data.target} | x), fitted on {len(data.y)} rows of {data.name}."
        title = f"The distribution of {data.target}"
        _write_page(studies, path, title, lead, random_state, progress)
    _announce(studies, path)


def _check_call(
    targets: list[str] | None, features: list[str] | None, categories: list[str] | None, model: str | None
) -> None:
    """Refuse options that a saved model has settled, and a table without target."""
    if model is None and not targets:
        raise click.UsageError("--target is needed: the column y; or --model, a saved model.")
    given = {"--target": targets, "--features": features, "--categories": categories}
    settled = [option for option, value in given.items() if value is not None]
    if model is not None and settled:
        raise click.UsageError(f"{settled[0]} cannot be combined with --model: the model has its columns already.")


def _write_page(
    studies: Sequence[Any], path: Path, title: str, lead: str, random_state: int, progress: Progress
) -> None:
    from condensity.persistence import write_atomically
    from condensity.report.builder import build_page
    from condensity.report.study import all_notes
    from condensity.warning import collected_warnings

    with collected_warnings() as notes:
        page = build_page(studies, title=title, lead=lead, random_state=random_state, progress=progress)
    write_atomically(path, page.encode("utf-8", errors="replace"))
    progress("")
    echo_notes([*all_notes(studies), *notes])


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
        click.echo("  ".join(texts).rstrip())
    click.echo(f"\npage: {path}")
