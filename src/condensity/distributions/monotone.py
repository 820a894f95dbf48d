"""`MonotoneMap`: the one class to write for distributions of y where u = t(y) is a mixture of normals."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from condensity.distributions.formulas import DistributionFormulas
from condensity.distributions.mixture import Mixture


class MonotoneMap(ABC):
    """A monotone map u = t(y) of one output; immutable, and compared with `==` where distributions are mixed.

    Maps are strictly increasing or decreasing, and smooth between their `breaks`. The definition of `forward` also holds for maps
    whose inverse has flat parts and steps (clipped or rounded targets): probabilities, quantiles, draws and moments need nothing
    more; such a map is not `strict`, and supplies probabilities in place of densities in `closed_forms`.

    Examples
    --------
    A map in a file of its own, for targets of either sign with heavy tails:

    >>> import numpy as np
    >>> from condensity import Mixture, TransformedMixture
    >>> class Arsinh(MonotoneMap):
    ...     def forward(self, y):
    ...         return np.arcsinh(y)
    ...     def inverse(self, u):
    ...         return np.sinh(u)
    ...     def log_derivative(self, y):
    ...         return -0.5 * np.log1p(y**2)
    >>> dist = TransformedMixture(Mixture(weights=[[1.0]], means=[[1.0]], scales=[[0.5]]), Arsinh())
    >>> dist.median().round(3), dist.cdf(np.sinh(1.0))
    (array([1.175]), array([0.5]))
    """

    @abstractmethod
    def forward(self, y: np.ndarray) -> np.ndarray:
        """The u of y, (n,) or any other shape, element by element; y lies inside `domain` or is NaN.

        Among several u with `inverse(u)` ≤ y, the one next to those with `inverse(u)` > y, so that P(Y ≤ y) is P(U ≤ u) for
        increasing maps and P(U > u) for decreasing ones.
        """

    @abstractmethod
    def inverse(self, u: np.ndarray) -> np.ndarray:
        """The y of u, (n,) or any other shape, element by element; u may be infinite or NaN."""

    @abstractmethod
    def log_derivative(self, y: np.ndarray) -> np.ndarray:
        """Logarithm of `|dt/dy|` at y, (n,) or any other shape, element by element."""

    @property
    def domain(self) -> tuple[float, float]:
        """Where y may lie, in data units, both ends excluded."""
        return -np.inf, np.inf

    @property
    def increasing(self) -> bool:
        """Whether larger y have larger u."""
        return True

    @property
    def strict(self) -> bool:
        """Whether different u have different y, so that y has a density with modes, regions and an entropy."""
        return True

    @property
    def breaks(self) -> tuple[float, ...]:
        """The u at which a derivative of the map jumps: quadratures begin anew there."""
        return ()

    def log_inverse_derivative(self, u: np.ndarray) -> np.ndarray:
        """Logarithm of `|dy/du|` at u, (n,) or any other shape; override it where `inverse` loses digits that this needs."""
        return -self.log_derivative(self.inverse(u))

    @property
    def name(self) -> str:
        """How messages call the map."""
        return type(self).__name__.lower()

    def closed_forms(self, base: Mixture) -> DistributionFormulas | None:
        """Formulas of y where u is distributed as `base`; None: moments by quadrature, no verb without a general form."""
        return None

    def check(self, y: np.ndarray) -> None:
        """Refuse targets y (n, q), in data units, that the map cannot take; NaN is left alone.

        Raises
        ------
        ValueError
            Tells how many rows lie outside the domain, and the first of them.
        """
        low, high = self.domain
        outside = ((y <= low) | (y >= high)).any(axis=1)
        if outside.any():
            raise ValueError(
                f"y_transform={self.name!r} needs y between {low:g} and {high:g}, both excluded; {int(outside.sum())} of "
                f"{len(y)} rows are not, the first is row {int(np.argmax(outside))}. Use another transform, or None."
            )

    def __eq__(self, other: Any) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(type(self))
