"""Commands that write a page: `demo` and `report`."""

from condensity.cli.options import output_option, random_state_option
from condensity.cli.shell import click, echo_notes, progress_line


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
def demo(output, n_samples, random_state):
    """Fit four models on four odd data sets and compare them with the truth.

    Prints one table and writes one self-contained HTML page with the charts of the founding blog post.
    """
    from condensity.persistence import check_writable
    from condensity.report.cases import fit_all, four_models, odd_data_sets

    path = check_writable(output)
    with progress_line() as progress:
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


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--target", required=True, metavar="NAME", help="The column y.")
@click.option("--features", metavar="NAMES", help="The columns x, separated by commas.  [default: all but the target]")
@click.option(
    "--along",
    metavar="NAME",
    help="The feature on the x axis.  [default: largest rank correlation with the target]",
)
@output_option("condensity-report.html")
@random_state_option
def report(file, target, features, along, output, random_state):
    """Fit four models on the numeric columns of a CSV or Parquet FILE.

    A random fifth of the rows is kept for the test. Prints one table and writes one self-contained HTML page.
    """
    from condensity.persistence import check_writable
    from condensity.report.cases import fit_all, four_models, table_data_set

    path = check_writable(output)
    data = table_data_set(file, target, features, along, random_state)
    with progress_line() as progress:
        study = fit_all(data, four_models("joint GMM", random_state), progress)
        lead = f"Four models of p({data.target} | x), fitted on {len(data.y)} rows of {data.name}."
        _write_page([study], path, f"The distribution of {data.target}", lead, random_state, progress)
    _announce([study], path)


def _write_page(studies, path, title, lead, random_state, progress):
    from condensity.persistence import write_atomically
    from condensity.report.builder import build_page
    from condensity.report.study import all_notes, collected_warnings

    with collected_warnings() as notes:
        page = build_page(studies, title=title, lead=lead, random_state=random_state, progress=progress)
    write_atomically(path, page.encode("utf-8", errors="replace"))
    progress("")
    echo_notes([*all_notes(studies), *notes])


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
