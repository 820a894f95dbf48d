"""Commands about one model: `fit`, `predict`, `score`, `doctor`."""

from condensity.cli.options import (
    categories_option,
    features_option,
    groups_option,
    members_option,
    names_option,
    random_state_option,
    split_levels,
    weights_option,
)
from condensity.cli.shell import click, count_rows, echo_notes, progress_line

#: Names of the estimators on the command line.
ESTIMATORS = {"mdn": "MDNRegressor", "gmm": "JointGMMRegressor"}


@click.command()
@click.argument("data", metavar="DATA")
@names_option("--target", "targets", required=True, help="The column y, or several.")
@click.option("-o", "--output", required=True, metavar="PATH", help="The model file to write.")
@features_option
@categories_option
@weights_option
@groups_option
@click.option(
    "--model",
    "kind",
    type=click.Choice(list(ESTIMATORS)),
    default="mdn",
    show_default=True,
    help="Network or joint mixture.",
)
@click.option("--y-transform", type=click.Choice(["log", "logit", "auto"]), help="For a positive, bounded or skewed y.")
@members_option
@click.option("--jobs", type=int, default=-1, show_default=True, help="Threads; -1 is all cores.")
@random_state_option
def fit(
    data: str,
    targets: list[str],
    output: str,
    features: list[str] | None,
    categories: list[str] | None,
    weights: str | None,
    groups: str | None,
    kind: str,
    y_transform: str | None,
    members: int,
    jobs: int,
    random_state: int,
) -> None:
    """Fit p(y | x) to a CSV, Parquet or Arrow table, or '-' for stdin, and save the model.

    \f
    An estimator of `kind`, with `members` networks and `y_transform`, is fitted to the columns `features`, `categories` among
    them, and `targets` of the table `data`, its rows weighted by the column `weights` and held out by that of `groups`, with
    `jobs` threads and a `random_state`, and saved at `output`.
    """  # noqa: D301 (click ends the help at \f)
    import condensity
    from condensity.cli.fitting import fit_file
    from condensity.persistence import check_writable
    from condensity.warning import collected_warnings

    path = check_writable(output)
    with progress_line() as progress, collected_warnings() as notes:
        model = getattr(condensity, ESTIMATORS[kind])(
            random_state=random_state,
            n_jobs=jobs,
            categorical_features=categories or "from_dtype",
            y_transform=y_transform,
            callback=lambda now: progress(f"{data}: {now.stage}, step {now.n_steps} of at most {now.max_steps}"),
            **({"n_members": members} if kind == "mdn" else {}),
        )
        progress(f"{data}: reading")
        n_rows = fit_file(model, data, targets, features, weights, groups)
        model.save(path)
    echo_notes(notes)
    click.echo(f"{n_rows} rows, {model.n_features_in_} features. {model.outcome_}\nmodel: {path}")


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("data", metavar="DATA")
@click.option(
    "-o", "--output", required=True, metavar="PATH", help="A .parquet, .arrow or .csv file, or - for CSV on stdout."
)
@click.option("--quantiles", callback=split_levels, metavar="LEVELS", help="Such as .05,.5,.95.")
@click.option(
    "--interval", callback=split_levels, metavar="LEVELS", help="Central intervals, such as .9: lower and upper."
)
@click.option("--samples", type=click.IntRange(0, 10_000), default=0, help="Draws of every row.")
@click.option(
    "--support", is_flag=True, help="How usual a row is: p-values of the inputs, small where there was no such data."
)
@names_option("--keep", help="Columns of DATA that come first, such as a key.")
@random_state_option
def predict(
    model: str,
    data: str,
    output: str,
    quantiles: list[float] | None,
    interval: list[float] | None,
    samples: int,
    support: bool,
    keep: list[str] | None,
    random_state: int,
) -> None:
    """Write mean, standard deviation and what else is asked for, for every row of a CSV, Parquet or Arrow table or '-' for stdin.

    Rows are read and written in batches, so that memory does not grow with the table.

    \f
    The `model` and the table `data` are paths. At `output` come the columns to `keep`, mean and standard deviation, then
    `quantiles` and each `interval` by their levels in (0, 1), `samples` draws from `random_state`, and, with `support`, p-values.
    """  # noqa: D301 (click ends the help at \f)
    from condensity.cli.predictions import Predictions, predict_file
    from condensity.estimators.loading import load
    from condensity.warning import collected_warnings

    with progress_line() as progress, collected_warnings() as notes:
        predictions = Predictions(load(model), quantiles or (), interval or (), samples, support, random_state)
        n_rows = predict_file(predictions, data, output, keep or [], count_rows(progress, data))
    echo_notes(notes)
    click.echo(f"{n_rows} rows: {output}", err=output == "-")


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("data", metavar="DATA")
@click.option("--crps/--no-crps", default=False, help="The continuous ranked probability score as well.")
@weights_option
def score(model: str, data: str, crps: bool, weights: str | None) -> None:
    """Print the mean log density, in nats, of a CSV, Parquet or Arrow table of any length, or '-' for stdin, under a model.

    \f
    The `model` and the table `data` are paths, `weights` names the column of sample weights, and `crps` adds the CRPS.
    """  # noqa: D301 (click ends the help at \f)
    from condensity.cli.scoring import score_file
    from condensity.estimators.loading import load
    from condensity.warning import collected_warnings

    with progress_line() as progress, collected_warnings() as notes:
        lines = score_file(load(model), data, weights, count_rows(progress, data), crps=crps)
    echo_notes(notes)
    for line in lines:
        click.echo(line)


@click.command()
@click.argument("file", metavar="FILE")
@names_option("--target", "targets", help="The column y, where FILE is a table.")
@features_option
@categories_option
@members_option
@random_state_option
def doctor(
    file: str,
    targets: list[str] | None,
    features: list[str] | None,
    categories: list[str] | None,
    members: int,
    random_state: int,
) -> None:
    """List the findings about a saved model; or, for a table or '-' for stdin, about the default network fitted to it.

    One finding a line; those that ask for something to be done begin with an exclamation mark.

    \f
    The path `file` is that of a model, or of a table whose columns `targets` and `features`, `categories` among them, an
    ensemble of `members` networks is fitted to with a `random_state`.
    """  # noqa: D301 (click ends the help at \f)
    from condensity.cli.diagnosis import diagnose_model, diagnose_table, is_saved_model
    from condensity.io.stream import on_disk
    from condensity.warning import collected_warnings

    with progress_line() as progress, collected_warnings() as notes, on_disk(file) as path:
        if is_saved_model(path):
            findings = diagnose_model(path)
        elif targets:
            options = {"n_members": members, "random_state": random_state, "n_jobs": -1}
            columns = {"features": features, "categories": categories}
            findings = diagnose_table(path, targets, progress, options, **columns)
        else:
            raise click.UsageError(f"{file!r} is a table, so --target is needed: the column y.")
    for finding in findings:
        click.echo(str(finding))
    echo_notes(note for note in notes if not note.startswith("ConvergenceWarning"))  # a finding has the same text
