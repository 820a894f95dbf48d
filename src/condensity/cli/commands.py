"""Commands about one model: `fit`, `predict`, `score`, `doctor`."""

from typing import Any

from condensity.cli.options import (
    Columns,
    columns_options,
    jobs_option,
    members_option,
    names_option,
    output_option,
    outside_option,
    random_state_option,
    reading_options,
    require_targets,
    settled_by_model,
    split_levels,
    transform_option,
    weights_option,
)
from condensity.cli.shell import click, count_rows, echo, echo_decisions, echo_notes, progress_line
from condensity.io.options import ReadingOptions

#: Names of the estimators on the command line.
ESTIMATORS = {"mdn": "MDNRegressor", "gmm": "JointGMMRegressor"}


@click.command()
@click.argument("data", metavar="DATA")
@output_option("The model file to write.")
@columns_options
@click.option(
    "--model",
    "kind",
    type=click.Choice(list(ESTIMATORS)),
    default="mdn",
    show_default=True,
    help="Network or joint mixture.",
)
@transform_option
@members_option
@jobs_option
@random_state_option
@reading_options
def fit(
    data: str,
    output: str,
    columns: Columns | None,
    kind: str,
    y_transform: str | None,
    members: int,
    jobs: int,
    random_state: int,
    reading: ReadingOptions,
) -> None:
    """Fit p(y | x) to a table, and save the model.

    DATA is a CSV, JSON lines, Excel, Parquet or Arrow file, a folder of Parquet files, or '-' for stdin.
    How a text file is written and what its columns are is found out and said: numbers, if all cells are, but for marks such as
    ? and NA; a category, if none is. A mixture is refused by its row and cell.

    \f
    An estimator of `kind`, with `members` networks and `y_transform`, is fitted to the `columns` of the table `data` with `jobs`
    threads and a `random_state`, and saved at `output`. A text file is read as `reading` says.
    """  # noqa: D301 (click ends the help at \f)
    import condensity
    from condensity.cli.training_table import read_training_table
    from condensity.persistence import check_writable
    from condensity.warning import collected_warnings

    columns = require_targets(columns)
    if kind == "gmm" and members > 1:
        raise click.UsageError("--members is of networks; leave it out with --model gmm.")
    path = check_writable(output, [data])
    with progress_line() as progress, collected_warnings() as notes:
        model = getattr(condensity, ESTIMATORS[kind])(
            random_state=random_state,
            n_jobs=jobs,
            categorical_features=columns.categories or "from_dtype",
            y_transform=y_transform,
            callback=lambda now: progress(f"{data}: {now.stage}, step {now.n_steps} of at most {now.max_steps}"),
            **({"n_members": members} if kind == "mdn" else {}),
        )
        progress(f"{data}: reading")
        table = read_training_table(data, columns, reading)
        model.fit(table.X, table.y, table.weight, groups=table.groups)
        model.save(path)
    echo_decisions(table.decisions)
    echo_notes(notes)
    echo(f"{len(table.y)} rows, {model.n_features_in_} features. {model.outcome_}")
    echo(f"model: {path}")


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("data", metavar="DATA")
@output_option("A .csv, .csv.gz, .tsv, .parquet or .arrow file, or - for CSV on stdout.")
@click.option("--quantiles", callback=split_levels, metavar="LEVELS", help="Such as .05,.5,.95.")
@click.option(
    "--interval", callback=split_levels, metavar="LEVELS", help="Central intervals, such as .9: lower and upper."
)
@click.option("--samples", type=click.IntRange(0, 10_000), default=0, show_default=True, help="Draws of every row.")
@click.option(
    "--support", is_flag=True, help="How usual a row is: p-values of the inputs, small where there was no such data."
)
@outside_option
@names_option("--keep", help="Columns of DATA that come first, such as a key.")
@jobs_option
@random_state_option
@reading_options
def predict(
    model: str,
    data: str,
    output: str,
    quantiles: list[float] | None,
    interval: list[float] | None,
    samples: int,
    support: bool,
    outside: str,
    keep: list[str] | None,
    jobs: int,
    random_state: int,
    reading: ReadingOptions,
) -> None:
    """Write mean, standard deviation and what else is asked for, for every row of a table.

    DATA is a CSV, JSON lines, Excel, Parquet or Arrow file, a folder of Parquet files, or '-' for stdin.
    Rows are read and written in batches, so that memory does not grow with the table.

    \f
    The `model` and the table `data` are paths. At `output` come the columns to `keep`, mean and standard deviation, then
    `quantiles` and each `interval` by their levels in (0, 1), `samples` draws from `random_state`, and, with `support`, p-values;
    rows `outside` the training data as the library treats them. It runs on `jobs` threads and reads text files as `reading` says.
    """  # noqa: D301 (click ends the help at \f)
    from condensity.cli.predictions import Predictions, predict_file
    from condensity.persistence import check_writable
    from condensity.warning import collected_warnings

    if output != "-":
        check_writable(output, [model, data])
    with progress_line() as progress, collected_warnings() as notes:
        progress(f"{data}: reading")
        predictions = Predictions(
            _loaded(model, jobs), quantiles or (), interval or (), samples, support, outside, random_state
        )
        count = count_rows(progress, data)
        n_rows, surprises = predict_file(predictions, data, output, keep or [], count, reading)
    echo_decisions(surprises)
    echo_notes(notes)
    echo(f"{n_rows} rows: {output}", err=output == "-")


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("data", metavar="DATA")
@click.option("--crps", is_flag=True, help="The continuous ranked probability score as well.")
@outside_option
@weights_option
@jobs_option
@reading_options
def score(
    model: str, data: str, crps: bool, outside: str, weights: str | None, jobs: int, reading: ReadingOptions
) -> None:
    """Print the mean log density, in nats, of a table of any length under a model.

    DATA is a CSV, JSON lines, Excel, Parquet or Arrow file, a folder of Parquet files, or '-' for stdin.

    \f
    The `model` and the table `data` are paths, `weights` names the column of sample weights, and `crps` adds the CRPS; rows
    `outside` the training data are treated as the library does. It runs on `jobs` threads and reads text files as `reading` says.
    """  # noqa: D301 (click ends the help at \f)
    from condensity.cli.scoring import ScoreAccumulator, score_file
    from condensity.warning import collected_warnings

    with progress_line() as progress, collected_warnings() as notes:
        progress(f"{data}: reading")
        totals = ScoreAccumulator(_loaded(model, jobs), crps=crps, outside=outside)
        lines, surprises = score_file(totals, data, weights, count_rows(progress, data), reading)
    echo_decisions(surprises)
    echo_notes(notes)
    for line in lines:
        echo(line)


def _loaded(path: str, jobs: int) -> Any:
    """The model saved at `path`, to run on `jobs` threads."""
    from condensity.estimators.loading import load

    model = load(path)
    return model.set_params(n_jobs=jobs) if "n_jobs" in model.get_params() else model


@click.command()
@click.argument("file", metavar="MODEL|DATA")
@columns_options
@transform_option
@members_option
@jobs_option
@random_state_option
@reading_options
def doctor(
    file: str,
    columns: Columns | None,
    y_transform: str | None,
    members: int,
    jobs: int,
    random_state: int,
    reading: ReadingOptions,
) -> None:
    """List the findings about a saved model; or, for a table or '-' for stdin, about the default network fitted to it.

    One finding a line; those that ask for something to be done begin with an exclamation mark.

    \f
    The path `file` is that of a model, or of a table to whose `columns` an ensemble of `members` networks is fitted, with
    `y_transform`, `jobs` threads and a `random_state`. A text file is read as `reading` says.
    """  # noqa: D301 (click ends the help at \f)
    from condensity.cli.diagnosis import diagnose_model, diagnose_table, is_saved_model
    from condensity.io.stream import on_disk
    from condensity.warning import collected_warnings

    with progress_line() as progress, collected_warnings() as notes, on_disk(file) as path:
        if is_saved_model(path):
            settled_by_model(columns)
            findings = diagnose_model(path)
        else:
            options = {"n_members": members, "y_transform": y_transform, "random_state": random_state, "n_jobs": jobs}
            findings = diagnose_table(str(path), require_targets(columns), progress, options, reading)
    for finding in findings:
        echo(str(finding))
    echo_notes(note for note in notes if not note.startswith("ConvergenceWarning"))  # a finding has the same text
