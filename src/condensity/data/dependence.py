"""Evidence that rows belong together: what predicts a target far better than rows that are merely alike in x.

The part of y that is not linear in x is predicted twice: from mates (rows of the same x, rows with the same value of a column,
rows next in order), and from the nearest rows in x that are no mates. Independent rows, on a grid of x, rounded or sorted, are
predicted about as well by both. Where mates leave a fraction of the error that others leave, and others leave much, mates share
what x does not explain, and held-out rows with mates among the kept ones are no test of predictions for new ones.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from condensity.warning import warn_user

#: Mates are suspicious where their mean squared error is below the first share of that of others, and that of others above the
#: second share of var(y).
MAX_SHARE_OF_MATES, MIN_SHARE_OF_OTHERS = 0.4, 0.25

#: Sets of mates at least, rows that they hold on average at least, and neighbouring sets from which one is predicted.
MIN_SETS, MIN_ROWS_PER_SET, N_NEAREST = 15, 3.0, 3

#: Rows that are looked at, from the first; rows at least where their order is; and the rows on both sides that count as near.
MAX_ROWS, MIN_ROWS_IN_ORDER, NEAR_IN_ORDER = 5000, 200, 10

#: A column with this share of its steps in one direction is sorted, which makes rows next in order alike.
SORTED_SHARE = 0.95


def warn_about_dependence(x: np.ndarray, y: np.ndarray, columns: Sequence[str] | None = None) -> None:
    """Warn of rows of standardised x (n, d) and y (n, q) that seem to belong together; `columns` names those of x."""
    x, y = np.asarray(x[:MAX_ROWS], dtype=float), np.asarray(y[:MAX_ROWS], dtype=float)
    complete = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    x, y = x[complete], y[complete]
    if len(y) < MIN_SETS * MIN_ROWS_PER_SET or len(y) <= 5 * x.shape[1]:
        return
    rest = _not_linear(x, y)
    labels = [str(j) if columns is None else repr(str(columns[j])) for j in range(x.shape[1])]
    message = _repeated_rows(x, y, rest) or _identifier(x, y, rest, labels) or _order(x, y, rest)
    if message:
        warn_user(message)


def _repeated_rows(x: np.ndarray, y: np.ndarray, rest: np.ndarray) -> str | None:
    """Sentence about rows of the same x, unless columns of few values are crossed; None where there is nothing to say."""
    _, first, label = np.unique(
        x @ np.random.default_rng(0).normal(size=x.shape[1]), return_index=True, return_inverse=True
    )
    crossed = max(len(np.unique(column)) for column in x[first].T) < len(first) / 2
    if crossed or not _sets_share_something(y, rest, label, x[first]):
        return None
    return (
        f"Rows seem to belong together: {len(y)} rows have only {len(first)} different x, and rows of the same x have targets "
        "far more alike than x explains. Held-out rows are then no test for new x: give fit groups=, a label for each row, "
        "such as the patient it is of."
    )


def _identifier(x: np.ndarray, y: np.ndarray, rest: np.ndarray, labels: Sequence[str]) -> str | None:
    """Sentence about a column whose values name sets of rows, such as a number of a patient; None where there is none."""
    for j, column in enumerate(x.T):
        values, label = np.unique(column, return_inverse=True)
        if _sets_share_something(y, rest, label, values[:, None]):
            return (
                f"Rows seem to belong together: rows of the same value of column {labels[j]} have targets far more alike than "
                "those of neighbouring values, as with a number of a patient. If predictions are for new values, leave it "
                "out of X and give it to fit as groups=."
            )
    return None


def _order(x: np.ndarray, y: np.ndarray, rest: np.ndarray) -> str | None:
    """Sentence about rows that resemble the next ones, in tables that are not sorted; None where there is nothing to say."""
    n = len(y)
    if n < MIN_ROWS_IN_ORDER or any(_is_sorted(column) for column in (*x.T, *y.T)):
        return None
    from_next = rest[1:-1] - (rest[:-2] + rest[2:]) / 2
    if not _is_suspicious(
        from_next, 1.5 * rest, y
    ):  # more than others can leave: spares most tables the search for neighbours
        return None
    _, nearest = cKDTree(x).query(x[1:-1], k=2 * NEAR_IN_ORDER + N_NEAREST + 1)
    far = np.abs(nearest - np.arange(1, n - 1)[:, None]) > NEAR_IN_ORDER
    chosen = far & (np.cumsum(far, axis=1) <= N_NEAREST)
    in_x = np.einsum("nk,nkq->nq", chosen, rest[nearest]) / chosen.sum(axis=1)[:, None]
    if not _is_suspicious(from_next, rest[1:-1] - in_x, y):
        return None
    return (
        "Rows seem to belong together: targets are far more like those of the next rows in order than x explains, as in a series "
        "in time. Held-out rows drawn at random are then no test for later ones: give cv=TimeSeriesSplit(), or fit groups=."
    )


def _sets_share_something(y: np.ndarray, rest: np.ndarray, label: np.ndarray, at: np.ndarray) -> bool:
    """Whether rows of a set, `label` (n,), predict each other's `rest` (n, q) of y better than sets near it in `at` (m, c) do."""
    m, count = len(at), np.bincount(label)
    if m < MIN_SETS or len(y) < MIN_ROWS_PER_SET * m:
        return False
    mean = np.column_stack([np.bincount(label, column) for column in rest.T]) / count[:, None]
    others = _interpolated(mean) if at.shape[1] == 1 else _nearest_mean(mean, at)
    used = (count[label] > 1) & np.isfinite(others[label, 0])
    without_itself = (count / np.maximum(count - 1, 1))[label, None]
    from_mates, from_others = without_itself * (rest - mean[label]), rest - others[label]
    return _is_suspicious(from_mates[used], from_others[used], y)


def _nearest_mean(mean: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Average (m, q) of the means (m, q) of the `N_NEAREST` sets nearest to each one in `at` (m, c)."""
    _, nearest = cKDTree(at).query(at, k=N_NEAREST + 1)
    average: np.ndarray = mean[nearest[:, 1:]].mean(axis=1)
    return average


def _interpolated(mean: np.ndarray) -> np.ndarray:
    """Cubic interpolation (m, q) of the means (m, q) of ordered sets from two on each side; NaN where there are fewer."""
    result = np.full(mean.shape, np.nan)
    result[2:-2] = (4.0 * (mean[1:-3] + mean[3:-1]) - mean[:-4] - mean[4:]) / 6.0
    return result


def _is_suspicious(from_mates: np.ndarray, from_others: np.ndarray, y: np.ndarray) -> bool:
    """Whether errors of predictions from mates (r, q) are far smaller than those from others, for an output of y (n, q)."""
    of_mates, of_others, total = (
        np.mean(part * part, axis=0) for part in (from_mates, from_others, y - y.mean(axis=0))
    )
    return bool(((of_mates < MAX_SHARE_OF_MATES * of_others) & (of_others > MIN_SHARE_OF_OTHERS * total)).any())


def _not_linear(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Residuals (n, q) of a linear regression of y on x, far targets held at the bulk."""
    design = np.column_stack([np.ones(len(x)), x])
    low, high = np.quantile(y, [0.01, 0.99], axis=0)
    y = np.clip(y, low, high)
    residuals: np.ndarray = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return residuals


def _is_sorted(column: np.ndarray) -> bool:
    """Whether nearly all steps between different values go one way."""
    steps = np.diff(column)
    up, down = int((steps > 0).sum()), int((steps < 0).sum())
    return max(up, down) >= SORTED_SHARE * max(up + down, 1)
