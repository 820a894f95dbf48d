"""What a saved model answers about a long table, batch by batch."""

import numpy as np

from condensity import scores
from condensity.io.read import TableError, require_column


def rows_for(model, X):
    """A table of features (pyarrow.Table) as a model takes it: one without names wants an array."""
    if hasattr(model, "feature_names_in_"):
        return X
    return np.column_stack([column.to_numpy() for column in X.columns])


class PredictionWriter:
    """The columns that a prediction writes.

    Parameters
    ----------
    model : fitted estimator
    quantiles, intervals : sequence of float
        Levels in (0, 1).
    n_samples : int
    support : bool
    random_state : int
        Of the draws.
    """

    def __init__(self, model, quantiles=(), intervals=(), n_samples=0, support=False, random_state=0):
        self.model, self.quantiles, self.intervals = model, list(quantiles), list(intervals)
        self.n_samples, self.support, self.random_state = n_samples, support, random_state
        self.targets = model.target_names_
        if support and not model.has_support:
            raise TableError("--support needs a model that was fitted with a support model; this one was not.")

    @property
    def names(self) -> list[str]:
        """Names of the columns that are written."""
        parts = ["mean", "std", *(f"q{level:g}" for level in self.quantiles)]
        parts += [f"{end}{level:g}" for level in self.intervals for end in ("lower", "upper")]
        parts += [f"sample{i + 1}" for i in range(self.n_samples)]
        return [f"{target}_{part}" for target in self.targets for part in parts] + (["support"] if self.support else [])

    @property
    def texts(self) -> list[str]:
        """Features that are text in a CSV file."""
        schema = self.model._schema
        return [] if schema.names is None else [schema.names[category.column] for category in schema.categories]

    def features_of(self, columns) -> list[str]:
        """Which columns of a table are the model's inputs."""
        names = getattr(self.model, "feature_names_in_", None)
        if names is not None:
            for name in names:
                require_column(columns, name)
            return list(names)
        d = self.model.n_features_in_
        rest = [name for name in columns if name not in self.targets]
        if len(rest) != d:
            raise TableError(
                f"the model was fitted on {d} columns without names, and the table has {len(rest)}; fit it on a table with names."
            )
        return rest

    def targets_of(self, columns) -> list[str]:
        """Which columns of a table are what the model predicts."""
        for name in self.targets:
            require_column(columns, name)
        return self.targets

    def answer(self, X, first_row) -> np.ndarray:
        """All columns of rows X, (n, len(names)); first_row is their place in the whole table."""
        X = rows_for(self.model, X)
        dist = self.model.predict_dist(X)
        draws = None
        if self.n_samples:
            draws = dist.sample(self.n_samples, random_state=np.random.default_rng([self.random_state, first_row]))
        columns: list[np.ndarray] = []
        for j in range(dist.n_outputs):
            one = dist if dist.n_outputs == 1 else dist.marginal(j)
            columns += [one.mean(), one.std()]
            if self.quantiles:
                columns += list(one.ppf(self.quantiles).T)
            for level in self.intervals:
                columns += list(one.interval(level).T)
            if draws is not None:
                columns += list((draws if draws.ndim == 2 else draws[:, :, j]).T)
        if self.support:
            columns.append(self.model.support(X))
        return np.column_stack(columns)


class ScoreAccumulator:
    """Means of losses over batches, with their standard errors.

    Parameters
    ----------
    model : fitted estimator
    crps : bool
    """

    def __init__(self, model, crps=False):
        self.model, self.n_rows = model, 0
        self.losses = {"log density": lambda dist, y: -scores.log_score(dist, y)}
        if crps:
            several = len(model.target_names_) > 1
            self.losses["energy score" if several else "CRPS"] = scores.energy_score if several else scores.crps
        self.sums = {name: np.zeros(4) for name in self.losses}  # of w, w², w·loss, w·loss²

    def add(self, X, y, weight=None):
        """Score the rows of a batch."""
        dist = self.model.predict_dist(rows_for(self.model, X))
        y = self.model._check_known_target(y, "y")
        y, weight = y if y.shape[1] > 1 else y[:, 0], np.ones(len(y)) if weight is None else np.asarray(weight, float)
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise TableError("weights must be finite and not negative.")
        for name, loss in self.losses.items():
            values = np.where(weight > 0, loss(dist, y), 0.0)
            self.sums[name] += [weight.sum(), (weight**2).sum(), weight @ values, weight @ values**2]
        self.n_rows += len(y)

    def lines(self) -> list[str]:
        """One line a score."""
        return [f"{name}: {self._mean(*sums)} a row, {self.n_rows:,} rows" for name, sums in self.sums.items()]

    def _mean(self, total, squares, first, second):
        if not total > 0:
            raise TableError("all weights are 0; there is nothing to score.")
        mean = first / total
        variance = max(second / total - mean**2, 0.0)
        return f"{mean:.6g} ± {np.sqrt(variance * squares) / total:.2g}"
