"""Splits into kept and held-out rows: one random part of many rows, folds of few."""

import numpy as np

#: Kept and held-out row indices.
RowSplit = tuple[np.ndarray, np.ndarray]

#: Rows below which one held-out part is too small to choose by, so that folds are used.
MIN_ROWS_FOR_ONE_SPLIT = 300
N_FOLDS = 5
MIN_HELD_OUT_ROWS = 50


def held_out_splits(n: int, fraction: float, rng: np.random.Generator) -> list[RowSplit]:
    """Pairs (kept, held-out) of row indices: one random split, or `N_FOLDS` folds below `MIN_ROWS_FOR_ONE_SPLIT` rows.

    Parameters
    ----------
    n : int
        Rows, at least 2.
    fraction : float
        Share of a single held-out part, which has `MIN_HELD_OUT_ROWS` rows at least.
    rng : numpy Generator

    Examples
    --------
    >>> import numpy as np
    >>> from condensity.data.splitting import held_out_splits
    >>> [(len(kept), len(held_out)) for kept, held_out in held_out_splits(1000, 0.15, np.random.default_rng(0))]
    [(850, 150)]
    >>> [(len(kept), len(held_out)) for kept, held_out in held_out_splits(10, 0.15, np.random.default_rng(0))]
    [(8, 2), (8, 2), (8, 2), (8, 2), (8, 2)]
    """
    if n < MIN_ROWS_FOR_ONE_SPLIT:
        return fold_splits(n, min(N_FOLDS, n), rng)
    order = _permutation(n, rng)
    n_held_out = min(max(MIN_HELD_OUT_ROWS, round(fraction * n)), n - 1)
    return [(order[n_held_out:], order[:n_held_out])]


def fold_splits(n: int, n_members: int, rng: np.random.Generator) -> list[RowSplit]:
    """Splits of n rows, one for each of `n_members`: the folds of as many random partitions, by `rng`, as that takes."""
    folds = min(N_FOLDS, n)
    splits: list[RowSplit] = []
    while len(splits) < n_members:
        parts = np.array_split(_permutation(n, rng), folds)
        splits += [(np.concatenate(parts[:j] + parts[j + 1 :]), part) for j, part in enumerate(parts)]
    return splits[:n_members]


def _permutation(n: int, rng: np.random.Generator) -> np.ndarray:
    """A random order of n rows, in four bytes a row where these suffice."""
    return rng.permutation(n).astype(np.uint32 if n < 2**32 else np.int64)
