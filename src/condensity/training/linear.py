"""One normal with a linear mean: ridge regression, its strength chosen by leaving out rows, or groups of rows, in turn."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from condensity.data import OUTLIER_DISTANCE
from condensity.engines.types import Network, TrainingRows, unpack_layers
from condensity.training.predict import limit_inputs
from condensity.training.settings import MIN_SCALE

#: Fewer rows than this do not suffice for any network.
MIN_ROWS_FOR_NETWORK = 20

#: Strengths of the ridge that are compared, in rows: a coefficient of one standard deviation costs as much as in that many rows.
STRENGTHS = (*np.geomspace(0.1, 1e5, 13), np.inf)

#: Share of the rows that is left out at once where rows belong together and their groups are too many for folds.
HELD_OUT_SHARE = 0.2

#: Rows of a fit at most, and at most with as many columns.
MAX_ROWS, MAX_SQUARE = 20_000, 1000


def fit_linear_gaussian(rows: TrainingRows) -> tuple[np.ndarray, Network]:
    """Ridge regression of each output with residuals of one covariance, as (θ, network without hidden layers).

    Strengths have the smallest squared leave-one-out residuals, and the covariance is that of these residuals: with more columns
    than rows, those of the fit are nothing. Rows that belong together are left out together. Correlations are shrunk by the rule
    of Schäfer & Strimmer (2005). A single normal cannot set an outlier aside as a mixture does (one in 16 rows cost 12 nats):
    those of the warning are left out.

    Parameters
    ----------
    rows : TrainingRows
        Standardised; NaN in x counts as 0.
    """
    rows = _representative(rows)
    d, q = rows.x.shape[1], rows.y.shape[1]
    x, y = np.nan_to_num(limit_inputs(np.asarray(rows.x, dtype=float))), np.asarray(rows.y, dtype=float)
    weight = np.asarray(rows.weight, dtype=float)
    splits = None if rows.splitter is None else rows.splitter.held_out(HELD_OUT_SHARE, np.random.default_rng(0))
    coefficients, intercept, residuals = _ridge(x, y, weight, splits)
    network = Network(d, (), 1, "tanh", None, q)
    theta = np.zeros(network.n_parameters)
    weight, bias = unpack_layers(theta, network)[0]
    means = slice(1, 1 + q)
    weight[:, means], bias[means] = coefficients, intercept
    inverse = np.linalg.inv(np.linalg.cholesky(_shrunk_covariance(residuals)))  # D⁻¹ (I + C)
    bias[1 + q : 1 + 2 * q] = -np.log(np.diag(inverse))
    bias[1 + 2 * q :] = (inverse / np.diag(inverse)[:, None])[np.tril_indices(q, -1)]
    return theta, network


def describe_linear(rows: TrainingRows) -> str:
    """Outcome of a fit of one normal with a linear mean to `rows`, too few for a network."""
    text = (
        f"Fitted one normal with a linear mean: {len(rows.y)} rows are too few for a network "
        f"(fewer than {MIN_ROWS_FOR_NETWORK})."
    )
    n_outliers = int(len(rows.y) - _inliers(rows.y).sum())
    return text + (f" Left out as outliers: {n_outliers}." if n_outliers else "")


def _inliers(y: np.ndarray) -> np.ndarray:
    """Rows (n,) of standardised y (n, q) without an outlier."""
    return np.asarray((np.abs(y) <= OUTLIER_DISTANCE).all(axis=1))


def _representative(rows: TrainingRows) -> TrainingRows:
    """Rows without outliers and missing targets, and no more than a linear fit needs."""
    complete = _inliers(rows.y)
    if complete.any() and not complete.all():
        rows = rows.take(complete)
    most = MAX_ROWS if min(rows.x.shape) <= MAX_SQUARE else MAX_SQUARE
    return rows if len(rows.y) <= most else rows.take(slice(None, None, -(-len(rows.y) // most)))


def _ridge(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, splits: Sequence[tuple[np.ndarray, np.ndarray]] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients (d, q) and intercept (q,) of the best strengths, and weighted residuals (h, q) of rows left out.

    Each row is left out alone, or those of a split at once.
    """
    path = _RidgePath.of(x, y, weight)
    if splits is None:
        left_out = np.stack([path.left_out(strength) for strength in STRENGTHS])
    else:
        parts = [(_RidgePath.of(x[kept], y[kept], weight[kept]), out) for kept, out in splits]
        left_out = np.concatenate([part.residuals(x[out], y[out], weight[out]) for part, out in parts], axis=1)
    best = (left_out**2).sum(axis=1).argmin(axis=0)
    return *path.line(np.array(STRENGTHS)[best]), np.take_along_axis(left_out, best[None, None], axis=0)[0]


class _RidgePath(NamedTuple):
    """Ridge regressions of every strength, from one decomposition.

    Attributes
    ----------
    x : ndarray (n, d)
        Weighted, and about its mean.
    y : ndarray (n, q)
    x_mean : ndarray (d,)
    y_mean : ndarray (q,)
    share : ndarray (n,)
        Weights, which sum to one.
    squares : ndarray (r,)
        Singular values of x, squared.
    left : ndarray (n, r)
        Left singular vectors.
    right : ndarray (d, r) or None
        Right singular vectors; None with more columns than rows.
    projected : ndarray (r, q)
    """

    x: np.ndarray
    y: np.ndarray
    x_mean: np.ndarray
    y_mean: np.ndarray
    share: np.ndarray
    squares: np.ndarray
    left: np.ndarray
    right: np.ndarray | None
    projected: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> "_RidgePath":
        """Those of x (n, d) and y (n, q) of rows of `weight` (n,)."""
        share = weight / weight.sum()
        x_mean, y_mean, root = share @ x, share @ y, np.sqrt(weight)[:, None]
        x, y = root * (x - x_mean), root * (y - y_mean)
        dual = len(x) < x.shape[1]
        squares, vectors = np.linalg.eigh(x @ x.T if dual else x.T @ x)
        squares = np.maximum(squares, 0.0)
        informative = squares > squares[-1] * np.finfo(float).eps * len(squares)
        squares, vectors = squares[informative], vectors[:, informative]
        left = vectors if dual else x @ vectors / np.sqrt(squares)
        return cls(x, y, x_mean, y_mean, share, squares, left, None if dual else vectors, left.T @ y)

    def left_out(self, strength: float) -> np.ndarray:
        """Weighted residuals (n, q), each row left out in turn."""
        kept_share = self.squares / (self.squares + strength)
        leverage = np.minimum(self.left**2 @ kept_share + self.share, 1.0 - 1e-9)
        return (self.y - self.left @ (kept_share[:, None] * self.projected)) / (1.0 - leverage)[:, None]

    def line(self, strengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (d, q) and intercept (q,), each output with its own of the `strengths` (q,)."""
        kept = self.projected / (self.squares[:, None] + strengths)
        if self.right is None:
            coefficients = self.x.T @ (self.left @ kept)
        else:
            coefficients = self.right @ (np.sqrt(self.squares)[:, None] * kept)
        return coefficients, self.y_mean - self.x_mean @ coefficients

    def residuals(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Weighted residuals (strengths, h, q) of other rows x (h, d) and y (h, q), of `weight` (h,)."""
        lines = [self.line(np.full(y.shape[1], strength)) for strength in STRENGTHS]
        root = np.sqrt(weight)[:, None]
        return np.stack([root * (y - (x @ coefficients + intercept)) for coefficients, intercept in lines])


def _shrunk_covariance(residuals: np.ndarray) -> np.ndarray:
    """Covariance (q, q) of residuals (n, q), its correlations shrunk to zero by their own uncertainty."""
    n, q = residuals.shape
    deviations = np.maximum(np.sqrt((residuals**2).mean(axis=0)), MIN_SCALE)
    z = residuals / deviations
    correlation = z.T @ z / n
    if q > 1:
        uncertainty = ((z**2).T @ z**2 / n - correlation**2) / max(n - 1, 1)
        off = ~np.eye(q, dtype=bool)
        total = (correlation[off] ** 2).sum()
        correlation[off] *= 1.0 - min(uncertainty[off].sum() / total, 1.0) if total > 0 else 0.0
    np.fill_diagonal(correlation, 1.0)
    covariance: np.ndarray = correlation * np.outer(deviations, deviations)
    return covariance
