"""Formulas of y = t⁻¹(u) for a mixture u of normals and any monotone map t."""

from functools import cache

import numpy as np

from condensity.distributions.formulas import ComponentSummary, DistributionFormulas
from condensity.distributions.mixture import Mixture
from condensity.distributions.monotone import MonotoneMap

#: Means and variances that have no closed form: Gauss–Legendre NODES in each of PANELS over ± REACH σ of a component.
REACH, PANELS, NODES = 12.0, 24, 16

#: Numbers in a block of components and nodes.
BLOCK = 2**20

REFUSED = {
    "affine": "affine is known without y_transform only; base.affine moves u.",
    "hpd_value": "hpd_value is known without y_transform only; base.hpd_value has it for u.",
    "region": "region is known without y_transform only; use interval, or base.region for regions of u.",
    "to_scipy": "to_scipy is known without y_transform only; base.to_scipy has it for u.",
}

#: Exact only by the `closed_forms` of a map.
CLOSED_FORM_ONLY = frozenset({"mode", "modes", "entropy", "crps", "energy_score"})


class MappedFormulas(DistributionFormulas):
    """Densities by the Jacobian, probabilities and quantiles by monotony, moments by quadrature.

    A map's closed forms inherit from it, and name in `closed` the verbs that they add.

    Parameters
    ----------
    base : Mixture
        Of u.
    transform : MonotoneMap
        The same for every output.
    """

    closed: frozenset[str] = frozenset()

    base: Mixture
    transform: "MonotoneMap"

    def __init__(self, base: Mixture, transform: MonotoneMap):
        self.base, self.transform = base, transform

    def refusal(self, verb: str) -> str | None:
        """Reason why a verb has no exact result: regions and values have none, and others need a closed form of the map."""
        several = self.base.n_outputs > 1
        if verb in REFUSED:
            return REFUSED[verb]
        if verb == "energy_score" and several:
            return "energy_score has no exact form for several transformed outputs; score marginals, or u with `base`."
        if verb in self.closed or not (verb in CLOSED_FORM_ONLY or (verb == "cov" and several)):
            return None
        words = "the covariance of several outputs" if verb == "cov" else verb
        return (
            f"{words} has an exact form for y_transform='log' only, and this is {self.transform.name!r}; draw samples."
        )

    # ------------------------------------------------------------------------------------------------ points and levels
    def logpdf(self, y: np.ndarray) -> np.ndarray:
        """Log density (n, g) in nats at points y, (n, g) or (n, g, q); −inf outside the domain."""
        inside = self._inside(y)
        with np.errstate(all="ignore"):
            slope = np.where(inside, self.transform.log_derivative(y), -np.inf)
        if self.base.n_outputs > 1:
            slope = slope.sum(axis=-1)
        return self.base.formulas.logpdf(self._forward(y, inside)) + slope

    def logcdf(self, y: np.ndarray) -> np.ndarray:
        """Log of P(Y ≤ y), (n, g), at points y (n, g)."""
        formulas = self.base.formulas
        below = formulas.logcdf if self.transform.increasing else formulas.logsf
        with np.errstate(divide="ignore"):  # the mass may be 0
            log_mass = np.log(self.base.mass)[:, None]
        return self._beyond(y, below(self._forward(y, self._inside(y))), below=-np.inf, above=log_mass)

    def logsf(self, y: np.ndarray) -> np.ndarray:
        """Log of P(Y > y), (n, g), at points y (n, g)."""
        formulas = self.base.formulas
        above = formulas.logsf if self.transform.increasing else formulas.logcdf
        return self._beyond(y, above(self._forward(y, self._inside(y))), below=0.0, above=-np.inf)

    def quantile(self, log_lower: np.ndarray, log_upper: np.ndarray) -> np.ndarray:
        """Quantiles (n, m) of u carried back, with log probabilities log_lower (n, m) below and log_upper (n, m) above them."""
        tails = (log_lower, log_upper) if self.transform.increasing else (log_upper, log_lower)
        with np.errstate(over="ignore"):
            return self.transform.inverse(self.base.formulas.quantile(*tails))

    def _inside(self, y: np.ndarray) -> np.ndarray:
        low, high = self.transform.domain
        return (y > low) & (y < high)

    def _forward(self, y: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """The u of points: 0 for those outside, whose result does not depend on it, and NaN for NaN."""
        with np.errstate(all="ignore"):
            u = np.where(inside, self.transform.forward(np.where(inside, y, 0.5)), 0.0)
        return np.where(np.isnan(y), np.nan, u)

    def _beyond(self, y: np.ndarray, values: np.ndarray, *, below: float, above: float | np.ndarray) -> np.ndarray:
        """Values (n, g), with those below and above the domain replaced; NaN stays."""
        low, high = self.transform.domain
        return np.where(y <= low, below, np.where(y >= high, above, values))

    # ------------------------------------------------------------------------------------------------ draws and moments
    def sample(self, n_samples: int, generator: np.random.Generator) -> np.ndarray:
        """Draws of u carried back, (n, n_samples) or (n, n_samples, q), by a generator."""
        return self.transform.inverse(self.base.formulas.sample(n_samples, generator))

    def mean(self) -> np.ndarray:
        """Mean, (n,) or (n, q)."""
        return self._moments()[0]

    def var(self) -> np.ndarray:
        """Variance, (n,) or (n, q)."""
        return self._moments()[1]

    def cov(self) -> np.ndarray:
        """Covariance matrices, (n, 1, 1), of one output."""
        return self.var()[:, None, None]

    def component_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of y in every component, (n, K[, q]), by quadrature to about 1e-9 of the standard deviation."""
        shape = self.base.means.shape
        nodes, weights = _panels()
        centers, scales = self.base.means.ravel(), self.base.scales.ravel()
        means, variances = np.empty(centers.size), np.empty(centers.size)
        for start in range(0, centers.size, BLOCK // len(nodes)):
            part = slice(start, start + BLOCK // len(nodes))
            y = self.transform.inverse(centers[part, None] + scales[part, None] * nodes)
            means[part] = y @ weights
            variances[part] = (y - means[part, None]) ** 2 @ weights
        return means.reshape(shape), variances.reshape(shape)

    def component_summary(self) -> ComponentSummary:
        """Weights; medians t⁻¹(μ); half the distance from t⁻¹(μ − σ) to t⁻¹(μ + σ)."""
        means, scales = self.base.means, self.base.scales
        with np.errstate(over="ignore"):
            lower, center, upper = (self.transform.inverse(means + z * scales) for z in (-1.0, 0.0, 1.0))
            return ComponentSummary(self.base.weights, center, np.abs(0.5 * upper - 0.5 * lower))

    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        means, variances = self.component_moments()
        weights = self.base.weights if means.ndim == 2 else self.base.weights[:, :, None]
        mean = (weights * means).sum(axis=1)
        return mean, (weights * (variances + (means - mean[:, None]) ** 2)).sum(axis=1)


@cache
def _panels() -> tuple[np.ndarray, np.ndarray]:
    """Standard normal quadrature: nodes and weights of Gauss–Legendre panels over ± REACH."""
    inside, weights = np.polynomial.legendre.leggauss(NODES)
    edges = np.linspace(-REACH, REACH, PANELS + 1)
    half = 0.5 * (edges[1] - edges[0])
    nodes = (0.5 * (edges[:-1] + edges[1:])[:, None] + half * inside).ravel()
    density = np.exp(-0.5 * nodes**2) * np.tile(weights, PANELS)
    return nodes, density / density.sum()
