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
    order = rng.permutation(n)
    if n >= SMALL_N:
        n_held_out = min(max(MIN_HELD_OUT_ROWS, round(fraction * n)), n - 1)
        return [(order[n_held_out:], order[:n_held_out])]
    parts = np.array_split(order, min(N_FOLDS, n))
    return [(np.concatenate(parts[:j] + parts[j + 1 :]), part) for j, part in enumerate(parts)]
