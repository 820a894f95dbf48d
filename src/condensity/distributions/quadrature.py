"""Adaptive Gauss–Kronrod integrals over many cells at once."""

from collections.abc import Callable

import numpy as np

from condensity.distributions.normal_shape.entropy import ABSCISSAE, DIFFERENCE, KRONROD

#: Cells are halved while their two rules differ by more than this share of the integral of their row; the better rule is by far
#: closer than the difference.
TOLERANCE = 1e-10

#: Rounds of halving: from a cell of 24 σ down to a jump, as narrow as rounding allows.
MAX_ROUNDS = 60

#: Doubtful parts that a row may have at a time, for each of its cells: more come of noise in the function, which no halving
#: ends, such as that of slopes by differences.
MAX_PARTS = 64

#: Numbers in the temporaries of one call of an integrand.
BLOCK = 2**21

#: Of flat rows (r,) and points (r, m), the integrand (r, m).
Integrand = Callable[[np.ndarray, np.ndarray], np.ndarray]


def integrate(function: Integrand, edges: np.ndarray, *, per_point: int = 1) -> np.ndarray:
    """Integrals (n, c) of a function over the c cells between ascending edges (n, c + 1) of every row.

    Parameters
    ----------
    function : callable (rows (r,), points (r, m)) -> (r, m)
        Smooth within cells; of a row that is one of n.
    edges : ndarray (n, c + 1)
        Finite; equal ones make cells of integral 0.
    per_point : int
        Numbers that the function has in memory for every point.

    Examples
    --------
    >>> import numpy as np
    >>> integrate(lambda rows, x: np.exp(-x), np.array([[0.0, 1.0, 40.0]])).round(9)
    array([[0.63212056, 0.36787944]])
    """
    n, c = len(edges), edges.shape[1] - 1
    total = np.zeros(n * c)
    cells = np.flatnonzero((edges[:, 1:] > edges[:, :-1]).ravel())
    left, right = edges[:, :-1].ravel()[cells], edges[:, 1:].ravel()[cells]
    scale = np.zeros(n)
    for _ in range(MAX_ROUNDS):
        if not cells.size:
            break
        value, error = _rules(function, cells // c, left, right, per_point)
        scale = np.maximum(scale, np.bincount(cells // c, np.abs(value), minlength=n))
        wide = right - left > 8 * np.spacing(np.maximum(np.abs(left), np.abs(right)))
        doubtful = (error > TOLERANCE * scale[cells // c]) & wide
        doubtful &= (np.bincount(cells[doubtful] // c, minlength=n) <= MAX_PARTS * c)[cells // c]
        total += np.bincount(cells[~doubtful], value[~doubtful], minlength=n * c)
        cells, left, right = cells[doubtful], left[doubtful], right[doubtful]
        middle = 0.5 * left + 0.5 * right
        cells, left, right = np.tile(cells, 2), np.concatenate([left, middle]), np.concatenate([middle, right])
    return total.reshape(n, c)


def _rules(
    function: Integrand, rows: np.ndarray, left: np.ndarray, right: np.ndarray, per_point: int
) -> tuple[np.ndarray, np.ndarray]:
    """Kronrod's integrals (r,) over cells and their distance from Gauss's."""
    value, error = np.empty(len(left)), np.empty(len(left))
    step = max(1, BLOCK // (ABSCISSAE.size * per_point))
    for start in range(0, len(left), step):
        part = slice(start, start + step)
        middle, half = 0.5 * left[part] + 0.5 * right[part], 0.5 * right[part] - 0.5 * left[part]
        values = function(rows[part], middle[:, None] + half[:, None] * ABSCISSAE)
        value[part], error[part] = values @ KRONROD * half, np.abs(values @ DIFFERENCE) * half
    return value, error
