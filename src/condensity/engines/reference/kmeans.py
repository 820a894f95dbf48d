"""Greedy k-means++ and Lloyd's steps on a few thousand rows: the start of EM. NumPy float64.

Arthur & Vassilvitskii (2007), "k-means++: the advantages of careful seeding", with the greedy choice of their section 7.
"""

import numpy as np
from scipy.spatial.distance import cdist


def kmeans(x: np.ndarray, weight: np.ndarray, uniforms: np.ndarray, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres of clusters of rows x (n, d) with weight (n,), and the cluster of every row.

    A centre is drawn among the rows, with a probability in proportion to weight and squared distance to the NEAREST centre
    so far; of the candidates, one for each uniform, the one that leaves the smallest weighted sum of squares stays. When
    every row lies on a centre, all rows are as likely again, and centres repeat. A cluster without rows keeps its centre.

    Parameters
    ----------
    x : ndarray (n, d)
        n ≥ 1.
    weight : ndarray (n,)
        Not negative, some positive.
    uniforms : ndarray (K, candidates)
        In [0, 1): the chance in every draw. Only the first one of the first row is used.
    n_steps : int
        Lloyd's steps: every centre goes to the mean of the rows that are nearest to it.

    Returns
    -------
    centres : ndarray (K, d)
    nearest : ndarray (n,) of int
        The nearest centre of every row, the first of several.
    """
    centres = _plus_plus(x, weight, uniforms)
    for _ in range(n_steps):
        nearest = _nearest(x, centres)
        mass = np.bincount(nearest, weight, len(centres))
        moved = np.array([np.bincount(nearest, weight * column, len(centres)) for column in x.T]).T
        occupied = mass > 0
        centres = centres.copy()
        centres[occupied] = moved[occupied] / mass[occupied, None]
    return centres, _nearest(x, centres)


def _nearest(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.argmin(cdist(x, centres, "sqeuclidean"), axis=1)


def _plus_plus(x: np.ndarray, weight: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    chosen = _draw_rows(weight, uniforms[0, :1])
    nearest = cdist(x, x[chosen], "sqeuclidean")[:, 0]
    for draws in uniforms[1:]:
        potential = weight * nearest
        candidates = _draw_rows(potential if potential.sum() > 0 else weight, draws)
        distances = np.minimum(nearest[:, None], cdist(x, x[candidates], "sqeuclidean"))
        best = np.argmin(weight @ distances)
        chosen = np.append(chosen, candidates[best])
        nearest = distances[:, best]
    return x[chosen]


def _draw_rows(weight: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Row numbers with probability proportional to the weight; rows of weight 0 never come."""
    cumulative = np.cumsum(weight)
    # side="right" skips rows of weight 0; the minimum is for rounding past the last positive one.
    drawn = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
    return np.minimum(drawn, np.flatnonzero(weight)[-1])
