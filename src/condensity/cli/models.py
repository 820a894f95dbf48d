"""Commands about one model: `fit`, `predict`, `score`, `doctor`."""

from condensity.cli.shell import CommandError, click, echo_notes, progress_line, random_state_option

MODELS = {"mdn": "MDNRegressor", "gmm": "JointGMMRegressor"}


def _names(_, __, value):
    """Names between commas, quoted as in CSV where they hold a comma themselves."""
    if value is None:
        return None
    from condensity.report.cases import split_names

    return split_names(value)


def _numbers(_, __, value):
    """Numbers in (0, 1) between commas."""
    if value is None:
        return None
    try:
        numbers = [float(text) for text in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of numbers between commas.") from None
    if not all(0.0 < number < 1.0 for number in numbers) or len(set(numbers)) < len(numbers):
        raise click.BadParameter(f"{value!r}: different numbers between 0 and 1 are needed.")
    return numbers


_features = click.option(
    "--features", callback=_names, metavar="NAMES", help="Columns x, by commas.  [default: all others]"
)
_targets = click.option(
    "--target", "targets", callback=_names, required=True, metavar="NAMES", help="The column y, or several."
)


@click.command()
@click.argument("data", metavar="DATA")
@_targets
@click.option("-o", "--output", required=True, metavar="PATH", help="The model file to write.")
@_features
@click.option(
    "--categories", callback=_names, metavar="NAMES", help="Columns of numbers that are categories. Text is one anyway."
)
@click.option("--weights", metavar="NAME", help="The column of sample weights.")
@click.option(
    "--model",
    "kind",
    type=click.Choice(list(MODELS)),
    default="mdn",
    show_default=True,
    help="Network or joint mixture.",
)
@click.option("--y-transform", type=click.Choice(["log", "logit", "auto"]), help="For a positive, bounded or skewed y.")
@click.option("--members", type=click.IntRange(1, 100), default=1, show_default=True, help="Networks in the ensemble.")
@click.option("--jobs", type=int, default=-1, show_default=True, help="Threads; -1 is all cores.")
@random_state_option
def fit(data, targets, output, features, categories, weights, kind, y_transform, members, jobs, random_state):
    """Fit p(y | x) to a CSV, Parquet or Arrow table, or '-' for stdin, and save the model."""
    import condensity
    from condensity.io.read import features_and_target, read_table
    from condensity.io.stream import on_disk
    from condensity.persistence import check_writable
    from condensity.warning import collected_warnings

    path = check_writable(output)
    with on_disk(data) as source, progress_line() as progress:
        progress(f"{data}: reading")
        table = read_table(source)
        weight = None
        if weights is not None:
            table, weight = features_and_target(table, [weights])
            weight = weight.column(0).to_numpy()
        X, y = features_and_target(table, targets, features)
        model = getattr(condensity, MODELS[kind])(
            random_state=random_state,
            n_jobs=jobs,
            categorical_features=categories or "from_dtype",
            y_transform=y_transform,
            callback=lambda now: progress(f"{data}: {now.stage}, step {now.n_steps} of at most {now.max_steps}"),
            **({"n_members": members} if kind == "mdn" else {}),
        )
        with collected_warnings() as notes:
            model.fit(X, y, weight)
        model.save(path)
    echo_notes(notes)
    click.echo(f"{len(y)} rows, {model.n_features_in_} features. {model.outcome_}\nmodel: {path}")


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("data", metavar="DATA")
@click.option(
    "-o", "--output", required=True, metavar="PATH", help="A .parquet, .arrow or .csv file, or - for CSV on stdout."
)
@click.option("--quantiles", callback=_numbers, metavar="LEVELS", help="Such as .05,.5,.95.")
@click.option("--interval", callback=_numbers, metavar="LEVELS", help="Central intervals, such as .9: lower and upper.")
@click.option("--samples", type=click.IntRange(0, 10_000), default=0, help="Draws of every row.")
@click.option(
    "--support", is_flag=True, help="How usual a row is: p-values of the inputs, small where there was no such data."
)
@click.option("--keep", callback=_names, metavar="NAMES", help="Columns of DATA that come first, such as a key.")
@random_state_option
def predict(model, data, output, quantiles, interval, samples, support, keep, random_state):
    """Write mean, standard deviation and what else is asked for, for every row of a CSV, Parquet or Arrow table or '-' for stdin.

    Rows are read and written in batches, so that memory does not grow with the table.
    """
    import pyarrow

    from condensity.cli.answers import PredictionWriter
    from condensity.estimators.loading import load
    from condensity.io.stream import TableReader, TableWriter, on_disk

    fitted = load(model)
    questions = PredictionWriter(fitted, quantiles or (), interval or (), samples, support, random_state)
    with on_disk(data) as path, progress_line() as progress:
        source, keep = TableReader(path), keep or []
        features = questions.features_of(source.names)
        types = source.types_of(features, keep, questions.texts)
        with TableWriter(output, questions.names, {name: types[name] for name in keep}) as sink:
            done = 0
            for table in source.batches(types):
                columns = [table.column(name) for name in keep]
                answers = questions.answer(table.select(features), done)
                sink.write(pyarrow.table([*columns, *answers.T], names=[*keep, *questions.names]))
                done += len(table)
                progress(_how_far(data, done, source.n_rows))
    click.echo(f"{done} rows: {output}", err=output == "-")


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("data", metavar="DATA")
@click.option("--crps/--no-crps", default=False, help="The continuous ranked probability score as well.")
@click.option("--weights", metavar="NAME", help="The column of sample weights.")
def score(model, data, crps, weights):
    """Print the mean log density, in nats, of a CSV, Parquet or Arrow table of any length, or '-' for stdin, under a model."""
    from condensity.cli.answers import PredictionWriter, ScoreAccumulator
    from condensity.estimators.loading import load
    from condensity.io.stream import TableReader, on_disk

    fitted = load(model)
    questions, scores = PredictionWriter(fitted), ScoreAccumulator(fitted, crps)
    with on_disk(data) as path, progress_line() as progress:
        source = TableReader(path)
        features, targets = questions.features_of(source.names), questions.targets_of(source.names)
        wanted = [*features, *targets, *([] if weights is None else [weights])]
        for table in source.batches(source.types_of(wanted, texts=questions.texts)):
            weight = None if weights is None else table.column(weights).to_numpy()
            scores.add(table.select(features), table.select(targets), weight)
            progress(_how_far(data, scores.n_rows, source.n_rows))
    if not scores.n_rows:
        raise CommandError(f"{data!r} has a header but no rows; there is nothing to score.")
    for line in scores.lines():
        click.echo(line)


def _how_far(data, done, n_rows):
    return f"{data}: {done:,} rows" + (f" of {n_rows:,} ({done / n_rows:.0%})" if n_rows else "")


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--target", "targets", callback=_names, metavar="NAMES", help="The column y, where FILE is a table.")
@_features
@click.option("--members", type=click.IntRange(1, 100), default=1, show_default=True, help="Networks in the ensemble.")
@random_state_option
def doctor(file, targets, features, members, random_state):
    """Say what a saved model is like; or, for a table, what the default network fitted to it is like.

    One finding a line; those that ask for something to be done begin with an exclamation mark.
    """
    from condensity.persistence import is_model_file

    try:
        saved = is_model_file(file)
    except OSError as error:
        raise CommandError(f"cannot read {file!r}: {error.strerror or error}.") from error
    findings, notes = _of_model(file) if saved else _of_table(file, targets, features, members, random_state)
    for finding in findings:
        click.echo(str(finding))
    echo_notes(note for note in notes if not note.startswith("ConvergenceWarning"))  # it says what a finding says


def _of_model(file):
    from condensity.estimators.loading import load

    return load(file).health_, []


def _of_table(file, targets, features, members, random_state):
    from condensity import MDNRegressor
    from condensity.data import read_target
    from condensity.evaluation.comparison import compare_held_out
    from condensity.io.read import features_and_target, read_table
    from condensity.report.cases import require_enough_rows
    from condensity.report.study import fit_model

    table = read_table(file)
    if not targets:
        raise click.UsageError(f"{file!r} is a table, so --target is needed: the column y.")
    X, y = features_and_target(table, targets, features)
    require_enough_rows(file, len(y))
    y = read_target("y", y)
    y = y[:, 0] if y.shape[1] == 1 else y
    with progress_line() as progress:
        progress(f"{file}: fitting")
        fit = fit_model("MDN", MDNRegressor(n_members=members, n_jobs=-1, random_state=random_state), X, y)
        progress(f"{file}: comparing with a joint Gaussian mixture")
        comparison = compare_held_out(fit.model, X, y, random_state)
    return [*fit.model.health_, *([] if comparison is None else [comparison])], fit.notes
