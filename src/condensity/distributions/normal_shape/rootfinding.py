"""Row-wise mixtures in unit-free form, blocks of rows, padding, and safeguarded Newton steps on many roots at once."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

#: Temporaries of one block of rows, in float64 numbers (32 MB), and of one tile that stays in the cache (4 MB).
BLOCK_NUMBERS, TILE_NUMBERS = 4_000_000, 500_000

#: Halving the widest double interval down to neighbouring floats takes 2100 steps.
MAX_HALVINGS = 2200

#: Newton's error is squared by a step, so that after one shorter than this times σ nothing is left to gain.
UNCHECKED = 1e-10

#: Larger standardised distances are cut here: far beyond underflow of the density, far below overflow of the cube.
MAX_Z = 1e100


class Terms(NamedTuple):
    """Mixtures in unit-free form; every array is (K, n), one column for each mixture or for each point.

    Components come first, so that sums over them add long vectors instead of many short ones (2x faster at K = 10).

    `log_heights` are log(w_k / σ_k) less their largest; `ratios` are min σ / σ_k, so that every slope is in units of
    one height per smallest σ. Empty components are copies of the row's heaviest with log height −inf.
    """

    log_heights: np.ndarray
    means: np.ndarray
    scales: np.ndarray
    ratios: np.ndarray

    def take(self, rows: np.ndarray | slice) -> "Terms":
        """The mixtures of rows (r,), which may repeat."""
        return Terms(*(array[:, rows] for array in self))


#: (x (a,), active (a,), terms (K, a)) -> (below, move, done), each (a,); see `newton_in_brackets`.
Step = Callable[[np.ndarray, np.ndarray, Terms], tuple[np.ndarray, np.ndarray, np.ndarray]]


def standard_terms(log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray) -> Terms:
    """Terms of log_weights, means and scales (n, K), with empty components made harmless."""
    empty = np.isneginf(log_weights)
    if empty.any():
        heaviest = np.argmax(log_weights, axis=1)[:, None]
        means = np.where(empty, np.take_along_axis(means, heaviest, axis=1), means)
        scales = np.where(empty, np.take_along_axis(scales, heaviest, axis=1), scales)
    smallest = scales.min(axis=1, keepdims=True)
    log_heights = log_weights - np.log(scales / smallest)
    log_heights -= log_heights.max(axis=1, keepdims=True)
    return Terms(*(np.ascontiguousarray(array.T) for array in (log_heights, means, scales, smallest / scales)))


def standardised(terms: Terms, y: np.ndarray) -> np.ndarray:
    """z_k, (K, n) or (K, n, m), of terms (K, n) at points y, (n,) or (n, m); clipped so that powers of it stay finite."""
    means, scales = (v if y.ndim == 1 else v[:, :, None] for v in (terms.means, terms.scales))
    with np.errstate(over="ignore"):
        z: np.ndarray = y - means
        z /= scales
    np.maximum(z, -MAX_Z, out=z)
    return np.minimum(z, MAX_Z, out=z)


def row_blocks(n: int, numbers_per_row: int, limit: int = BLOCK_NUMBERS) -> list[slice]:
    """Slices of n rows whose temporaries, of numbers_per_row float64, stay within `limit` of them."""
    size = max(1, int(limit // max(numbers_per_row, 1)))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def pad_rows(rows: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Flat values (r,) laid out by their rows (r,), ascending: (n, J), NaN beyond each row's last."""
    counts = np.bincount(rows, minlength=n)
    table = np.full((n, int(counts.max(initial=0))), np.nan)
    first = np.cumsum(counts) - counts
    table[rows, np.arange(rows.size) - first[rows]] = values
    return table


def newton_in_brackets(
    step: Step, terms: Terms, left: np.ndarray, right: np.ndarray, start: np.ndarray, *, unchecked: float = 0.0
) -> np.ndarray:
    """Roots of many functions at once: Newton steps, halving where one leaves its bracket or hardly shrinks.

    Parameters
    ----------
    step : callable (x (a,), active (a,), terms (K, a)) -> (below, move, done), each (a,)
        Whether the root lies at or above x, the Newton step, and whether x is as good as rounding allows.
    terms : Terms of (K, r)
    left, right, start : ndarray (r,)
    unchecked : float
        A safe step shorter than this times the smallest σ is the last, and its end is not evaluated.

    Returns
    -------
    ndarray (r,)
    """
    root = start.astype(float)
    active = np.flatnonzero(right > left)
    root[right <= left] = left[right <= left]
    here, (low, high, x) = terms.take(active), (v[active].astype(float) for v in (left, right, start))
    last, going = high - low, np.ones(active.size, dtype=bool)
    for _ in range(MAX_HALVINGS):
        if not active.size:
            break
        below, move, done = step(x, active, here)
        low, high = np.where(below, x, low), np.where(below, high, x)
        root[active[going]] = x[going]
        with np.errstate(invalid="ignore"):
            target = x + move
            # A step that falls out by little means a root at that end: the end's neighbour settles it.
            graze = 1e-3 * np.abs(move)
            target = np.where((target <= low) & (target > low - graze), np.nextafter(low, high), target)
            target = np.where((target >= high) & (target < high + graze), np.nextafter(high, low), target)
            # NaN compares false, so that a step that is not a number is not safe.
            safe = (target > low) & (target < high) & (np.abs(move) <= 0.75 * last)
            tiny = np.abs(move) <= np.spacing(np.abs(x))
            short = safe & going & (np.abs(move) < unchecked * here.scales.min(axis=0))
        root[active[short]] = target[short]
        target = np.where(safe, target, low + 0.5 * (high - low))
        last = np.where(safe, np.abs(move), high - low)
        going &= ~(short | done | tiny | (target == low) | (target == high))
        x = np.where(going, target, x)  # a finished root waits
        if np.count_nonzero(going) < 0.8 * active.size:  # copying costs as much as a step
            active, low, high, x, last = (v[going] for v in (active, low, high, x, last))
            here, going = here.take(going), going[going]
    return root


def stack_rows(tables: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Stack NaN-padded tables (m, J) of different widths J to n rows, one column at least."""
    stacked = np.full((n, max((table.shape[1] for table in tables), default=1)), np.nan)
    start = 0
    for table in tables:
        stacked[start : start + len(table), : table.shape[1]] = table
        start += len(table)
    return stacked
