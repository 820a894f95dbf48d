"""Formulas of mixtures of normals: over one output, by the current engine (`condensity.compute`), and over several."""

import numpy as np

from condensity import engines
from condensity.distributions import gaussian
from condensity.distributions.formulas import ComponentSummary, DistributionFormulas
from condensity.distributions.normal_shape import energy, level_sets, modes
from condensity.distributions.parameters import Parameters

#: Sums and quotients may leave the range of numbers on their way to a result that does not; that is no warning for a user.
QUIETLY = np.errstate(all="ignore")


class NormalFormulas(DistributionFormulas):
    """Moments and components, for any number q of outputs.

    Parameters
    ----------
    parameters : Parameters
        In data units.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters

    @QUIETLY
    def mean(self) -> np.ndarray:
        """Mean, (n,) or (n, q)."""
        return _average(self.parameters.weights, self.parameters.means)

    @QUIETLY
    def var(self) -> np.ndarray:
        """Variance, (n,) or (n, q), as Σ π (σ² + (μ − mean)²): no cancellation."""
        return _average(self.parameters.weights, self.parameters.scales**2 + self._deviations() ** 2)

    @QUIETLY
    def cov(self) -> np.ndarray:
        """Covariance matrices, (n, q, q), as Σ π (Σ_k + (μ − mean)(μ − mean)ᵀ): no cancellation."""
        if self.parameters.n_outputs == 1:
            return self.var()[:, None, None]
        weights, deviation = self.parameters.weights, self._deviations()
        between = np.einsum("nk,nki,nkj->nij", weights, deviation, deviation, optimize=True)
        return _average(weights, self.parameters.covariances) + between

    @QUIETLY
    def std(self) -> np.ndarray:
        """Standard deviation, (n,) or (n, q), without overflow."""
        root_weights = np.exp(0.5 * self.parameters.log_weights)
        if self.parameters.n_outputs > 1:
            root_weights = root_weights[:, :, None]
        return np.hypot(_norm(root_weights * self.parameters.scales), _norm(root_weights * self._deviations()))

    def component_summary(self) -> ComponentSummary:
        """Weights, means and standard deviations."""
        return ComponentSummary(self.parameters.weights, self.parameters.means, self.parameters.scales)

    def _deviations(self) -> np.ndarray:
        """Component means less the mean, (n, K[, q]).

        The mean of a row at 1e9 is rounded by 1e-7, a tenth of a σ of 1e-6; its own deviations tell by how much.
        """
        deviation = self.parameters.means - self.mean()[:, None]
        return deviation - _average(self.parameters.weights, deviation)[:, None]

    @property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log weights, means and factors: the arguments of every kernel."""
        return self.parameters.log_weights, self.parameters.means, self.parameters.factors


class UnivariateNormalFormulas(NormalFormulas):
    """Formulas for one output."""

    def logpdf(self, y: np.ndarray) -> np.ndarray:
        """Log density (n, g) in nats at points y (n, g)."""
        return engines.mixture_logpdf(*self._arrays, y)

    def logcdf(self, y: np.ndarray) -> np.ndarray:
        """Log of P(Y ≤ y), (n, g), at points y (n, g)."""
        return engines.mixture_logcdf(*self._arrays, y)

    def logsf(self, y: np.ndarray) -> np.ndarray:
        """Log of P(Y > y), (n, g), at points y (n, g)."""
        return engines.mixture_logsf(*self._arrays, y)

    def quantile(self, log_lower: np.ndarray, log_upper: np.ndarray) -> np.ndarray:
        """The y (n, m) with log probabilities log_lower (n, m) below and log_upper (n, m) above it."""
        return engines.mixture_quantile(*self._arrays, log_lower, log_upper)

    def sample(self, n_samples: int, generator: np.random.Generator) -> np.ndarray:
        """Draws (n, n_samples) by a generator."""
        key = int(generator.integers(2**64, dtype=np.uint64))
        return engines.mixture_sample(*self._arrays, n_samples, key)

    @QUIETLY
    def crps(self, y: np.ndarray) -> np.ndarray:
        """Continuous ranked probability score (n, g) at points y (n, g)."""
        return np.maximum(
            engines.mixture_crps(*self._arrays, y), 0.0
        )  # of a very narrow density, rounding is all there is

    @QUIETLY
    def mode(self) -> np.ndarray:
        """Densest point, (n,)."""
        return level_sets.find_modes(*self._arrays)[0][:, 0]

    @QUIETLY
    def modes(self) -> list[np.ndarray]:
        """All modes, certified by bounds on derivatives."""
        points, _ = level_sets.find_modes(*self._arrays)
        return [row[~np.isnan(row)] for row in points]

    @QUIETLY
    def region(self, level: float) -> list[np.ndarray]:
        """Highest-density regions that hold a probability of `level`, n arrays (j, 2)."""
        bounds = zip(*level_sets.highest_density_region(*self._arrays, level), strict=True)
        return [np.column_stack([lower[~np.isnan(lower)], upper[~np.isnan(lower)]]) for lower, upper in bounds]

    @QUIETLY
    def hpd_value(self, y: np.ndarray) -> np.ndarray:
        """P(pdf(Y) ≥ pdf(y)), (n, g), at points y (n, g)."""
        return level_sets.hpd_value(*self._arrays, y)

    @QUIETLY
    def entropy(self) -> np.ndarray:
        """Differential entropy in nats, (n,)."""
        return level_sets.entropy(*self._arrays)


class MultivariateNormalFormulas(NormalFormulas):
    """Formulas for several outputs."""

    def logpdf(self, y: np.ndarray) -> np.ndarray:
        """Log density (n, g) in nats at points y (n, g, q)."""
        return gaussian.log_density(*self._arrays, y)

    def sample(self, n_samples: int, generator: np.random.Generator) -> np.ndarray:
        """Draws (n, n_samples, q) by a generator."""
        return gaussian.draw(*self._arrays, n_samples, generator)

    @QUIETLY
    def energy_score(self, y: np.ndarray) -> np.ndarray:
        """Energy score (n, g) at points y (n, g, q), by one-dimensional quadrature."""
        return np.maximum(energy.energy_score(*self._arrays, y), 0.0)

    @QUIETLY
    def mode(self) -> np.ndarray:
        """Densest point, (n, q)."""
        return np.reshape([row[0] for row in self.modes()], (len(self.parameters.means), self.parameters.n_outputs))

    @QUIETLY
    def modes(self) -> list[np.ndarray]:
        """Modes found by ascent from many starts, n arrays (j, q)."""
        return modes.find_modes(*self._arrays)


def _average(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Σ_k weights (n, K) · values (n, K, …)."""
    return np.einsum("nk,nk...->n...", weights, values)


def _norm(array: np.ndarray) -> np.ndarray:
    """Euclidean norm over the components, (n, K, …) to (n, …), safe from overflow and underflow."""
    largest = np.abs(array).max(axis=1, keepdims=True)
    scale = np.where(largest > 0, largest, 1.0)
    return np.linalg.norm(array / scale, axis=1) * scale[:, 0]
