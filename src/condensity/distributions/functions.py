"""Monotone maps made of functions, and maps one after another."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from condensity.distributions.monotone import MonotoneMap
from condensity.persistence import saveable

#: Relative step and weights of the central difference of eighth order: error about 1e-10 where t is smooth on that scale.
STEP = 2.0**-6
WEIGHTS = (4 / 5, -1 / 5, 4 / 105, -1 / 280)


@saveable("FunctionTransform")
@dataclass(frozen=True)
class FunctionTransform(MonotoneMap):
    """A map made of functions.

    Attributes
    ----------
    forward_function, inverse_function : callable ndarray -> ndarray
        u of y and y of u, any shape, element by element.
    derivative : callable or None
        dt/dy; None takes differences, good to about 1e-9.
    rises : bool
        Whether larger y have larger u.

    Examples
    --------
    >>> import numpy as np
    >>> from condensity import Mixture, TransformedMixture
    >>> root = FunctionTransform(np.cbrt, lambda u: u**3)
    >>> TransformedMixture(Mixture(weights=[[1.0]], means=[[2.0]], scales=[[1.0]]), root).mean().round(9)
    array([14.])
    """

    forward_function: Callable[[Any], Any]
    inverse_function: Callable[[Any], Any]
    derivative: Callable[[Any], Any] | None = None
    rises: bool = True

    @property
    def name(self) -> str:
        """How messages call the map."""
        return "functions"

    def forward(self, y: np.ndarray) -> np.ndarray:
        """The u of y, (n,) or any other shape."""
        return np.asarray(self.forward_function(y), dtype=float)

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """The y of u, (n,) or any other shape."""
        return np.asarray(self.inverse_function(u), dtype=float)

    def log_derivative(self, y: np.ndarray) -> np.ndarray:
        """Logarithm of `|dt/dy|` at y, (n,) or any other shape."""
        slope = self._difference(y) if self.derivative is None else np.asarray(self.derivative(y), dtype=float)
        with np.errstate(divide="ignore"):
            return np.log(np.abs(slope))

    def log_inverse_derivative(self, u: np.ndarray) -> np.ndarray:
        """Logarithm of `|dy/du|` at u, (n,) or any other shape."""
        if self.derivative is not None:
            return super().log_inverse_derivative(u)
        with np.errstate(divide="ignore"):
            return -np.log(np.abs(self._difference_at(u)))

    def _difference(self, y: np.ndarray) -> np.ndarray:
        return self._difference_at(self.forward(y))

    def _difference_at(self, middle: np.ndarray) -> np.ndarray:
        """dt/dy at u, by a step in u that is small where t changes fast, carried back to y; smaller near an end of the u."""
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = self._slope(middle, STEP * np.maximum(np.abs(middle), 1.0))
            return np.where(np.isnan(slope), self._slope(middle, STEP * np.abs(middle)), slope)

    def _slope(self, middle: np.ndarray, step: np.ndarray) -> np.ndarray:
        ends = [self.inverse(middle + k * step) - self.inverse(middle - k * step) for k in range(1, 5)]
        return step / sum(weight * end for weight, end in zip(WEIGHTS, ends, strict=True))

    def check_loaded(self) -> None:
        """Refuse what are no functions."""
        parts: tuple[Any, ...] = (self.forward_function, self.inverse_function)
        if not all(map(callable, parts)):
            raise ValueError("a transform of functions must have two of them")

    @property
    def increasing(self) -> bool:
        """Whether larger y have larger u."""
        return self.rises

    def check(self, y: np.ndarray) -> None:
        """Refuse functions that are not monotone on y (n, q), or do not undo each other."""
        values = np.unique(y[~np.isnan(y)])
        u = self.forward(values)
        if u.shape != values.shape or not np.isfinite(u).all():
            raise ValueError("y_transform: the first function must give a finite number for every y; it does not.")
        steps = np.diff(u)
        if len(steps) and not ((steps > 0).all() or (steps < 0).all()):
            raise ValueError("y_transform: the first function must rise, or fall, all along y; it does not.")
        spread = max(float(np.ptp(values)), np.finfo(float).tiny)
        error = np.abs(self.inverse(u) - values).max()
        if not error <= 1e-6 * spread:
            raise ValueError(
                f"y_transform: the second function must undo the first; they differ by {error:.3g}, y spreads over {spread:.3g}."
            )


@saveable("Chained")
@dataclass(frozen=True)
class Chained(MonotoneMap):
    """u = second(first(y)).

    Attributes
    ----------
    first, second : MonotoneMap

    Examples
    --------
    >>> import numpy as np
    >>> twice = FunctionTransform(np.cbrt, lambda u: u**3)
    >>> Chained(twice, twice).inverse(np.array([2.0]))
    array([512.])
    """

    first: MonotoneMap
    second: MonotoneMap

    def check_loaded(self) -> None:
        """Refuse what are no maps."""
        parts: tuple[Any, ...] = (self.first, self.second)
        if not all(isinstance(part, MonotoneMap) for part in parts):
            raise ValueError("a chain must be of two maps")

    @property
    def name(self) -> str:
        """How messages call the map."""
        return f"{self.second.name} of {self.first.name}"

    @property
    def domain(self) -> tuple[float, float]:
        """Where y may lie: within the first map's domain, and where its u lies in that of the second."""
        low, high = self.first.domain
        with np.errstate(all="ignore"):
            ends = np.sort(self.first.inverse(np.array(self.second.domain)))
        return float(np.fmax(low, ends[0])), float(np.fmin(high, ends[1]))

    @property
    def increasing(self) -> bool:
        """Whether larger y have larger u."""
        return self.first.increasing == self.second.increasing

    @property
    def strict(self) -> bool:
        """Whether both maps are strict."""
        return self.first.strict and self.second.strict

    @property
    def breaks(self) -> tuple[float, ...]:
        """Those of both maps."""
        with np.errstate(all="ignore"):
            carried = self.second.forward(np.array(self.first.breaks, dtype=float))
        return (*self.second.breaks, *(float(each) for each in carried[np.isfinite(carried)]))

    def forward(self, y: np.ndarray) -> np.ndarray:
        """The u of y, (n,) or any other shape."""
        return self.second.forward(self.first.forward(y))

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """The y of u, (n,) or any other shape."""
        return self.first.inverse(self.second.inverse(u))

    def log_derivative(self, y: np.ndarray) -> np.ndarray:
        """Logarithm of `|dt/dy|` at y, (n,) or any other shape."""
        return self.first.log_derivative(y) + self.second.log_derivative(self.first.forward(y))

    def log_inverse_derivative(self, u: np.ndarray) -> np.ndarray:
        """Logarithm of `|dy/du|` at u, (n,) or any other shape."""
        return self.first.log_inverse_derivative(self.second.inverse(u)) + self.second.log_inverse_derivative(u)

    def check(self, y: np.ndarray) -> None:
        """Refuse targets y (n, q) that either map cannot take."""
        self.first.check(y)
        self.second.check(self.first.forward(y))


@saveable("Linear")
@dataclass(frozen=True)
class Linear(MonotoneMap):
    """u = (y − shift) / scale.

    Attributes
    ----------
    scale : float
        In units of y, ≠ 0.
    shift : float
        In units of y.

    Examples
    --------
    >>> import numpy as np
    >>> Linear(2.0, 1.0).inverse(np.array([3.0]))
    array([7.])
    """

    scale: float
    shift: float = 0.0

    def check_loaded(self) -> None:
        """Refuse numbers that make no map."""
        if not (np.isfinite(self.scale) and np.isfinite(self.shift) and self.scale):
            raise ValueError("a linear map must have a scale other than 0")

    @property
    def increasing(self) -> bool:
        """Whether larger y have larger u."""
        return self.scale > 0

    def forward(self, y: np.ndarray) -> np.ndarray:
        """The u of y, (n,) or any other shape."""
        return (np.asarray(y, dtype=float) - self.shift) / self.scale

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """The y of u, (n,) or any other shape."""
        return np.asarray(u, dtype=float) * self.scale + self.shift

    def log_derivative(self, y: np.ndarray) -> np.ndarray:
        """Logarithm of `|dt/dy|` at y, (n,) or any other shape."""
        return np.full(np.shape(y), -np.log(abs(self.scale)))
