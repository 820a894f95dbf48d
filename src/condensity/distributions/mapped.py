"""Formulas of y = t⁻¹(u) for a mixture u of normals and any monotone map t."""

from functools import cache
from itertools import combinations

import numpy as np

from condensity.distributions import guards, mapped_shape
from condensity.distributions.formulas import ComponentSummary, DistributionFormulas
from condensity.distributions.mixture import Mixture
from condensity.distributions.monotone import MonotoneMap

#: Means and variances that have no closed form: Gauss–Legendre NODES in each of PANELS over ± REACH σ of a component.
REACH, PANELS, NODES = 12.0, 24, 16

#: Numbers in a block of components and nodes.
BLOCK = 2**20

#: Verbs that a map whose inverse has flat parts or steps has no general form of.
OF_DENSITIES = frozenset({"mode", "modes", "entropy", "crps", "energy_score", "region", "hpd_value"})


class MappedFormulas(DistributionFormulas):
    """Densities by the Jacobian, probabilities and quantiles by monotony, shape by roots, moments and CRPS by quadrature.

    A map's closed forms inherit from it.

    Parameters
    ----------
    base : Mixture
        Of u.
    transform : MonotoneMap
        The same for every output.
    """

    base: Mixture
    transform: "MonotoneMap"

    def __init__(self, base: Mixture, transform: MonotoneMap):
        self.base, self.transform = base, transform

    def refusal(self, verb: str) -> str | None:
        """Reason why a verb has no exact result for the map or for several outputs; None where it has one."""
        several = self.base.n_outputs > 1
        if verb == "to_scipy":
            return "to_scipy is for mixtures of normals, and this is one of a transform; base.to_scipy has it for u."
        if verb in {"mode", "modes"} and several:
            return guards.one_output(verb, self.base.n_outputs)
        if verb == "energy_score" and several:
            return "energy_score has no exact form for several transformed outputs; score marginals, or u with `base`."
        if verb in OF_DENSITIES and not self.transform.strict:
            return (
                f"{verb} has no general form where {self.transform.name!r} gives different u the same y; draw samples."
            )
        return None

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
        """Covariance matrices, (n, q, q); between outputs by quadrature to about 1e-8 of the standard deviations."""
        if self.base.n_outputs == 1:
            return self.var()[:, None, None]
        weights, (means, variances) = self.base.weights, self.component_moments()
        off = means - np.einsum("nk,nki->ni", weights, means)[:, None]
        within = products_of_deviations(self.base, self.transform, means, variances)
        return np.einsum("nk,nkij->nij", weights, within) + np.einsum("nk,nki,nkj->nij", weights, off, off)

    # ------------------------------------------------------------------------------------------------ shape and scores
    def modes(self) -> list[np.ndarray]:
        """Modes, n arrays (j,), densest first, by golden section from a grid in the σ of every component."""
        return mapped_shape.modes(self.base, self.transform)

    def region(self, level: float) -> list[np.ndarray]:
        """Highest-density regions that hold a probability of `level`, n arrays (j, 2)."""
        return mapped_shape.region(self.base, self.transform, level)

    def hpd_value(self, y: np.ndarray) -> np.ndarray:
        """P(pdf(Y) ≥ pdf(y)), (n, g), at points y (n, g)."""
        return mapped_shape.hpd_value(self.base, self.transform, self._carried(y))

    def entropy(self) -> np.ndarray:
        """Differential entropy in nats, (n,): that of u, and the mean of log |dy/du|."""
        return self.base.formulas.entropy() + mapped_shape.entropy_of_slope(self.base, self.transform)

    def crps(self, y: np.ndarray) -> np.ndarray:
        """CRPS (n, g) at points y (n, g), by quadrature to about 1e-10 of it."""
        low, high = self.transform.domain
        inside = mapped_shape.crps(self.base, self.transform, self._carried(y))
        # Beyond an end of the range of y, every unit costs one.
        beyond = np.where(y < low, low - y, np.where(y > high, y - high, 0.0))
        return inside + np.where(np.isfinite(beyond), beyond, 0.0)

    def _carried(self, y: np.ndarray) -> np.ndarray:
        """The u of points, infinite for those outside the domain."""
        low, high = self.transform.domain
        ends = (-np.inf, np.inf) if self.transform.increasing else (np.inf, -np.inf)
        u = self._forward(y, self._inside(y))
        return np.where(y <= low, ends[0], np.where(y >= high, ends[1], u))

    def component_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of y in every component, (n, K[, q]), by quadrature to about 1e-9 of the standard deviation."""
        if self.transform.breaks:
            return mapped_shape.component_moments(self.base, self.transform)
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

    @np.errstate(all="ignore")
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        means, variances = self.component_moments()
        weights = self.base.weights if means.ndim == 2 else self.base.weights[:, :, None]
        mean = (weights * means).sum(axis=1)
        return mean, (weights * (variances + (means - mean[:, None]) ** 2)).sum(axis=1)


def products_of_deviations(
    base: Mixture, transform: MonotoneMap, means: np.ndarray, variances: np.ndarray
) -> np.ndarray:
    """Covariances (n, K, q, q) of y within every component of `base`, by `transform`, from its means and variances (n, K, q).

    Two outputs of a component are μ + σ z with z and ρ z + √(1 − ρ²) z′: a square of panels.
    """
    n, k, q = means.shape
    nodes, weights = _panels(9.0, 12, 8)
    correlations = base.covariances / (base.scales[..., :, None] * base.scales[..., None, :])
    result = np.zeros((n, k, q, q))
    result[..., range(q), range(q)] = variances
    for i, j in combinations(range(q), 2):
        for row in range(n):
            for component in range(k):
                rho = np.clip(correlations[row, component, i, j], -1.0, 1.0)
                z = rho * nodes[:, None] + np.sqrt(1.0 - rho**2) * nodes
                mu, sigma = base.means[row, component], base.scales[row, component]
                first = transform.inverse(mu[i] + sigma[i] * nodes) - means[row, component, i]
                second = transform.inverse(mu[j] + sigma[j] * z) - means[row, component, j]
                result[row, component, [i, j], [j, i]] = (weights * first) @ (second @ weights)
    return result


@cache
def _panels(reach: float = REACH, panels: int = PANELS, n_nodes: int = NODES) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal quadrature: nodes and weights of n_nodes in each of the Gauss–Legendre panels over ± reach."""
    inside, weights = np.polynomial.legendre.leggauss(n_nodes)
    edges = np.linspace(-reach, reach, panels + 1)
    half = 0.5 * (edges[1] - edges[0])
    nodes = (0.5 * (edges[:-1] + edges[1:])[:, None] + half * inside).ravel()
    density = np.exp(-0.5 * nodes**2) * np.tile(weights, panels)
    return nodes, density / density.sum()
