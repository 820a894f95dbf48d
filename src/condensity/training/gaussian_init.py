"""Networks on top of a fixed mixture: what the mixture says of a row is added to the head, and the network learns the rest.

A joint Gaussian mixture, conditioned, is a mixture density network already: logits quadratic in x, means linear, scales
constant. As an offset of the head it gives the network its likelihood before the first step, where the head is 0.
"""

from typing import NamedTuple, Protocol

import numpy as np

from condensity.engines.reference.network import initialize, unpack_layers
from condensity.engines.reference.trainer import Split, TrainingRows

#: log σ of the mixture is kept so far from the bounds that the clamp can be undone.
CLEARANCE = 0.05
#: Log weights below this are lifted to it, so that the network can call a component back; e⁻²⁰ = 2e-9 is nothing to the density.
SMALLEST_LOGIT = -20.0


class Terms(NamedTuple):
    """A mixture given every row: log_weights (n, K), means (n, K, q) and, the same in every row, Cholesky factors (K, q, q)."""

    log_weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray


class GaussianInit(Protocol):
    """A fitted mixture of (x, y), as the network's starting point."""

    n_components: int

    def terms(self, x) -> Terms:
        """The mixture of y given standardised x (n, d)."""


class GaussianInitFitter(Protocol):
    """Fits a `GaussianInit` to rows: the first time anew, then from where an earlier one ended, with as many components."""

    def __call__(self, rows: TrainingRows, rng, earlier: GaussianInit | None) -> GaussianInit:
        """Fit one."""


def offset_of(base: GaussianInit, network, x):
    """What is added to the head of a network, (n, width of the head), float32, for limited standardised x (n, d)."""
    log_weights, means, factors = base.terms(x)
    n, width = len(x), network.head_width
    offset = np.empty((n, width), dtype=np.float32)
    k, q = network.n_components, network.n_outputs
    offset[:, :k] = np.maximum(log_weights, SMALLEST_LOGIT)
    offset[:, k : k + k * q] = means.reshape(n, -1)
    offset[:, k + k * q :] = offset_of_shapes(factors, network)
    return offset


def offset_of_shapes(factors, network):
    """The part that is the same in every row: r of all σ and couplings, from Cholesky factors (K, q, q)."""
    deviations = np.diagonal(factors, axis1=1, axis2=2)
    if network.n_regression_coefficients:
        regression_coefficients = deviations[:, :, None] * np.linalg.inv(factors)  # D L⁻¹ = I + C
        regression_coefficients = regression_coefficients[:, *np.tril_indices(network.n_outputs, -1)]
    else:
        deviations, regression_coefficients = (
            np.sqrt(np.einsum("kij,kij->ki", factors, factors)),
            np.empty((len(factors), 0)),
        )
    raw = undo_clamp(np.log(deviations), network.log_scale_bounds)
    return np.concatenate([raw.ravel(), regression_coefficients.ravel()])


def undo_clamp(log_scales, bounds):
    """The r with soft_clamp(r) = log σ (…, q), held `CLEARANCE` within the bounds (low, high)."""
    if bounds is None:
        return log_scales
    low, high = bounds
    held = np.clip(log_scales, np.asarray(low) + CLEARANCE, high - CLEARANCE)
    lifted = high - _undo_softplus(high - held)
    return low + _undo_softplus(lifted - low)


def _undo_softplus(value):
    """log(e^v − 1), v > 0."""
    return value + np.log(-np.expm1(-value))


def start_at_gaussian_init(network, rng):
    """Initial θ with a head of zeros: the network says what its offset says."""
    theta = initialize(network, np.zeros((network.n_components, network.n_outputs)), rng)
    for part in unpack_layers(theta, network)[-1]:
        part[...] = 0.0
    return theta


def gaussian_inits_of(fit_gaussian_init: GaussianInitFitter, rows: TrainingRows, splits, rng) -> list:
    """A base for every member, fitted to the rows that it keeps: none must know what judges it."""
    gaussian_inits: list[GaussianInit] = []
    for member in splits:
        if gaussian_inits and np.array_equal(member.kept, splits[0].kept):
            gaussian_inits.append(gaussian_inits[0])
        else:
            gaussian_inits.append(
                fit_gaussian_init(rows.take(member.kept), rng, gaussian_inits[0] if gaussian_inits else None)
            )
    return gaussian_inits


def tables_of(rows: TrainingRows, splits, gaussian_inits, network):
    """One table of all rows with every base's offsets, one after the other, and the splits within it."""
    own = list({id(base): base for base in gaussian_inits}.values())
    tables = [rows._replace(offset=offset_of(base, network, rows.x)) for base in own]
    place = {id(base): i * len(rows.y) for i, base in enumerate(own)}
    table = tables[0]
    for other in tables[1:]:
        table = table.followed_by(other)
    starts = [place[id(base)] for base in gaussian_inits]
    moved = [Split(kept + start, held_out + start) for (kept, held_out), start in zip(splits, starts, strict=True)]
    return table, moved


def of_original_rows(log_density, n_copies):
    """Log densities (copies · n,) of copies of rows, as those of the n rows: the mean density of those that are not nan."""
    if n_copies == 1:
        return log_density
    copies = log_density.reshape(n_copies, -1)
    known = ~np.isnan(copies)
    top = np.where(known, copies, -np.inf).max(axis=0)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.where(known, np.exp(np.where(known, copies - top, 0.0)), 0.0).sum(axis=0)
    count = known.sum(axis=0)
    with np.errstate(divide="ignore"):
        return np.where(count > 0, top + np.log(total / np.maximum(count, 1)), np.nan)
