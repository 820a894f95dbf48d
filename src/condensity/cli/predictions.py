"""Predictions of a saved model for a long table, computed and written batch by batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from condensity.cli.batches import NUMBER_BYTES, distribution_bytes, rows_within
from condensity.cli.model_columns import ModelColumns
from condensity.io.options import NO_OPTIONS, ReadingOptions
from condensity.io.read import TableError
from condensity.io.stream import Batch, RowProgress, TableReader, TableWriter, display_name, naming_rows, on_disk


class Predictions:
    """The columns that are predicted for each row: mean, standard deviation, and those asked for.

    Parameters
    ----------
    model : fitted estimator
    quantiles, intervals : sequence of float
        Levels in (0, 1).
    n_samples : int
        Draws of every row.
    support : bool
        Whether p-values of the inputs come last.
    outside : str
        As `predict_dist` takes it.
    random_state : int
        Of the draws.

    Raises
    ------
    TableError
        Where p-values, or another treatment of rows outside, are asked of a model without a support model.
    """

    def __init__(
        self,
        model: Any,
        quantiles: Sequence[float] = (),
        intervals: Sequence[float] = (),
        n_samples: int = 0,
        support: bool = False,
        outside: str = "ignore",
        random_state: int = 0,
    ):
        self.model, self.columns = model, ModelColumns(model)
        self.quantiles, self.intervals = list(quantiles), list(intervals)
        self.n_samples, self.support, self.random_state = n_samples, support, random_state
        self.outside, self._rows = outside, 1  # the first row tells how many are computed at once
        for option, asked in (("--support", support), (f"--outside {outside}", outside != "ignore")):
            if asked and not model.has_support:
                raise TableError(f"{option} needs a model that was fitted with a support model; this one was not.")

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        parts = ["mean", "std", *(f"q{level:g}" for level in self.quantiles)]
        parts += [f"{end}{level:g}" for level in self.intervals for end in ("lower", "upper")]
        parts += [f"sample{i + 1}" for i in range(self.n_samples)]
        names = [f"{target}_{part}" for target in self.columns.targets for part in parts]
        return names + (["support"] if self.support else [])

    def rows_written(self) -> int:
        """Rows whose columns are computed and written at once."""
        return rows_within(NUMBER_BYTES * len(self.names))

    def compute(self, table: Any, first_row: int) -> np.ndarray:
        """All columns, (n, len(names)), for a table of features (pyarrow.Table (n, d)) that begins at row `first_row`.

        They are computed for as many rows at once as the widths of the model's distributions allow.
        """
        found, done = [np.empty((0, len(self.names)))], 0
        while done < len(table):
            part = table.slice(done, self._rows)
            found.append(self._columns_of(part, first_row + done))
            done += len(part)
        return np.concatenate(found)

    def _columns_of(self, table: Any, first_row: int) -> np.ndarray:
        X = self.columns.inputs(table)
        dist = self.model.predict_dist(X, outside=self.outside)
        self._rows = rows_within(distribution_bytes(dist))
        draws = self._draws(dist, first_row)
        columns: list[np.ndarray] = []
        for j in range(dist.n_outputs):
            columns += self._summary(dist if dist.n_outputs == 1 else dist.marginal(j))
            columns += list(draws[:, :, j].T)
        if self.support:
            columns.append(self.model.support(X))
        return np.column_stack(columns)

    def _summary(self, dist: Any) -> list[np.ndarray]:
        """Moments, quantiles and intervals of one output, (n,) each."""
        columns = [dist.mean(), dist.std()]
        if self.quantiles:
            columns += list(dist.ppf(self.quantiles).T)
        for level in self.intervals:
            columns += list(dist.interval(level).T)
        return columns

    def _draws(self, dist: Any, first_row: int) -> np.ndarray:
        """Draws (n, n_samples, q) whose generator depends on the place of the batch in the table."""
        shape = (len(dist), self.n_samples, dist.n_outputs)
        if not self.n_samples:
            return np.empty(shape)
        rng = np.random.default_rng([self.random_state, first_row])
        return dist.sample(self.n_samples, random_state=rng).reshape(shape)


class PredictionWriter:
    """A file of predictions, preceded by columns of the table that are kept; a context manager.

    Parameters
    ----------
    predictions : Predictions
    output : path-like or '-'
    kept : dict of str to pyarrow.DataType
        Columns that come first.
    """

    def __init__(self, predictions: Predictions, output: str, kept: dict[str, Any]):
        self.predictions, self.kept, self.n_rows = predictions, list(kept), 0
        self._writer = TableWriter(output, predictions.names, kept)

    def write(self, batch: Batch) -> None:
        """Append the predictions for a `batch` of the features and the columns to keep."""
        import pyarrow

        columns = self.predictions.compute(batch.values, self.n_rows)
        names = [*self.kept, *self.predictions.names]
        self._writer.write(pyarrow.table([*batch.kept.columns, *columns.T], names=names))
        self.n_rows += len(batch.values)

    def __enter__(self) -> "PredictionWriter":
        self._writer.__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._writer.__exit__(*failure)


def predict_file(
    predictions: Predictions,
    data: str,
    output: str,
    keep: Sequence[str],
    progress: RowProgress,
    reading: ReadingOptions = NO_OPTIONS,
) -> tuple[int, str]:
    """Write predictions for a table of any length; return its number of rows, and what was surprising about the file or ''.

    Parameters
    ----------
    predictions : Predictions
    data, output : str
        Paths, or '-' for stdin and stdout.
    keep : sequence of str
        Columns of the table that come first in the output.
    progress : callable (int, int or None)
        Called with the rows done and, where the file tells, their number.
    reading : ReadingOptions
        How a text file is written.

    Raises
    ------
    TableError
        For columns that are missing, and files that cannot be read.
    """
    with on_disk(data) as path:
        reader = TableReader(path, reading, display_name(data))
        features = predictions.columns.features(reader.names)
        texts = predictions.columns.texts(features)
        numbers = [name for name in features if name not in texts]
        with PredictionWriter(predictions, output, reader.kept_types(keep)) as writer:
            for batch in reader.batches(features, texts=texts, numbers=numbers, keep=keep):
                for part in batch.parts(predictions.rows_written()):
                    with naming_rows(writer.n_rows, len(part.values)):
                        writer.write(part)
                    progress(writer.n_rows, reader.n_rows)
    return writer.n_rows, reader.surprises
