"""Which rows are held out: one random part when there are rows to spare, folds when there are not."""

import numpy as np

#: Below this many rows a single held-out part is too small to decide anything on.
SMALL_N = 300
N_FOLDS = 5
MIN_HELD_OUT_ROWS = 50


def held_out_splits(n, fraction, rng) -> list:
    """Pairs (kept, held-out) of row indices: one random split, or `N_FOLDS` folds below `SMALL_N` rows.

    Parameters
    ----------
    n : int
        Rows, at least 2.
    fraction : float
        Share of a single held-out part, which has `MIN_HELD_OUT_ROWS` rows at least.
    rng : numpy Generator
    """
    if n < SMALL_N:
        return fold_splits(n, min(N_FOLDS, n), rng)
    order = _permutation(n, rng)
    n_held_out = min(max(MIN_HELD_OUT_ROWS, round(fraction * n)), n - 1)
    return [(order[n_held_out:], order[:n_held_out])]


def fold_splits(n, n_members, rng) -> list:
    """A split for each member of an ensemble: fold after fold of as many random partitions as it takes."""
    folds = min(N_FOLDS, n)
    pairs: list[tuple] = []
    while len(pairs) < n_members:
        parts = np.array_split(_permutation(n, rng), folds)
        pairs += [(np.concatenate(parts[:j] + parts[j + 1 :]), part) for j, part in enumerate(parts)]
    return pairs[:n_members]


def _permutation(n, rng):
    """A random order of n rows, in half of the memory where that will do."""
    return rng.permutation(n).astype(np.uint32 if n < 2**32 else np.int64)
