"""Scores of a saved model on a long table, batch by batch."""

from collections.abc import Callable
from typing import Any

import numpy as np

from condensity import scores
from condensity.cli.batches import distribution_bytes, rows_within
from condensity.cli.model_columns import ModelColumns
from condensity.distributions import Distribution
from condensity.io.options import NO_OPTIONS, ReadingOptions
from condensity.io.read import TableError, numeric_column
from condensity.io.stream import RowProgress, TableReader, display_name, naming_rows, on_disk


class ScoreAccumulator:
    """Weighted means of losses over batches, with their standard errors.

    Parameters
    ----------
    model : fitted estimator
    crps : bool
        The CRPS, or with several outputs the energy score, besides the log density.
    outside : str
        As `predict_dist` takes it.

    Attributes
    ----------
    n_rows : int
        Rows scored so far.
    rows_at_once : int
        Rows that may be added at once, by the width of the model's distributions; 1 until there was one.
    """

    def __init__(self, model: Any, *, crps: bool = False, outside: str = "ignore"):
        self.model, self.columns, self.outside = model, ModelColumns(model), outside
        self.n_rows, self.rows_at_once = 0, 1
        self._losses: dict[str, Callable[[Distribution, np.ndarray], np.ndarray]] = {
            "log density": lambda dist, y: -scores.log_score(dist, y)
        }
        if crps:
            several = len(self.columns.targets) > 1
            self._losses["energy score" if several else "CRPS"] = scores.energy_score if several else scores.crps
        # Of w, w², w·loss, w·loss²; squares of losses of 1e300 have room in them.
        self._sums = {name: np.zeros(4, dtype=np.longdouble) for name in self._losses}

    def add(self, table: Any, features: list[str], weights: str | None = None) -> None:
        """Score the rows of a batch.

        Parameters
        ----------
        table : pyarrow.Table (n rows)
            With the features, the targets and the weights among its columns.
        features : list of str
        weights : str, optional
            The column of weights, all 1 by default.

        Raises
        ------
        TableError
            For weights that are negative or not finite.
        """
        dist = self.model.predict_dist(self.columns.inputs(table.select(features)), outside=self.outside)
        self.rows_at_once = rows_within(distribution_bytes(dist))
        y = self.columns.outputs(table)
        weight = np.ones(len(y)) if weights is None else numeric_column(table, weights)
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise TableError("weights must be finite and not negative.")
        for name, loss in self._losses.items():
            values = np.where(weight > 0, loss(dist, y), 0.0)
            values = values.astype(np.longdouble)
            self._sums[name] += [weight.sum(), (weight**2).sum(), weight @ values, weight @ values**2]
        self.n_rows += len(y)

    def lines(self) -> list[str]:
        """One line for each score: its mean, the standard error, the number of rows.

        Raises
        ------
        TableError
            If all weights are 0.
        """
        return [f"{name}: {_mean(*sums)} a row, {self.n_rows:,} rows" for name, sums in self._sums.items()]


def _mean(total: float, squares: float, first: float, second: float) -> str:
    """Mean ± standard error, from the sums of w, w², w·loss and w·loss²."""
    if not total > 0:
        raise TableError("all weights are 0; there is nothing to score.")
    mean = first / total
    variance = max(second / total - mean**2, 0.0)
    return f"{mean:.6g} ± {np.sqrt(variance * squares) / total:.2g}"


def score_file(
    totals: ScoreAccumulator,
    data: str,
    weights: str | None,
    progress: RowProgress,
    reading: ReadingOptions = NO_OPTIONS,
) -> tuple[list[str], str]:
    """Score a table of any length; return one line for each score, and what was surprising about the file or ''.

    Parameters
    ----------
    totals : ScoreAccumulator
    data : str
        Path, or '-' for stdin.
    weights : str or None
        The column of weights.
    progress : callable (int, int or None)
        Called with the rows done and, where the file tells, their number.
    reading : ReadingOptions
        How a text file is written.

    Raises
    ------
    TableError
        For columns that are missing, files that cannot be read, and a table without rows.
    """
    columns = totals.columns
    with on_disk(data) as path:
        reader = TableReader(path, reading, display_name(data))
        features = columns.features(reader.names)
        others = [*columns.require_targets(reader.names), *([] if weights is None else [weights])]
        texts = columns.texts(features)
        numbers = [*others, *set(features).difference(texts)]
        for table, _ in reader.batches([*features, *others], texts=texts, numbers=numbers):
            while len(table):
                part, table = table.slice(0, totals.rows_at_once), table.slice(totals.rows_at_once)
                with naming_rows(totals.n_rows, len(part)):
                    totals.add(part, features, weights)
                progress(totals.n_rows, reader.n_rows)
    if not totals.n_rows:
        raise TableError(f"{data!r} has a header but no rows; there is nothing to score.")
    return totals.lines(), reader.surprises
