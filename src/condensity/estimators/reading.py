"""What users give as X, y and sample_weight, checked and turned into float arrays."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_consistent_length

from condensity._sklearn_compat import check_sample_weight
from condensity.data import RawTable, Schema, is_frame, read_table, read_target, require_finite, require_moderate
from condensity.data.columns import frame_names, target_names
from condensity.data.doors import masked_columns, open_table, refuse_mask
from condensity.data.encoders import TargetEncoder
from condensity.data.frame import column_names
from condensity.data.names import require_same_columns
from condensity.warning import warn_user

#: More outputs than this are refused: a full covariance has as many parameters as their square.
MAX_OUTPUTS = 100


class Target(NamedTuple):
    """Targets as numbers, with what predictions need to give them back.

    Attributes
    ----------
    values : ndarray (n, q) float64
    names : tuple of str or None
    shape : tuple of int
        Of one row, as it was given: (), (1,) or (q,).
    """

    values: np.ndarray
    names: tuple[str, ...] | None
    shape: tuple[int, ...]


class Weights(NamedTuple):
    """Sample weights of the rows that count.

    Attributes
    ----------
    present : bool ndarray (n,) or None
        Rows that are used; None: all.
    values : ndarray
        Weights of these, with mean one.
    """

    present: np.ndarray | None
    values: np.ndarray

    @property
    def n_rows(self) -> int:
        """Number of all rows, n."""
        return len(self.values) if self.present is None else len(self.present)

    def select(self, rows: np.ndarray) -> np.ndarray:
        """Those of the rows (n, …) that are used."""
        return rows if self.present is None else rows[self.present]

    def scatter(self, values: np.ndarray) -> np.ndarray:
        """Values (n,) in the order of all rows, from values (m,) of the rows that are used; NaN elsewhere."""
        if self.present is None:
            return values
        result = np.full(len(self.present), np.nan)
        result[self.present] = values
        return result


def read_inputs(
    estimator: BaseEstimator, X: Any, categorical_features: Any, *, name: str = "X", schema: Schema | None = None
) -> RawTable:
    """X as float64 with NaN where a value is missing, of the columns of `fit` by number and name.

    Parameters
    ----------
    estimator : estimator
        Whose `n_features_in_` and `feature_names_in_` are set in a fit.
    X : array-like (n, d) or data frame
    categorical_features : 'from_dtype' or array-like (c,)
    name : str
        Of the argument, for messages.
    schema : Schema, optional
        Columns of the fit, which X must have; None: this is the table of a fit.
    """
    masked, X = masked_columns(X), open_table(name, X)
    if schema is not None and (is_frame(X) or (not isinstance(categorical_features, str) and np.ndim(X) == 2)):
        _require_columns(estimator, schema, frame_names(name, X), np.shape(X)[1])
    table = read_table(name, X, categorical_features)
    is_table = table is not None
    values = check_array(
        X if table is None else table.values,
        dtype=np.float64,
        ensure_all_finite=False,
        ensure_min_samples=2 if schema is None else 1,
        estimator=estimator,
        input_name=name,
    )
    table = table or RawTable(values, None, {})
    if schema is None:
        _set_features(estimator, X, values.shape[1])
    elif not is_table:
        _require_columns(estimator, schema, None, values.shape[1])
    if masked is not None and schema is not None:
        schema.require_mask_of_fit(masked)
    require_finite(name, values, table.names, missing_allowed=True)
    return table


def _require_columns(estimator: BaseEstimator, schema: Schema, names: Sequence[str] | None, d: int) -> None:
    require_same_columns(names, d, schema.names, schema.n_features, type(estimator).__name__)


def _set_features(estimator: BaseEstimator, X: Any, d: int) -> None:
    """Attributes that scikit-learn promises: the number of columns, and their names where these are text."""
    estimator.n_features_in_ = d
    estimator.__dict__.pop("feature_names_in_", None)
    names = column_names(X) if is_frame(X) else []
    if names and all(isinstance(column, str) for column in names):
        estimator.feature_names_in_ = np.array(names, dtype=object)


def read_training_target(y: Any, *, missing_allowed: bool) -> Target:
    """Targets y (n,) or (n, q) of a fit, with their names and shape; NaN only if `missing_allowed`.

    Raises
    ------
    ValueError
        For text, too many columns, values that are not finite, and magnitudes beyond float64's room for quantiles.
    """
    refuse_mask("y", y, "drop these rows, or write y.filled(numpy.nan) for a model that learns from rows without y")
    y = open_table("y", y)
    values = _target_values(y, "y")
    shape = values.shape[1:]
    values = values.reshape(len(values), -1)
    output_names = target_names(y)
    _require_finite_target("y", values, output_names, missing_allowed)
    require_moderate("y", values)
    return Target(values, output_names, shape)


def read_known_target(y: Any, target: TargetEncoder, name: str, *, missing_allowed: bool = False) -> np.ndarray:
    """Targets (n, q) of a fitted model from y (n,) or (n, q), called `name` in errors, with the columns of the fitted `target`.

    They must be finite, or NaN if `missing_allowed`.
    """
    values = _target_values(y, name)
    values = values.reshape(len(values), -1)
    if values.shape[1] != target.n_outputs:
        raise ValueError(f"{name} must have {target.n_outputs} columns, as in fit; got {values.shape[1]}.")
    _require_finite_target(name, values, target.names, missing_allowed)
    return values


def read_lone_target(y: npt.ArrayLike, q: int, *, missing_allowed: bool = False) -> np.ndarray:
    """Targets (n, q) given without inputs: y a number, (n,), (q,) or (n, q); NaN only if `missing_allowed`."""
    values = np.asarray(read_target("y", y), dtype=float)
    if values.ndim < 2:
        values = values.reshape(-1, 1) if q == 1 else values[None]
    if values.ndim != 2 or values.shape[1] != q:
        raise ValueError(f"y must have shape (n,) or (n, 1), or (n, q) for q = {q} outputs; got {values.shape}.")
    if (np.isinf(values) if missing_allowed else ~np.isfinite(values)).any():
        rest = ", or NaN where it is not known" if missing_allowed else ""
        raise ValueError(f"y must be finite{rest}; got {values[~np.isfinite(values)][0]}.")
    return values


def read_weights(x: np.ndarray, y: np.ndarray, sample_weight: Any, *, handles_missing: bool) -> Weights:
    """Weights of model inputs x (n, e) and targets y (n, q), from sample_weight (n,) or None; rows of weight zero are left out.

    A model that `handles_missing` also leaves out rows without any observed value.
    """
    check_consistent_length(x, y)
    present = _rows_with_values(x, y) if handles_missing else None
    if sample_weight is None and present is None:
        return Weights(None, np.ones(len(y)))
    weight = np.ones(len(y))
    if sample_weight is not None:
        weight = _checked_weights(sample_weight, x)
    present = weight > 0 if present is None else present & (weight > 0)
    if present.sum() < 2:
        raise ValueError(
            f"sample_weight must be non-zero in at least 2 rows; it is in {int(present.sum())} of {len(y)}."
        )
    weight = weight[present] / weight.max()  # so that the sum cannot overflow
    return Weights(present, weight / weight.mean())


def average(row_scores: np.ndarray, sample_weight: Any) -> float:
    """Mean of row_scores (n,), weighted by sample_weight (n,), or by 1 if it is None."""
    if sample_weight is None:
        return float(np.mean(row_scores))
    weight = _checked_weights(sample_weight, row_scores)
    if not weight.any():
        raise ValueError(f"sample_weight must be positive in at least one row; it is 0 in all {len(weight)}.")
    return float(np.average(row_scores, weights=weight / weight.max()))


def require_same_length(x_name: str, x: Any, y_name: str, y: Any) -> None:
    """Refuse x (n, …) and y (m, …) of different numbers of rows; errors call them `x_name` and `y_name`."""
    if len(x) != len(y):
        raise ValueError(f"{x_name} and {y_name} must have as many rows; got {len(x)} and {len(y)}.")


def _checked_weights(sample_weight: Any, rows: np.ndarray) -> np.ndarray:
    """Weights (n,) ≥ 0 of n rows."""
    refuse_mask("sample_weight", sample_weight, "give every row a weight, 0 where it is not to count")
    weights = read_target("sample_weight", sample_weight)
    return check_sample_weight(weights, rows, dtype=np.float64, ensure_non_negative=True)


def _target_values(y: Any, name: str) -> np.ndarray:
    """Float64 (n,) or (n, q), not checked for NaN."""
    y = read_target(name, y)
    y = check_array(y, ensure_2d=False, ensure_all_finite=False, input_name=name, dtype="numeric", allow_nd=True)
    if y.ndim > 2 or (y.ndim == 2 and not 1 <= y.shape[1] <= MAX_OUTPUTS):
        raise ValueError(f"{name} must have shape (n,) or (n, q) with q <= {MAX_OUTPUTS}; got {y.shape}.")
    return y.astype(np.float64, copy=False)


def _require_finite_target(name: str, y: np.ndarray, names: tuple[str, ...] | None, missing_allowed: bool) -> None:
    require_finite(name, y if y.shape[1] > 1 else y[:, 0], names, missing_allowed=missing_allowed)


def _rows_with_values(x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    """Rows (n,) with any observed value; None if all have one. Every column of y must have one."""
    if not (np.isnan(x).any() or np.isnan(y).any()):
        return None
    unknown = np.isnan(y).all(axis=0)
    if unknown.any():
        column = "y" if y.shape[1] == 1 else f"Column {int(np.argmax(unknown))} of y"
        raise ValueError(
            f"{column} has no known value: all {len(y)} are NaN. Nothing can be learned of it; leave it out."
        )
    present = ~(np.isnan(x).all(axis=1) & np.isnan(y).all(axis=1))
    if present.all():
        return None
    warn_user(f"{int((~present).sum())} of {len(y)} rows hold nothing but NaN, and are left out.")
    return present
