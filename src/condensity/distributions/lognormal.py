"""`Log`, and the closed forms of mixtures of lognormals."""

from dataclasses import dataclass

import numpy as np
from scipy.special import erf, logsumexp, ndtr

from condensity.distributions.mapped import MappedFormulas
from condensity.distributions.mixture import Mixture
from condensity.distributions.monotone import MonotoneMap
from condensity.persistence import saveable

#: Numbers in a block of rows and pairs of components.
BLOCK = 2**20


@saveable("Log")
@dataclass(frozen=True)
class Log(MonotoneMap):
    """u = log y, for y > 0: components are lognormal.

    Examples
    --------
    >>> from condensity import Mixture, TransformedMixture
    >>> dist = TransformedMixture(Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]), Log())
    >>> dist.mode().round(4), dist.median(), dist.mean().round(4)
    (array([0.3679]), array([1.]), array([1.6487]))
    """

    @property
    def domain(self) -> tuple[float, float]:
        """Positive numbers."""
        return 0.0, np.inf

    def forward(self, y: np.ndarray) -> np.ndarray:
        """The u of y, (n,) or any other shape."""
        return np.log(y)

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """The y of u, (n,) or any other shape."""
        return np.exp(u)

    def log_derivative(self, y: np.ndarray) -> np.ndarray:
        """Logarithm of `|dt/dy|` at y, (n,) or any other shape."""
        return -np.log(y)

    def log_inverse_derivative(self, u: np.ndarray) -> np.ndarray:
        """Logarithm of `|dy/du|` at u, (n,) or any other shape."""
        return np.array(u, dtype=float)

    def closed_forms(self, base: Mixture) -> "LognormalFormulas":
        """Moments, modes, entropy and CRPS of y where u is distributed as `base`."""
        return LognormalFormulas(base, self)


@saveable("Log1p")
@dataclass(frozen=True)
class Log1p(Log):
    """u = log(1 + y), for y > −1: targets that count from 0. Components are lognormals less 1.

    Examples
    --------
    >>> from condensity import Mixture, TransformedMixture
    >>> dist = TransformedMixture(Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]), Log1p())
    >>> dist.median(), dist.mean().round(4)
    (array([0.]), array([0.6487]))
    """

    @property
    def domain(self) -> tuple[float, float]:
        """Above −1."""
        return -1.0, np.inf

    def forward(self, y: np.ndarray) -> np.ndarray:
        """The u of y, (n,) or any other shape."""
        return np.log1p(y)

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """The y of u, (n,) or any other shape."""
        return np.expm1(u)

    def log_derivative(self, y: np.ndarray) -> np.ndarray:
        """Logarithm of `|dt/dy|` at y, (n,) or any other shape."""
        return -np.log1p(y)

    def closed_forms(self, base: Mixture) -> "LognormalFormulas":
        """Moments, modes, entropy and CRPS of y where u is distributed as `base`."""
        return LognormalFormulas(base, self, offset=1.0)


class LognormalFormulas(MappedFormulas):
    """Mixtures of lognormals less an offset in closed form.

    Parameters
    ----------
    base : Mixture
        Of log(y + offset).
    transform : MonotoneMap
    offset : float
    """

    def __init__(self, base: Mixture, transform: MonotoneMap, offset: float = 0.0):
        super().__init__(base, transform)
        self.offset = offset

    def component_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of y in every component, (n, K[, q]), without cancellation for small σ."""
        variances = self.base.scales**2
        exponents = self.base.means + 0.5 * variances
        means = np.exp(exponents)
        return np.expm1(exponents) if self.offset else means, means**2 * np.expm1(variances)

    @np.errstate(all="ignore")
    def cov(self) -> np.ndarray:
        """Covariance matrices, (n, q, q)."""
        if self.base.n_outputs == 1:
            return super().cov()
        weights, (means, _) = self.base.weights, self.component_moments()
        means = means + self.offset
        off = means - np.einsum("nk,nki->ni", weights, means)[:, None]
        within = np.einsum("nk,nki,nkj,nkij->nij", weights, means, means, np.expm1(self.base.covariances))
        return within + np.einsum("nk,nki,nkj->nij", weights, off, off)

    def modes(self) -> list[np.ndarray]:
        """All modes, n arrays (j,), densest first.

        p(u) e⁻ᵘ is a mixture of normals again, with means μ − σ² and log weights moved by σ²/2 − μ.
        """
        centers, scales = self.base.means, self.base.scales
        tilted = self.base.log_weights - centers + 0.5 * scales**2
        tilted = tilted - logsumexp(tilted, axis=1, keepdims=True)
        return [
            self.transform.inverse(row)
            for row in Mixture(log_weights=tilted, means=centers - scales**2, scales=scales).modes()
        ]

    def entropy(self) -> np.ndarray:
        """Differential entropy in nats, (n,): that of u plus the mean of u."""
        formulas = self.base.formulas
        return formulas.entropy() + formulas.mean()

    @np.errstate(all="ignore")
    def crps(self, y: np.ndarray) -> np.ndarray:
        """CRPS (n, g) at points y (n, g): differences of means times normal probabilities (Margrabe 1978)."""
        result, y = np.empty(y.shape), y + self.offset
        n, n_components = self.base.means.shape
        step = max(1, BLOCK // (n_components * max(n_components, y.shape[1])))
        weights, means, scales = self.base.weights, self.base.means, self.base.scales
        for start in range(0, n, step):
            rows = slice(start, start + step)
            components = weights[rows], means[rows], scales[rows]
            result[rows] = _distance(*components, y[rows]) - 0.5 * _spread(*components)[:, None]
        return np.maximum(result, 0.0)


def _distance(weights: np.ndarray, centers: np.ndarray, scales: np.ndarray, y: np.ndarray) -> np.ndarray:
    """E|Y − y| of a mixture of lognormals, (n, g)."""
    means = np.exp(centers + 0.5 * scales**2)[:, :, None]
    with np.errstate(divide="ignore"):
        log_y = np.log(np.maximum(y, 0.0))[:, None]
    z = (log_y - centers[:, :, None]) / scales[:, :, None]
    each = means - y[:, None] + 2.0 * (np.maximum(y, 0.0)[:, None] * ndtr(z) - means * ndtr(z - scales[:, :, None]))
    return (weights[:, :, None] * each).sum(axis=1)


def _spread(weights: np.ndarray, centers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """E|Y − Y′| of a mixture of lognormals, (n,)."""
    means = np.exp(centers + 0.5 * scales**2)
    width = np.hypot(scales[:, :, None], scales[:, None])
    above = (centers[:, :, None] - centers[:, None] + scales[:, :, None] ** 2) / width
    # Σ_kl w_k w_l (M_k erf + M_l erf) counts every ordered pair twice over: both halves are equal.
    return 2.0 * np.einsum("nk,nl,nk,nkl->n", weights, weights, means, erf(above / np.sqrt(2.0)))
