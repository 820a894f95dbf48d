"""Monotone maps u = t(y) to a scale on which a mixture of normals describes y better: positive, bounded, skewed targets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

#: A lognormal must be likelier than a normal by so many nats a row for 'auto' to take logarithms.
CLEAR_GAIN = 0.05

#: Relative step and weights of the central difference of eighth order: error about 1e-10 where t is smooth on that scale.
STEP = 2.0**-6
WEIGHTS = (4 / 5, -1 / 5, 4 / 105, -1 / 280)


class Transform:
    """A strictly monotone, smooth map of y."""

    #: Where y may lie, both ends excluded.
    domain: ClassVar[tuple[float, float]] = (-np.inf, np.inf)
    name: ClassVar[str]

    def forward(self, y):
        """The u of y."""
        raise NotImplementedError

    def inverse(self, u):
        """The y of u."""
        raise NotImplementedError

    def log_derivative(self, y):
        """Log |dt/dy| at y."""
        raise NotImplementedError

    @property
    def increasing(self) -> bool:
        """Whether larger y have larger u."""
        return True

    def check(self, y):
        """Refuse targets (n, q) that the map cannot take; NaN is left alone.

        Raises
        ------
        ValueError
        """
        low, high = self.domain
        outside = ((y <= low) | (y >= high)).any(axis=1)
        if outside.any():
            raise ValueError(
                f"y_transform={self.name!r} needs y between {low:g} and {high:g}, both excluded; {int(outside.sum())} of "
                f"{len(y)} rows are not, the first is row {int(np.argmax(outside))}. Use another transform, or None."
            )


@dataclass(frozen=True)
class Log(Transform):
    """u = log y, for y > 0: components are lognormal."""

    domain: ClassVar = (0.0, np.inf)
    name: ClassVar = "log"

    def forward(self, y):
        """The u of y."""
        return np.log(y)

    def inverse(self, u):
        """The y of u."""
        return np.exp(u)

    def log_derivative(self, y):
        """Log |dt/dy| at y."""
        return -np.log(y)


@dataclass(frozen=True)
class Logit(Transform):
    """u = log(y / (1 − y)), for 0 < y < 1: components are logit-normal."""

    domain: ClassVar = (0.0, 1.0)
    name: ClassVar = "logit"

    def forward(self, y):
        """The u of y."""
        return np.log(y) - np.log1p(-y)

    def inverse(self, u):
        """The y of u."""
        from scipy.special import expit

        return expit(u)

    def log_derivative(self, y):
        """Log |dt/dy| at y."""
        return -np.log(y) - np.log1p(-y)


@dataclass(frozen=True)
class FunctionTransform(Transform):
    """Functions of the user's own.

    Attributes
    ----------
    forward_function, inverse_function : callable ndarray -> ndarray
    derivative : callable or None
        dt/dy; None takes differences, good to about 1e-9.
    rises : bool
    """

    forward_function: Callable[[Any], Any]
    inverse_function: Callable[[Any], Any]
    derivative: Callable[[Any], Any] | None = None
    rises: bool = True
    name: ClassVar = "pair"

    def forward(self, y):
        """The u of y."""
        return np.asarray(self.forward_function(y), dtype=float)

    def inverse(self, u):
        """The y of u."""
        return np.asarray(self.inverse_function(u), dtype=float)

    def log_derivative(self, y):
        """Log |dt/dy| at y."""
        slope = self._difference(y) if self.derivative is None else np.asarray(self.derivative(y), dtype=float)
        with np.errstate(divide="ignore"):
            return np.log(np.abs(slope))

    def _difference(self, y):
        # A step in u that is small where t changes fast, carried back to y.
        middle = self.forward(y)
        step = STEP * np.maximum(np.abs(middle), 1.0)
        ends = [self.inverse(middle + k * step) - self.inverse(middle - k * step) for k in range(1, 5)]
        return step / sum(weight * end for weight, end in zip(WEIGHTS, ends, strict=True))

    @property
    def increasing(self):
        """Whether larger y have larger u."""
        return self.rises

    def check(self, y):
        """Refuse functions that are not monotone on y (n, q), or do not undo each other."""
        known = y[~np.isnan(y)]
        values = np.unique(known)
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


def make_transform(how, y, weight=None) -> Transform | None:
    """What `y_transform` asks for, checked against training targets y (n, q).

    Parameters
    ----------
    how : None, 'log', 'logit', 'auto', (forward, inverse) or (forward, inverse, derivative)
    y : ndarray (n, q)
        NaN where a value is missing.
    weight : ndarray (n,), optional

    Raises
    ------
    ValueError
    """
    if how is None:
        return None
    if isinstance(how, str):
        if how == "auto":
            return choose_transform(y, weight)
        known = {"log": Log(), "logit": Logit()}
        transform: Transform | None = known.get(how)
    elif isinstance(how, (tuple, list)) and len(how) in (2, 3) and all(map(callable, how)):
        values = np.unique(y[~np.isnan(y)])
        ends = np.asarray(how[0](values[[0, -1]]), dtype=float)
        transform = FunctionTransform(how[0], how[1], how[2] if len(how) == 3 else None, bool(ends[1] >= ends[0]))
    else:
        transform = None
    if transform is None:
        raise ValueError(
            "y_transform must be None, 'log', 'logit', 'auto', or functions (forward, inverse) or (forward, inverse, "
            f"derivative); got {how!r}."
        )
    transform.check(y)
    return transform


def choose_transform(y, weight=None) -> Log | None:
    """Logarithms, if every column of y (n, q) is positive and a lognormal is clearly likelier than a normal (Box & Cox 1964)."""
    gain = 0.0
    for column in y.T:
        known = ~np.isnan(column)
        values, own = column[known], np.ones(known.sum()) if weight is None else weight[known]
        if not len(values) or values.min() <= 0 or values.min() == values.max():
            return None
        logs = np.log(values / values.max())
        mean = np.average(logs, weights=own)
        spread_of_logs = np.average((logs - mean) ** 2, weights=own)
        scaled = values / values.max()
        spread = np.average((scaled - np.average(scaled, weights=own)) ** 2, weights=own)
        gain += 0.5 * np.log(spread) - 0.5 * np.log(spread_of_logs) - mean
    return Log() if gain > CLEAR_GAIN * y.shape[1] else None
