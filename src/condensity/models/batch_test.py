"""Test whether a batch of rows is like the calibration rows, by the log densities of both.

Two looks at the batch, each with a share of the false-alarm rate:

* Of n rows like m calibration rows, the number with a lower score than the k-th lowest calibration score is beta-binomial with
  parameters n, k and m + 1 − k, whatever the scores' distribution. Shifts of many rows show at k of 1, 5, 20 and 50 % of m.
* A row far below all calibration scores shows by the generalised Pareto tail of these, times n.

References
----------
Bates, Candès, Lei, Romano & Sesia (2023), "Testing for outliers with conformal p-values", Annals of Statistics 51.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import betabinom

from condensity.models.inverse_sampling import fit_generalized_pareto

#: Probability at most with which a batch like the calibration rows is told of: ALARM_OF_TAIL for its farthest row, ALARM_OF_SHIFT
#: at each of SHARES; what is left is for densities that were fitted to the calibration rows (by cross-fits).
FALSE_ALARM, ALARM_OF_TAIL, ALARM_OF_SHIFT = 0.05, 0.001, 0.0025
SHARES = (0.01, 0.05, 0.2, 0.5)

#: Share of the calibration scores that is their tail, the fewest that a tail is fitted to, and the lightest tail.
TAIL_SHARE, MIN_TAIL_ROWS, MIN_SHAPE = 0.2, 10, 0.1


class Verdict(NamedTuple):
    """Rows of a batch that are told of, and why, as a part of a sentence."""

    rows: np.ndarray
    words: str


def judge(scores: np.ndarray, calibration: np.ndarray) -> Verdict | None:
    """What is strange about a batch; None where nothing is.

    Parameters
    ----------
    scores : ndarray (n,)
        Log densities of the batch; −inf for rows that differ from a column that was constant.
    calibration : ndarray (m,)
        Log densities of the calibration rows, ascending.

    Examples
    --------
    >>> import numpy as np
    >>> calibration = np.sort(-np.random.default_rng(0).exponential(size=300))
    >>> judge(calibration[::10], calibration) is None, judge(np.array([-100.0]), calibration).rows
    (True, array([0]))
    """
    if not len(scores):
        return None
    far = np.flatnonzero(len(scores) * _tail_probability(scores, calibration) <= ALARM_OF_TAIL)
    if len(far):
        return Verdict(far, f"far rarer than every one of the {len(calibration)} calibration rows")
    return _shift(scores, calibration)


def _shift(scores: np.ndarray, calibration: np.ndarray) -> Verdict | None:
    """The clearest shift of many rows, if one is clear."""
    n, m = len(scores), len(calibration)
    ranks = np.searchsorted(calibration, scores, side="right")
    best, least = None, ALARM_OF_SHIFT
    for share in SHARES:
        k = int(share * (m + 1))
        rare = np.flatnonzero(ranks < k)
        p_value = float(betabinom.sf(len(rare) - 1, n, k, m + 1 - k)) if k and len(rare) else 1.0
        if p_value <= least:
            words = (
                f"rarer than the rarest {share:.0%} of the calibration rows, where {n * k / (m + 1):.3g} are expected"
            )
            best, least = Verdict(rare, f"{words} (P = {p_value:.1g})"), p_value
    return best


def _tail_probability(scores: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """Probability (n,) that a row like the calibration rows has as low a score; 1 above their tail, and where these are few."""
    m = len(calibration)
    n_tail = max(MIN_TAIL_ROWS, int(TAIL_SHARE * m))
    if n_tail >= m or calibration[0] == calibration[n_tail]:
        return np.where(np.isneginf(scores), 0.0, 1.0)
    threshold = calibration[n_tail]
    excess = np.sort(threshold - calibration[:n_tail])
    shape, scale = fit_generalized_pareto(np.maximum(excess, 1e-9 * excess[-1]))
    shape += 2.0 * (1.0 + abs(shape)) / np.sqrt(n_tail)  # two standard errors heavier than it seems
    shape = max(shape, MIN_SHAPE)
    beyond = np.maximum(threshold - scores, 0.0) / scale
    with np.errstate(over="ignore"):
        return np.where(scores < threshold, n_tail / m * (1.0 + shape * beyond) ** (-1.0 / shape), 1.0)
