"""A search for targets without noise: does a smooth surface through the other rows give the y of a row that is left out?"""

from collections.abc import Sequence

import numpy as np

from condensity.data.scaling import resolution
from condensity.warning import warn_user

#: Noise below this, in units of y's scale, is none; a network's σ is not smaller. Real tables have .013 at least (yacht).
MIN_NOISE = 1e-3
#: Fewer rows say too little; and those that are looked at, the first number to see whether the second is worth its time.
MIN_ROWS, FIRST_ROWS, LAST_ROWS = 50, 64, 256
#: What the first rows must be predicted to, in units of y's scale.
PROMISING = 0.2

#: Widths of the kernel of smooth surfaces, times √d standard deviations, and the ridge that keeps its matrix invertible.
WIDTHS, RIDGE = (1.0, 2.0, 4.0), 1e-8
#: Share of the rows that must be predicted, and that quantile of a standard normal's absolute values.
PREDICTED_SHARE, NORMAL_QUANTILE = 0.9, 1.645


def warn_about_missing_noise(x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> None:
    """Warn of targets y (n, q), called by their `names`, that seem to be functions of x (n, d); both are standardised."""
    for name, spread in zip(names, noise_at_most(x, y), strict=True):
        if spread < MIN_NOISE:
            warn_user(
                f"{name} seems to be a function of X without noise: a smooth surface through other rows gives nine tenths of "
                f"its values to within {max(spread, 1e-9):.0e} of its spread. The width of the fitted density is then the "
                "error of the fit and says nothing about y. See whether X holds a copy of y; where y is computed from X, "
                "an interpolation is the better model."
            )


def noise_at_most(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bounds (q,) on the noise of y (n, q) given x (n, d), both standardised; inf where rows are few or y is rounded."""
    bounds = np.full(y.shape[1], np.inf)
    known = np.flatnonzero(np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1))
    if len(known) < MIN_ROWS:
        return bounds
    for size in (FIRST_ROWS, LAST_ROWS):
        sample = known[:: -(-len(known) // size)]
        _, first = np.unique(x[sample], axis=0, return_index=True)  # a copy of a row would predict it
        sample = sample[first]
        searched = [j for j, column in enumerate(y[sample].T) if np.ptp(column) > 0 and resolution(column) == 0.0]
        if len(sample) < MIN_ROWS // 2 or not searched:
            break
        bounds[searched] = left_out_error(x[sample].astype(float), y[sample][:, searched].astype(float))
        if bounds.min() > PROMISING:
            break
    return bounds


def left_out_error(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Typical errors (q,), as standard deviations, in y (n, q) of smooth surfaces through the other rows x (n, d).

    That of kernel regression at a left-out row is (K⁻¹y)ᵢ / (K⁻¹)ᵢᵢ; the best of several widths counts.
    """
    squares = np.einsum("ij,ij->i", x, x)
    distances = np.maximum(squares[:, None] + squares - 2.0 * x @ x.T, 0.0) / x.shape[1]
    centred, errors = y - y.mean(axis=0), []
    for width in WIDTHS:
        inverse = np.linalg.inv(np.exp(-0.5 * distances / width**2) + RIDGE * np.eye(len(y)))
        left_out = inverse @ centred / np.diag(inverse)[:, None]
        errors.append(np.quantile(np.abs(left_out), PREDICTED_SHARE, axis=0) / NORMAL_QUANTILE)
    best: np.ndarray = np.min(errors, axis=0)
    return best
