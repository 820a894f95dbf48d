"""Monotone maps u = t(y) to a scale on which a mixture of normals describes y better: positive, bounded, skewed targets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from condensity.distributions.lognormal import Log
from condensity.distributions.monotone import MonotoneMap
from condensity.persistence import saveable

__all__ = ["FunctionTransform", "Log", "Logit", "MonotoneMap", "choose_transform", "make_transform"]

#: A lognormal must be likelier than a normal by this, in nats per row, for 'auto' to take logarithms.
CLEAR_GAIN = 0.05

#: Relative step and weights of the central difference of eighth order: error about 1e-10 where t is smooth on that scale.
STEP = 2.0**-6
WEIGHTS = (4 / 5, -1 / 5, 4 / 105, -1 / 280)


@saveable("Logit")
@dataclass(frozen=True)
class Logit(MonotoneMap):
    """u = log(y / (1 − y)), for 0 < y < 1: components are logit-normal.

    Examples
    --------
    >>> from condensity import Mixture, TransformedMixture
    >>> dist = TransformedMixture(Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]), Logit())
    >>> dist.interval(0.9).round(3)
    array([[0.162, 0.838]])
    """

    @property
    def domain(self) -> tuple[float, float]:
        """Between 0 and 1."""
        return 0.0, 1.0

    def forward(self, y: np.ndarray) -> np.ndarray:
        """The u of y, (n,) or any other shape."""
        return np.log(y) - np.log1p(-y)

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """The y of u, (n,) or any other shape."""
        return expit(u)

    def log_derivative(self, y: np.ndarray) -> np.ndarray:
        """Log |dt/dy| at y, (n,) or any other shape."""
        return -np.log(y) - np.log1p(-y)


#: Maps by the names that `y_transform` takes.
BY_NAME: dict[str, MonotoneMap] = {"log": Log(), "logit": Logit()}


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
        """Log |dt/dy| at y, (n,) or any other shape."""
        slope = self._difference(y) if self.derivative is None else np.asarray(self.derivative(y), dtype=float)
        with np.errstate(divide="ignore"):
            return np.log(np.abs(slope))

    def _difference(self, y: np.ndarray) -> np.ndarray:
        # A step in u that is small where t changes fast, carried back to y.
        middle = self.forward(y)
        step = STEP * np.maximum(np.abs(middle), 1.0)
        ends = [self.inverse(middle + k * step) - self.inverse(middle - k * step) for k in range(1, 5)]
        return step / sum(weight * end for weight, end in zip(WEIGHTS, ends, strict=True))

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


def make_transform(how: Any, y: np.ndarray, weight: np.ndarray | None = None) -> MonotoneMap | None:
    """Map that `y_transform` asks for, checked against training targets.

    Parameters
    ----------
    how : None, 'log', 'logit', 'auto', MonotoneMap, (forward, inverse) or (forward, inverse, derivative)
    y : ndarray (n, q)
        In data units; NaN where a value is missing.
    weight : ndarray (n,), optional
        Sample weights, for 'auto'.

    Raises
    ------
    ValueError
        For anything else, and for targets that the map cannot take.
    """
    if how is None:
        return None
    if isinstance(how, str) and how == "auto":
        return choose_transform(y, weight)
    if isinstance(how, MonotoneMap):
        transform = how
    elif isinstance(how, str) and how in BY_NAME:
        transform = BY_NAME[how]
    elif isinstance(how, (tuple, list)) and len(how) in (2, 3) and all(map(callable, how)):
        transform = _of_functions(*how, y=y)
    else:
        raise ValueError(
            "y_transform must be None, 'log', 'logit', 'auto', a MonotoneMap, or functions (forward, inverse) or (forward, "
            f"inverse, derivative); got {how!r}."
        )
    transform.check(y)
    return transform


def _of_functions(
    forward: Callable[[Any], Any],
    inverse: Callable[[Any], Any],
    derivative: Callable[[Any], Any] | None = None,
    *,
    y: np.ndarray,
) -> FunctionTransform:
    """Map made of functions, rising or falling as they do on the targets (n, q)."""
    values = np.unique(y[~np.isnan(y)])
    ends = np.asarray(forward(values[[0, -1]]), dtype=float)
    return FunctionTransform(forward, inverse, derivative, bool(ends[1] >= ends[0]))


def choose_transform(y: np.ndarray, weight: np.ndarray | None = None) -> Log | None:
    """Logarithms, where every target is positive and a lognormal clearly likelier than a normal (Box & Cox 1964), else None.

    Parameters
    ----------
    y : ndarray (n, q)
        In data units; NaN where a value is missing.
    weight : ndarray (n,), optional
        Sample weights.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).lognormal(size=(100, 1))
    >>> choose_transform(y), choose_transform(np.log(y))
    (Log(), None)
    """
    gain = 0.0
    for column in y.T:
        present = ~np.isnan(column)
        values, own = column[present], np.ones(present.sum()) if weight is None else weight[present]
        if not len(values) or values.min() <= 0 or values.min() == values.max():
            return None
        logs = np.log(values / values.max())
        mean = np.average(logs, weights=own)
        spread_of_logs = np.average((logs - mean) ** 2, weights=own)
        scaled = values / values.max()
        spread = np.average((scaled - np.average(scaled, weights=own)) ** 2, weights=own)
        gain += 0.5 * np.log(spread) - 0.5 * np.log(spread_of_logs) - mean
    return Log() if gain > CLEAR_GAIN * y.shape[1] else None
