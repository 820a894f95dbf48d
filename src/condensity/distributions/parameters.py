"""The four arrays of a `Mixture`: validated, stacked row after row, and put side by side.

Means are (n, K) for one output and (n, K, q) for several; factors are standard deviations of the same shape or, for
outputs that depend on each other, lower Cholesky factors (n, K, q, q). An array with q = 1 in its shape is squeezed.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from condensity.distributions import gaussian
from condensity.distributions.arguments import real

#: Weights that sum to one within this (relative) are taken to sum to one exactly; float64 softmaxes miss by ~1e-16·K.
MASS_TOLERANCE = 1e-9


class Parameters(NamedTuple):
    """Arrays in data units, of n rows, K components and q outputs.

    Attributes
    ----------
    log_weights : ndarray (n, K)
    mass : ndarray (n,)
        Sum of the weights.
    means : ndarray (n, K) or (n, K, q)
    factors : ndarray (n, K), (n, K, q) or (n, K, q, q)
        Standard deviations, or lower Cholesky factors of the covariances.
    """

    log_weights: np.ndarray
    mass: np.ndarray
    means: np.ndarray
    factors: np.ndarray

    def frozen(self) -> "Parameters":
        """The same numbers in contiguous arrays that cannot be written to."""
        arrays = [np.ascontiguousarray(array) for array in self]
        for array in arrays:
            array.flags.writeable = False
        return Parameters(*arrays)

    @property
    def n_outputs(self) -> int:
        """q, the number of outputs."""
        return 1 if self.means.ndim == 2 else self.means.shape[2]

    @property
    def weights(self) -> np.ndarray:
        """Weights, (n, K)."""
        return np.exp(self.log_weights)

    @property
    def scales(self) -> np.ndarray:
        """Standard deviations, (n, K) or (n, K, q)."""
        return self.factors if self.factors.ndim < 4 else gaussian.deviations(self.factors)

    @property
    def covariances(self) -> np.ndarray:
        """Covariances, (n, K, q, q)."""
        return gaussian.covariances(self.factors if self.means.ndim > 2 else self.factors[:, :, None])


def validated(
    weights: npt.ArrayLike | None,
    log_weights: npt.ArrayLike | None,
    means: npt.ArrayLike,
    scales: npt.ArrayLike | None,
    covariances: npt.ArrayLike | None,
) -> Parameters:
    """Checked copies of the arguments of `Mixture`.

    Parameters
    ----------
    weights, log_weights : array-like (n, K)
        Exactly one of the two.
    means, scales : array-like (n, K) or (n, K, q)
    covariances : array-like (n, K, q, q)
        Instead of scales.

    Raises
    ------
    ValueError
        As `Mixture`.
    """
    _exactly_one(weights=weights, log_weights=log_weights)
    _exactly_one(scales=scales, covariances=covariances)
    name, given = ("weights", weights) if log_weights is None else ("log_weights", log_weights)
    given = _finite(name, given, ["(n, K)"], log=log_weights is not None)
    means = _finite("means", means, ["(n, K)", "(n, K, q)"])
    if covariances is None:
        spread_name, spread, wanted = "scales", _finite("scales", scales, ["(n, K)", "(n, K, q)"]), means.shape
    else:
        spread_name, spread = "covariances", _finite("covariances", covariances, ["(n, K, q, q)"])
        q = means.shape[2] if means.ndim == 3 else 1
        wanted = (*means.shape[:2], q, q)
    if given.shape != means.shape[:2] or spread.shape != wanted:
        raise ValueError(
            f"means of shape {means.shape} need {name} of shape {means.shape[:2]} and {spread_name} of shape {wanted}; "
            f"got {given.shape} and {spread.shape}."
        )
    if covariances is not None:
        factors = gaussian.factorise(spread)
    elif (spread <= 0).any():
        raise ValueError(f"scales must be > 0; the smallest is {spread.min()!r}.")
    else:
        factors = spread
    if log_weights is None:
        if (given < 0).any():
            raise ValueError(f"weights must be >= 0; the smallest is {given.min()!r}.")
        with np.errstate(divide="ignore"):
            given = np.log(given)
    log_weights, mass = normalise_log_weights(given)
    means, factors = squeezed(means, factors)
    return Parameters(log_weights, mass, means, factors)


def squeezed(means: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The means, (n, K) or (n, K, q), and factors, (n, K[, q[, q]]) or (n, K), as they are; both as (n, K) for one output."""
    if means.ndim == 3 and means.shape[2] == 1:
        means = means[:, :, 0]
    return (means, factors.reshape(means.shape)) if means.ndim == 2 else (means, factors)


def normalise_log_weights(log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log weights (n, K) and their mass (n,): rows of log_weights (n, K) that sum to one within rounding are made to.

    Raises
    ------
    ValueError
        Where a row sums to more than one.
    """
    log_mass = logsumexp(log_weights, axis=1)
    if (log_mass > MASS_TOLERANCE).any():
        row = int(np.argmax(log_mass))
        raise ValueError(f"The weights of a row must sum to at most 1; row {row} sums to {np.exp(log_mass[row]):.12g}.")
    complete = np.abs(log_mass) <= MASS_TOLERANCE
    log_weights = log_weights - np.where(complete, log_mass, 0.0)[:, None]
    return log_weights, np.where(complete, 1.0, np.exp(log_mass))


def stacked(parts: list[Parameters]) -> Parameters:
    """Rows of all parts, one after the other."""
    widest = max(part.means.shape[1] for part in parts)
    groups = zip(*(_widened(part, widest) for part in _alike(parts)), strict=True)
    return Parameters(*(np.concatenate(group) for group in groups))


def side_by_side(parts: list[Parameters], shares: np.ndarray) -> Parameters:
    """Components of all parts in the same rows, with the shares (n, parts) of the parts."""
    parts = _alike(parts)
    with np.errstate(divide="ignore"):
        log_weights = [np.log(shares[:, [j]]) + part.log_weights for j, part in enumerate(parts)]
    total, mass = normalise_log_weights(np.concatenate(log_weights, axis=1))
    return Parameters(
        total,
        mass,
        np.concatenate([part.means for part in parts], axis=1),
        np.concatenate([part.factors for part in parts], axis=1),
    )


def _alike(parts: list[Parameters]) -> list[Parameters]:
    """The parts with factors of one kind: triangles where any part has them."""
    if len({part.factors.ndim for part in parts}) == 1:
        return parts
    return [part._replace(factors=gaussian.full(part.factors)) for part in parts]


def _widened(part: Parameters, n_components: int) -> Parameters:
    """A part with empty components appended: weight 0, and copies of the first component otherwise."""
    missing = n_components - part.means.shape[1]
    log_weights = np.pad(part.log_weights, ((0, 0), (0, missing)), constant_values=-np.inf)
    means, factors = (
        np.concatenate([array, np.repeat(array[:, :1], missing, axis=1)], axis=1)
        for array in (part.means, part.factors)
    )
    return Parameters(log_weights, part.mass, means, factors)


def _exactly_one(**arguments: npt.ArrayLike | None) -> None:
    (first, one), (second, other) = arguments.items()
    if (one is None) == (other is None):
        raise ValueError(f"Give exactly one of {first} and {second}; got {'none' if one is None else 'both'}.")


def _finite(name: str, value: Any, layouts: list[str], *, log: bool = False) -> np.ndarray:
    """A copy of one argument, of rank as in one of the layouts; −inf is allowed in logarithms."""
    array = real(name, value)
    if array.ndim not in {layout.count(",") + 1 for layout in layouts} or 0 in array.shape[1:]:
        sizes = "K >= 1" if layouts == ["(n, K)"] else "K >= 1 and q >= 1"
        raise ValueError(f"{name} must have shape {' or '.join(layouts)} with {sizes}; got {array.shape}.")
    finite = np.isfinite(array) | np.isneginf(array) if log else np.isfinite(array)
    if not finite.all():
        first = tuple(np.argwhere(~finite)[0])
        raise ValueError(f"{name} must be finite; row {first[0]}, component {first[1]} is {array[first]!r}.")
    return array
