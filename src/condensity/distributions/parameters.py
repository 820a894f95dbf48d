"""The four arrays that a `Mixture` is made of: validated from what the user gives, stacked, and put side by side.

Means are (n, K) for one output and (n, K, q) for several; factors are standard deviations of the same shape or, for
outputs that depend on each other, lower Cholesky factors (n, K, q, q). An array with q = 1 in its shape is squeezed.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from condensity.distributions import gaussian
from condensity.distributions.arguments import real

#: Weights that sum to one within this (relative) are taken to sum to one exactly; float64 softmaxes miss by ~1e-16·K.
MASS_TOLERANCE = 1e-9


class Parameters(NamedTuple):
    """log_weights (n, K), mass (n,), means (n, K[, q]), factors (n, K[, q[, q]])."""

    log_weights: np.ndarray
    mass: np.ndarray
    means: np.ndarray
    factors: np.ndarray

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


def validated(weights, log_weights, means, scales, covariances) -> Parameters:
    """Copies of the constructor's arguments, checked."""
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


def squeezed(means, factors):
    """Means and factors, (n, K) both where there is one output."""
    if means.ndim == 3 and means.shape[2] == 1:
        means = means[:, :, 0]
    return (means, factors.reshape(means.shape)) if means.ndim == 2 else (means, factors)


def normalise_log_weights(log_weights):
    """Log weights and mass of every row; rows that sum to one within rounding are made to sum to one."""
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


def side_by_side(parts: list[Parameters], share) -> Parameters:
    """Components of all parts in the same rows, with the shares (n, parts) of the parts."""
    parts = _alike(parts)
    with np.errstate(divide="ignore"):
        log_weights = [np.log(share[:, [j]]) + part.log_weights for j, part in enumerate(parts)]
    total, mass = normalise_log_weights(np.concatenate(log_weights, axis=1))
    return Parameters(
        total,
        mass,
        np.concatenate([part.means for part in parts], axis=1),
        np.concatenate([part.factors for part in parts], axis=1),
    )


def _alike(parts):
    """The parts with factors of one kind: triangles where any part has them."""
    if len({part.factors.ndim for part in parts}) == 1:
        return parts
    return [part._replace(factors=gaussian.full(part.factors)) for part in parts]


def _widened(part, n_components):
    """A part with empty components appended: weight 0, and copies of the first component otherwise."""
    missing = n_components - part.means.shape[1]
    log_weights = np.pad(part.log_weights, ((0, 0), (0, missing)), constant_values=-np.inf)
    means, factors = (
        np.concatenate([array, np.repeat(array[:, :1], missing, axis=1)], axis=1)
        for array in (part.means, part.factors)
    )
    return Parameters(log_weights, part.mass, means, factors)


def _exactly_one(**arguments):
    (first, one), (second, other) = arguments.items()
    if (one is None) == (other is None):
        raise ValueError(f"Give exactly one of {first} and {second}; got {'none' if one is None else 'both'}.")


def _finite(name, value, layouts, *, log=False) -> np.ndarray:
    """A copy of one argument, of rank as in one of the layouts; −inf is allowed in logarithms."""
    array = real(name, value)
    if array.ndim not in {layout.count(",") + 1 for layout in layouts} or 0 in array.shape[1:]:
        sizes = "K >= 1" if layouts == ["(n, K)"] else "K >= 1 and q >= 1"
        raise ValueError(f"{name} must have shape {' or '.join(layouts)} with {sizes}; got {array.shape}.")
    finite = np.isfinite(array) | np.isneginf(array) if log else np.isfinite(array)
    if not finite.all():
        place = tuple(np.argwhere(~finite)[0])
        raise ValueError(f"{name} must be finite; row {place[0]}, component {place[1]} is {array[place]!r}.")
    return array
