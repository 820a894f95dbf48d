"""Every public verb of a conditional density estimator, once."""

from abc import ABCMeta, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from condensity._sklearn_compat import (
    CallbackSupportMixin,
    check_parameters,
    check_sample_weight,
    get_feature_names,
    validate_data,
    with_callbacks,
)
from condensity.data import (
    RawTable,
    Schema,
    is_frame,
    read_table,
    read_target,
    require_finite,
    require_moderate,
    warn_about_oddities,
    warn_about_outliers,
)
from condensity.data.scaling import Standardizer
from condensity.distributions import Mixture, TransformedMixture
from condensity.distributions.transforms import MonotoneMap, make_transform
from condensity.engines.types import TrainingRows
from condensity.estimators.callbacks import begin_fit, progress_hook
from condensity.estimators.inputs import InputVerbs
from condensity.estimators.saving import save_model
from condensity.evaluation.diagnostics import Evidence, examine, gather_evidence
from condensity.monitor import CheckpointSink, Monitor
from condensity.random import as_generator
from condensity.warning import warn_user

#: More outputs than this are refused: a full covariance has as many parameters as their square.
MOST_OUTPUTS = 100


class AbstractDensityRegressor(InputVerbs, CallbackSupportMixin, RegressorMixin, BaseEstimator, metaclass=ABCMeta):
    """Fits p(y | x) and answers with a `Mixture`. Subclasses say how to fit and predict in standardised units.

    Attributes
    ----------
    converged_ : bool
        Whether the fit ended as it should; `outcome_` says how, in a sentence with numbers.
    outcome_ : str
    n_iter_ : int
        Epochs or iterations.
    history_ : dict of lists
        What was watched during the fit.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.
    """

    #: Whether gaps are integrated out, those of y too. Else gaps of X are filled, and shown by columns of their own.
    _handles_missing = False

    callback: Any
    categorical_features: Any
    verbose: int
    y_transform: Any
    _y_transform: MonotoneMap | None
    _schema: Schema
    _x_scaler: Standardizer
    _y_scaler: Standardizer
    _fit: Any  # what `_fit_standardised` gave
    _evidence: Evidence | None
    _health: list | None
    _present: np.ndarray | None  # where sample weights were not 0; None: everywhere
    _output_names: list | None
    _y_shape: tuple[int, ...]  # of a row of y as it was given

    @abstractmethod
    def _fit_standardised(self, rows, rng, validation, goes_on) -> Any:
        """Fit standardised `TrainingRows`, or go on with the last fit.

        The result has converged, outcome, n_iter, history, held_out_log_density (n,) and log_scale_bounds.
        """

    @abstractmethod
    def _predict_standardised(self, x) -> Mixture:
        """Mixture of standardised y for each row of standardised x (n, d)."""

    # ----------------------------------------------------------------------------------------------------- fitting
    @with_callbacks
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
        """Fit the conditional density of y given X.

        Parameters
        ----------
        X : array-like (n, d), or pandas, polars or Arrow table
            Numbers, finite or NaN where a value is missing, and categories (see `categorical_features`).
        y : array-like (n,), (n, 1) or, for several outputs, (n, q)
            Finite numbers; predictions take its shape, and column names, if any, name the outputs of distributions.
        sample_weight : array-like (n,), optional
            Not negative; a weight of 0 is as good as an absent row.
        X_val, y_val : array-like (v, d), (v,) or (v, q), optional
            Your own held-out rows, for time-ordered or grouped data: they replace the random split.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad hyper-parameters and bad data, naming the argument and the column.

        Warns
        -----
        ConvergenceWarning
            When the fit did not end as it should; at Ctrl-C too, which keeps the best model so far, if there is one.
        UserWarning
            For constant or repeated columns, a constant target, mostly repeated rows, and targets far from the rest.
        """
        goes_on = self._goes_on()
        self._forget(keep_schema=goes_on)
        check_parameters(self)
        context = begin_fit(self, X, y)
        rows = self._standardised_rows(X, y, sample_weight, keep_units=goes_on)
        validation = self._check_validation_data(X_val, y_val)
        seen = self._rows_for_inputs(rows)
        fit = self._fit_standardised(rows, as_generator(self.random_state, "fit"), validation, goes_on)
        self._fit = fit
        self.n_iter_, self.history_, self.outcome_ = fit.n_iter, fit.history, fit.outcome
        self._health, self._evidence = (
            None,
            gather_evidence(rows, fit.outcome, converged=fit.converged, held_out_log_density=fit.held_out_log_density),
        )
        self._learn_inputs(seen, validation)
        self.converged_ = fit.converged
        bad = [finding for finding in self._evidence.findings if finding.serious and finding.name != "held-out rows"]
        if bad:
            warn_user(" ".join(finding.sentence for finding in bad), ConvergenceWarning)
        if context is not None:
            context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def _monitor(self, checkpoint: CheckpointSink | None = None) -> Monitor:
        """Lines on the terminal, the callback, and scikit-learn's callbacks."""
        return Monitor(self.callback, verbose=self.verbose, hook=progress_hook(self), checkpoint=checkpoint)

    def _goes_on(self):
        """Whether the next fit starts from what the last one learned."""
        return bool(getattr(self, "warm_start", False)) and self.__sklearn_is_fitted__()

    def _forget(self, *, keep_schema=False):
        """Drop what an earlier fit learned, so that a failed fit leaves nothing half-fitted."""
        kept = {"n_features_in_", "feature_names_in_"} if keep_schema else set()
        for name in [
            name for name in vars(self) if name.endswith("_") and not name.startswith("_") and name not in kept
        ]:
            delattr(self, name)
        self._y_shape = ()
        self._forget_inputs()

    def _standardised_rows(self, X, y, sample_weight, *, keep_units=False) -> TrainingRows:
        """Checked training data in standardised units, which are learned from it unless they are kept."""
        x, y, weight = self._check_training_data(X, y, sample_weight, reset=not keep_units)
        self._check_size(*x.shape)
        if not keep_units:
            self._y_transform = make_transform(self.y_transform, y, weight)
        u = self._transformed(y)
        if not keep_units:
            self._x_scaler, self._y_scaler = Standardizer.fit(x, weight), Standardizer.fit(u, weight)
        if y.shape[1] != self._y_scaler.scale.size:
            raise ValueError(f"y must have {self._y_scaler.scale.size} columns, as before; got {y.shape[1]}.")
        warn_about_oddities(x, y, self._x_scaler.constant, self._input_names())
        dtype = self._row_dtype()
        rows = TrainingRows(
            self._standardised_inputs(x, dtype), self._y_scaler.transform(u), weight.astype(dtype, copy=False)
        )
        warn_about_outliers(rows.y)
        return rows

    @property
    def health_(self) -> list:
        """What the fitted model is like, in words with numbers: a list of `condensity.evaluation.diagnostics.Finding`.

        Worked out when first asked for. Empty after `partial_fit`.
        """
        check_is_fitted(self)
        if self._health is None:
            self._health = [] if self._evidence is None else self._examine(self._evidence)
        return self._health

    def _examine(self, evidence):
        return examine(
            evidence,
            self._predict_standardised,
            log_scale_bounds=self._fit.log_scale_bounds,
            columns=self._input_names(),
        )

    def _input_names(self):
        """Names of the model's inputs, or None where the columns of X are these and have none."""
        return None if self._schema.is_identity and self._schema.names is None else self._schema.encoded_names

    @property
    def target_names_(self) -> list[str]:
        """Names of the outputs: those of y's columns, else y, or y0, y1, …"""
        check_is_fitted(self)
        q = self._y_scaler.scale.size
        return list(self._output_names or (["y"] if q == 1 else [f"y{j}" for j in range(q)]))

    def __sklearn_is_fitted__(self):
        return hasattr(self, "converged_")

    def _check_size(self, n, d):
        """Refuse or warn of hyper-parameters that n rows cannot carry."""

    def _check_training_data(self, X, y, sample_weight, *, reset=True):
        """Float64 model inputs x (n, e), y (n, q), weight (n,) with mean one, zero weights dropped."""
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        table = self._read_inputs(X, reset=reset)
        if reset:
            self._schema = Schema.fit(table, handles_missing=self._handles_missing)
        X = self._schema.encode(table)
        y = self._check_target(y)
        check_consistent_length(X, y)
        present = self._rows_with_values(X, y)
        if sample_weight is None and present is None:
            self._present = None
            return X, y, np.ones(len(y))
        weight = np.ones(len(y))
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        present = self._present = weight > 0 if present is None else present & (weight > 0)
        if present.sum() < 2:
            raise ValueError(
                f"sample_weight must be non-zero in at least 2 rows; it is in {int(present.sum())} of {len(y)}."
            )
        weight = weight[present] / weight.max()  # so that the sum cannot overflow
        return X[present], y[present], weight / weight.mean()

    def _rows_with_values(self, x, y):
        """Bool (n,), where a row knows anything at all; None if all do. Columns of y must have a value."""
        if not self._handles_missing or not (np.isnan(x).any() or np.isnan(y).any()):
            return None
        unknown = np.isnan(y).all(axis=0)
        if unknown.any():
            what = "y" if y.shape[1] == 1 else f"Column {int(np.argmax(unknown))} of y"
            raise ValueError(
                f"{what} has no known value: all {len(y)} are NaN. Nothing can be learned of it; leave it out."
            )
        present = ~(np.isnan(x).all(axis=1) & np.isnan(y).all(axis=1))
        if present.all():
            return None
        warn_user(f"{int((~present).sum())} of {len(y)} rows hold nothing but NaN, and are left out.")
        return present

    def _check_target(self, y):
        """Float64 y (n, q); its shape and column names are remembered, so that predictions can take them."""
        names = get_feature_names(y) if is_frame(y) else None
        series_name: object = getattr(y, "name", None)
        columns = self._target_columns(y, "y")
        self._y_shape = columns.shape[1:]
        columns = columns.reshape(len(columns), -1)
        self._output_names = None if names is None else [str(name) for name in names]
        if not self._y_shape and isinstance(series_name, str):
            self._output_names = [series_name]
        shown = columns if columns.shape[1] > 1 else columns[:, 0]
        require_finite("y", shown, self._output_names, missing_allowed=self._handles_missing)
        require_moderate("y", columns)
        return columns

    def _target_columns(self, y, name):
        """Float64 (n,) or (n, q), not looked at for NaN; of as many columns as were fitted, once fitted."""
        y = read_target(name, y)
        y = check_array(y, ensure_2d=False, ensure_all_finite=False, input_name=name, dtype="numeric", allow_nd=True)
        if y.ndim > 2 or (y.ndim == 2 and not 1 <= y.shape[1] <= MOST_OUTPUTS):
            raise ValueError(f"{name} must have shape (n,) or (n, q) with q <= {MOST_OUTPUTS}; got {y.shape}.")
        return y.astype(np.float64, copy=False)

    def _check_known_target(self, y, name, *, missing_allowed=False):
        """Float64 (n, q), finite but for gaps, of as many columns as were fitted."""
        y = self._target_columns(y, name)
        y = y.reshape(len(y), -1)
        if y.shape[1] != self._y_scaler.scale.size:
            raise ValueError(f"{name} must have {self._y_scaler.scale.size} columns, as in fit; got {y.shape[1]}.")
        require_finite(name, y if y.shape[1] > 1 else y[:, 0], self._output_names, missing_allowed=missing_allowed)
        return y

    def _row_dtype(self):
        """What the fit computes in: standardised inputs and weights are kept in no more."""
        return np.float64

    def _in_given_order(self, values):
        """Values (n,) of the rows that were trained on, at the places where they were given; nan at weights of 0."""
        if self._present is None:
            return values
        result = np.full(len(self._present), np.nan)
        result[self._present] = values
        return result

    def _check_validation_data(self, X_val, y_val):
        """Standardised `TrainingRows` of the caller's validation data, or None."""
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise ValueError(
                f"Give both X_val and y_val, or neither; {'X_val' if X_val is None else 'y_val'} is missing."
            )
        x = self._check_inputs(X_val, name="X_val")
        y = self._check_known_target(y_val, "y_val")
        _require_same_length("X_val", x, "y_val", y)
        return TrainingRows(self._standardised_inputs(x), self._standardised_outputs(y), np.ones(len(y)))

    def _check_inputs(self, X, name="X"):
        """Float64 model inputs (n, e) of a table with the fitted schema: NaN in its gaps."""
        try:
            return self._schema.encode(self._read_inputs(X, reset=False, name=name))
        except ValueError as error:
            raise ValueError(str(error) if name in str(error) else f"{name}: {error}") from None

    def _read_inputs(self, X, *, reset, name="X") -> RawTable:
        """X as float64 with NaN in gaps, of as many columns, by the same names, as in fit."""
        named = self.categorical_features if reset else self._schema.positions_of_categories
        least = 2 if reset else 1
        if is_frame(X) or (not isinstance(named, str) and np.ndim(X) == 2):
            validate_data(self, X, skip_check_array=True, reset=reset)
        table = read_table(name, X, named)
        if table is None:
            values = validate_data(
                self, X, dtype=np.float64, ensure_all_finite=False, ensure_min_samples=least, reset=reset
            )
            names = getattr(self, "feature_names_in_", None)
            table = RawTable(values, None if names is None else list(names), {})
        else:
            check_array(table.values, ensure_all_finite=False, ensure_min_samples=least, estimator=self)
        require_finite(name, table.values, table.names, missing_allowed=True)
        return table

    def _standardised_inputs(self, x, dtype=np.float64):
        """Standardised model inputs; where gaps are not integrated out, they become 0, the middle of their column."""
        x = self._x_scaler.transform(x, dtype)
        if not self._handles_missing:
            x[np.isnan(x)] = 0.0
        return x

    def _transformed(self, y):
        """Targets y (n, q) on the scale of `y_transform`."""
        if self._y_transform is None:
            return y
        self._y_transform.check(y)
        return self._y_transform.forward(y)

    def _standardised_outputs(self, y):
        return self._y_scaler.transform(self._transformed(y))

    def _restored_outputs(self, z):
        """Targets in data units from standardised z (n, q)."""
        u = z * self._y_scaler.scale + self._y_scaler.center
        return u if self._y_transform is None else self._y_transform.inverse(u)

    def _log_units_of_y(self, z):
        """What a log density of standardised z (n, q) loses in data units, (n,): log scales, less that of the Jacobian."""
        units = (~np.isnan(z)) @ np.log(self._y_scaler.scale)
        if self._y_transform is None:
            return units
        return units - np.nansum(self._y_transform.log_derivative(self._restored_outputs(z)), axis=1)

    def _restored(self, dist):
        """The distribution in data units of a standardised one."""
        dist = self._y_scaler.restore(dist, self._output_names)
        return dist if self._y_transform is None else TransformedMixture(dist, self._y_transform)

    # -------------------------------------------------------------------------------------------------- predicting
    def predict_dist(self, X, *, outside="ignore") -> Mixture:
        """The distribution of y given each row of X.

        Parameters
        ----------
        X : array-like or data frame (n, d)
        outside : {'ignore', 'deficient', 'prior', 'warn', 'raise'}
            What to do where X has no data. 'deficient' multiplies the weights by a gate g(x), so that `Mixture.mass` falls from
            1 to 0 away from the data, and draws are NaN there; rows like the training rows keep 99 % of their mass on average.
            'prior' fills the missing mass with the marginal of y, its components twice as wide. 'warn' and 'raise' tell of rows
            that are rarer than every calibration row, and change nothing.

        Returns
        -------
        Mixture
            n rows, in data units; with `y_transform`, a `TransformedMixture`.

        Raises
        ------
        sklearn.exceptions.NotFittedError, ValueError
        """
        check_is_fitted(self)
        X = self._check_inputs(X)
        x = self._standardised_inputs(X)
        dist = self._predict_standardised(x)
        if outside != "ignore":
            dist = self._beyond_data(dist, X, x, outside)
        return self._restored(dist)

    def predict(self, X):
        """Conditional mean of y, in the shape of the y that was fitted: (n,), (n, 1) or (n, q)."""
        mean = self.predict_dist(X).mean()
        return mean.reshape(len(mean), *self._y_shape)

    def predict_quantiles(self, X, levels=(0.05, 0.5, 0.95)):
        """Conditional quantiles, exact: (n, m) for m levels in [0, 1]."""
        return self.predict_dist(X).ppf(np.atleast_1d(levels))

    def predict_interval(self, X, level=0.9):
        """Central interval of the given level, (n, 2)."""
        return self.predict_dist(X).interval(level)

    def sample(self, X, n_samples=1, *, random_state=None, outside="ignore"):
        """Draw y from p(y | x) for each row of X, (n, n_samples) or, of several outputs, (n, n_samples, q).

        An integer `random_state` gives the same draws every time; None gives new ones. `outside` is as for `predict_dist`: with
        'deficient', draws are NaN where nothing is known.
        """
        return self.predict_dist(X, outside=outside).sample(n_samples, random_state=random_state)

    def score_samples(self, X, y=None):
        """Log p(y | x) of every row, (n,), in nats per unit of y.

        Without y, of the model's own point prediction, `predict(X)`: how sure it is of it. (scikit-learn's contract calls
        every `score_samples` with X alone.)
        """
        dist = self.predict_dist(X)
        if y is None:
            return dist.logpdf(dist.mean())
        y = self._check_known_target(y, "y")
        _require_same_length("X", dist, "y", y)
        return dist.logpdf(y if y.shape[1] > 1 else y[:, 0])

    def score(self, X, y, sample_weight=None):
        """Mean of log p(y | x) in nats: larger is better. Not R²."""
        row_scores = self.score_samples(X, y)
        if sample_weight is None:
            return float(np.mean(row_scores))
        weight = check_sample_weight(sample_weight, row_scores, dtype=np.float64, ensure_non_negative=True)
        if not weight.any():
            raise ValueError(f"sample_weight must be positive in at least one row; it is 0 in all {len(weight)}.")
        return float(np.average(row_scores, weights=weight / weight.max()))

    # ------------------------------------------------------------------------------------------------------- files
    def save(self, path):
        """Write the fitted model to one file, which `condensity.load` reads and which holds no code.

        Callback and checkpoint are left out, as is a random_state that is not an integer.

        Parameters
        ----------
        path : path-like
            Replaced only once the new file is whole and on the disk.

        Returns
        -------
        pathlib.Path
            Absolute.

        Raises
        ------
        sklearn.exceptions.NotFittedError
        OSError
            If the path cannot be written.
        TypeError
            For hyper-parameters that are functions.
        """
        return save_model(self, path)

    def _check_loaded(self):
        """Refuse parts that do not belong together, by a prediction among others. ValueError or what NumPy raises."""
        e, q = self._x_scaler.scale.size, self._y_scaler.scale.size
        if not (len(self._schema.encoded_names) == e and self.n_features_in_ == self._schema.n_features):
            raise ValueError("columns of X")
        if self._y_shape not in ((), (q,)) or (self._output_names is not None and len(self._output_names) != q):
            raise ValueError("columns of y")
        dist = self._predict_standardised(np.zeros((1, e)))
        if dist.n_outputs != q or not np.isfinite(dist.mean()).all():
            raise ValueError("outputs")
        if self._inputs is not None:
            self._inputs.scores(np.zeros((1, e)))
        if self._support is not None:
            self._beyond_data(dist, np.zeros((1, e)), np.zeros((1, e)), "prior")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.regressor_tags.poor_score = True  # the score is a log density, where scikit-learn expects R²
        return tags


def _require_same_length(x_name, x, y_name, y):
    if len(x) != len(y):
        raise ValueError(f"{x_name} and {y_name} must have as many rows; got {len(x)} and {len(y)}.")
