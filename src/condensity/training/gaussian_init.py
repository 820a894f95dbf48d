"""Networks that correct a fixed mixture: the mixture's terms are added to the head, and the network learns the rest.

A joint Gaussian mixture, conditioned, is a mixture density network already: logits quadratic in x, means linear, scales
constant. As an offset of the head it gives the network its likelihood before the first step, where the head is 0.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from condensity.engines.types import Network, Split, TrainingRows
from condensity.training.copies import stack_copies

#: log σ of the mixture is kept this far from the bounds, so that the clamp can be undone.
CLEARANCE = 0.05
#: Log weights below this are lifted to it, so that the network can call a component back; e⁻²⁰ = 2e-9 is nothing to the density.
MIN_LOG_WEIGHT = -20.0


class Terms(NamedTuple):
    """A mixture given every row: log_weights (n, K), means (n, K, q) and, the same in every row, Cholesky factors (K, q, q)."""

    log_weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray


class GaussianInit(Protocol):
    """A fitted mixture of (x, y), at which a network starts."""

    @property
    def n_components(self) -> int:
        """K."""

    def terms(self, x: np.ndarray) -> Terms:
        """Mixture of y given standardised x (n, d)."""


class GaussianInitFitter(Protocol):
    """Fit of a `GaussianInit` to rows: a fresh one, or from the parameters of an earlier one, with as many components."""

    def __call__(self, rows: TrainingRows, rng: np.random.Generator, earlier: GaussianInit | None) -> GaussianInit:
        """Fit one."""


def head_offset(gaussian_init: GaussianInit, network: Network, x: np.ndarray) -> np.ndarray:
    """Offset (n, head width), float32, of the `network`'s head by `gaussian_init`, for limited standardised x (n, d)."""
    log_weights, means, factors = gaussian_init.terms(x)
    n, width = len(x), network.head_width
    offset = np.empty((n, width), dtype=np.float32)
    k, q = network.n_components, network.n_outputs
    offset[:, :k] = np.maximum(log_weights, MIN_LOG_WEIGHT)
    offset[:, k : k + k * q] = means.reshape(n, -1)
    offset[:, k + k * q :] = shape_offset(factors, network)
    return offset


def shape_offset(factors: np.ndarray, network: Network) -> np.ndarray:
    """Part of the `network`'s offset that all rows share: raw log scales and regression coefficients of `factors` (K, q, q)."""
    deviations = np.diagonal(factors, axis1=1, axis2=2)
    if network.n_regression_coefficients:
        unit = deviations[:, :, None] * np.linalg.inv(factors)  # D L⁻¹ = I + C
        coefficients = unit[:, *np.tril_indices(network.n_outputs, -1)]
    else:
        deviations = np.sqrt(np.einsum("kij,kij->ki", factors, factors))
        coefficients = np.empty((len(factors), 0))
    raw = undo_clamp(np.log(deviations), network.log_scale_bounds)
    return np.concatenate([raw.ravel(), coefficients.ravel()])


def undo_clamp(log_scales: np.ndarray, bounds: tuple[Any, float] | None) -> np.ndarray:
    """The r with soft_clamp(r) = `log_scales` (…, q), held `CLEARANCE` within the `bounds` (low, high)."""
    if bounds is None:
        return log_scales
    low, high = bounds
    held = np.clip(log_scales, np.asarray(low) + CLEARANCE, high - CLEARANCE)
    lifted = high - _undo_softplus(high - held)
    return low + _undo_softplus(lifted - low)


def _undo_softplus(value: np.ndarray) -> np.ndarray:
    """log(e^v − 1), v > 0."""
    return value + np.log(-np.expm1(-value))


def fit_gaussian_inits(
    fit_gaussian_init: GaussianInitFitter, rows: TrainingRows, splits: Sequence[Split], rng: np.random.Generator
) -> list[GaussianInit]:
    """A mixture for every member, by `fit_gaussian_init` on `rows` without the member's validation rows in `splits`.

    Members with the same training rows share one; `rng` draws the starts of EM.
    """
    gaussian_inits: list[GaussianInit] = []
    for member in splits:
        if gaussian_inits and np.array_equal(member.kept, splits[0].kept):
            gaussian_inits.append(gaussian_inits[0])
        else:
            earlier = gaussian_inits[0] if gaussian_inits else None
            gaussian_inits.append(fit_gaussian_init(rows.take(member.kept), rng, earlier))
    return gaussian_inits


def rows_with_offsets(
    rows: TrainingRows, splits: Sequence[Split], gaussian_inits: Sequence[GaussianInit], network: Network
) -> tuple[TrainingRows, list[Split]]:
    """One table of all `rows` with the offsets of each of the `gaussian_inits`, one copy after the other.

    Offsets are those of the `network`'s head; the `splits` are returned as rows of that table.
    """
    versions = {id(each): rows._replace(offset=head_offset(each, network, rows.x)) for each in gaussian_inits}
    table, moved, _ = stack_copies([versions[id(each)] for each in gaussian_inits], splits)
    return table, moved
