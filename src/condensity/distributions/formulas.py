"""`DistributionFormulas`: the formulas of a kind of distribution, on grids and without checks.

`Distribution` brings arguments to the shapes named here, refuses what `refusal` names, and has each public verb once. Letters:
n rows, K components, q outputs, g points per row, m levels per row, s samples per row. Points are in data units.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np


class ComponentSummary(NamedTuple):
    """Components of any kind of distribution in data units, for figures and tables.

    Attributes
    ----------
    weights : ndarray (n, K)
        Sum to the row's mass.
    centers : ndarray (n, K) or (n, K, q)
        In data units: means of normal components, medians of transformed ones.
    widths : ndarray (n, K) or (n, K, q)
        In data units: standard deviations of normal components; of transformed ones, half the distance between the quantiles
        at Φ(−1) and Φ(1).
    """

    weights: np.ndarray
    centers: np.ndarray
    widths: np.ndarray


class DistributionFormulas(ABC):
    """Formulas of the n rows of one distribution.

    The first six are required. The others are for one output, or have no closed form for every kind: `refusal` tells which.
    """

    @abstractmethod
    def logpdf(self, y: np.ndarray) -> np.ndarray:
        """Log density (n, g) in nats per data unit at points y, (n, g) or (n, g, q); with mass below 1, of the known part."""

    @abstractmethod
    def sample(self, n_samples: int, generator: np.random.Generator) -> np.ndarray:
        """Draws (n, s) or (n, s, q), n_samples = s of them per row, by a generator; NaN with probability 1 − mass."""

    @abstractmethod
    def mean(self) -> np.ndarray:
        """Mean, (n,) or (n, q)."""

    @abstractmethod
    def var(self) -> np.ndarray:
        """Variance, (n,) or (n, q)."""

    @abstractmethod
    def cov(self) -> np.ndarray:
        """Covariance matrices, (n, q, q)."""

    @abstractmethod
    def component_summary(self) -> ComponentSummary:
        """Weights, centers and widths of the components."""

    def refusal(self, verb: str) -> str | None:
        """Reason in a sentence why this kind has no exact result for a verb; None where it has one."""
        return None

    def std(self) -> np.ndarray:
        """Standard deviation, (n,) or (n, q)."""
        return np.sqrt(self.var())

    def mode(self) -> np.ndarray:
        """Densest point, (n,) or (n, q)."""
        return np.array([row[0] for row in self.modes()])

    def modes(self) -> list[np.ndarray]:
        """All modes, n arrays (j,) or (j, q), densest first."""
        raise NotImplementedError

    def energy_score(self, y: np.ndarray) -> np.ndarray:
        """Energy score (n, g) at points y, (n, g) or (n, g, q); for one output, the CRPS."""
        return self.crps(y)

    # ------------------------------------------------------------------------------------------------ one output
    def logcdf(self, y: np.ndarray) -> np.ndarray:
        """Log of P(Y ≤ y), (n, g), at points y (n, g); with mass below 1, of the known part."""
        raise NotImplementedError

    def logsf(self, y: np.ndarray) -> np.ndarray:
        """Log of P(Y > y), (n, g), at points y (n, g); with mass below 1, of the known part."""
        raise NotImplementedError

    def quantile(self, log_lower: np.ndarray, log_upper: np.ndarray) -> np.ndarray:
        """The y (n, m) with log P(Y ≤ y) = log_lower and log P(Y > y) = log_upper, both (n, m)."""
        raise NotImplementedError

    def region(self, level: float) -> list[np.ndarray]:
        """Highest-density regions that hold a probability of `level`, n arrays (j, 2)."""
        raise NotImplementedError

    def hpd_value(self, y: np.ndarray) -> np.ndarray:
        """P(pdf(Y) ≥ pdf(y)), (n, g), at points y (n, g)."""
        raise NotImplementedError

    def entropy(self) -> np.ndarray:
        """Differential entropy in nats, (n,)."""
        raise NotImplementedError

    def crps(self, y: np.ndarray) -> np.ndarray:
        """Continuous ranked probability score (n, g) in data units at points y (n, g)."""
        raise NotImplementedError
