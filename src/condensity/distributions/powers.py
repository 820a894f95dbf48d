"""Power maps u = t(y), their exponents fitted by maximum likelihood: Box–Cox, Yeo–Johnson and the square root.

An exponent λ is that at which u is likeliest under a normal: the maximum of −½ log Var t(y) + mean log |dt/dy|, summed over
outputs. Targets enter in a unit of their own, so that other units of y change no fit.

References
----------
Box & Cox (1964), "An analysis of transformations", JRSS B 26.
Yeo & Johnson (2000), "A new family of power transformations to improve normality or symmetry", Biometrika 87.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from condensity.distributions.monotone import MonotoneMap
from condensity.persistence import saveable

#: Exponents of Box–Cox that are tried. Those of Yeo–Johnson stay within 0 and 2, where every u has a y.
MIN_EXPONENT, MAX_EXPONENT = -3.0, 3.0


@saveable("BoxCox")
@dataclass(frozen=True)
class BoxCox(MonotoneMap):
    """u = ((y / unit)^λ − 1) / λ, for y > 0; log(y / unit) for λ = 0.

    A power alone leaves some u without a y, and a normal has mass there. So the map goes on by a logarithm of the same value and
    slope below `low` for λ > 0 and above `high` for λ < 0: all mass lies on y > 0, and moments are finite.

    Attributes
    ----------
    exponent : float
        λ.
    unit, low, high : float
        In units of y: those of the training targets are their geometric mean, half the smallest and twice the largest.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).gamma(4.0, size=(500, 1))
    >>> round(BoxCox.fit(y).exponent, 1)
    0.2
    """

    exponent: float
    unit: float = 1.0
    low: float = 1e-3
    high: float = 1e3

    @classmethod
    def fit(cls, y: np.ndarray, weight: np.ndarray | None = None) -> "BoxCox":
        """The likeliest map of targets y (n, q), NaN where a value is missing, that count by weight (n,).

        Raises
        ------
        ValueError
            For targets that are not positive.
        """
        cls(0.0).check(y)
        present = y[~np.isnan(y)]
        unit = float(np.exp(np.log(present).mean()))
        ratios = y / np.exp(np.nanmean(np.log(y), axis=0))
        ends = float(np.nanmin(ratios)), float(np.nanmax(ratios))

        def log_likelihood(exponent: float) -> float:
            return _normal_likelihood(cls(exponent, 1.0, *ends), ratios, weight)

        exponent = _likeliest(log_likelihood, MIN_EXPONENT, MAX_EXPONENT)
        return cls(exponent, unit, 0.5 * float(present.min()), 2.0 * float(present.max()))

    def check_loaded(self) -> None:
        """Refuse numbers that make no map."""
        if not (np.isfinite(self.exponent) and 0 < self.unit < np.inf and 0 < self.low < self.high < np.inf):
            raise ValueError("a Box-Cox map must have a finite exponent and 0 < low < high")

    @property
    def domain(self) -> tuple[float, float]:
        """Positive numbers."""
        return 0.0, np.inf

    @property
    def name(self) -> str:
        """How messages call the map."""
        return "box-cox"

    @property
    def _knot(self) -> float:
        """The y / unit beyond which the map is a logarithm."""
        return (self.low if self.exponent > 0 else self.high) / self.unit

    @property
    def breaks(self) -> tuple[float, ...]:
        """The u of the knot."""
        return (float(_power(np.array(self._knot), self.exponent)),) if self.exponent else ()

    def _beyond(self, ratio: np.ndarray) -> np.ndarray:
        """Whether points y / unit lie where the map is a logarithm."""
        return ratio < self._knot if self.exponent > 0 else ratio > self._knot

    def forward(self, y: np.ndarray) -> np.ndarray:
        """The u of y, (n,) or any other shape."""
        ratio, knot = np.asarray(y, dtype=float) / self.unit, self._knot
        if not self.exponent:
            return np.log(ratio)
        beyond = self._beyond(ratio)
        power = _power(np.where(beyond, knot, ratio), self.exponent)
        return np.where(beyond, power + knot**self.exponent * np.log(np.where(beyond, ratio, knot) / knot), power)

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """The y of u, (n,) or any other shape."""
        if not self.exponent:
            return self.unit * np.exp(u)
        knot, edge = self._knot, self.breaks[0]
        beyond = u < edge if self.exponent > 0 else u > edge
        inside = np.where(beyond, edge, u)
        with np.errstate(over="ignore"):
            power = np.exp(np.log1p(self.exponent * inside) / self.exponent)
            return self.unit * np.where(beyond, knot * np.exp((u - edge) / knot**self.exponent), power)

    def log_derivative(self, y: np.ndarray) -> np.ndarray:
        """Logarithm of `|dt/dy|` at y, (n,) or any other shape."""
        ratio, knot = np.asarray(y, dtype=float) / self.unit, self._knot
        slope = (self.exponent - 1.0) * np.log(ratio)
        if self.exponent:
            slope = np.where(self._beyond(ratio), self.exponent * np.log(knot) - np.log(ratio), slope)
        return slope - np.log(self.unit)

    def log_inverse_derivative(self, u: np.ndarray) -> np.ndarray:
        """Logarithm of `|dy/du|` at u, (n,) or any other shape."""
        if not self.exponent:
            return u + np.log(self.unit)
        knot, edge = self._knot, self.breaks[0]
        beyond = u < edge if self.exponent > 0 else u > edge
        power = (1.0 / self.exponent - 1.0) * np.log1p(self.exponent * np.where(beyond, edge, u))
        at_knot = (1.0 - self.exponent) * np.log(knot)
        return np.log(self.unit) + np.where(beyond, at_knot + (u - edge) / knot**self.exponent, power)


@saveable("YeoJohnson")
@dataclass(frozen=True)
class YeoJohnson(MonotoneMap):
    """u = ((1 + v)^λ − 1) / λ for v = y / unit ≥ 0, and −((1 − v)^(2 − λ) − 1) / (2 − λ) below; any y.

    Attributes
    ----------
    exponent : float
        λ, within 0 and 2: there every u has a y.
    unit : float
        In units of y: that of training targets is the mean of |y|.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).gamma(1.0, size=(500, 1)) - 0.1
    >>> round(YeoJohnson.fit(y).exponent, 1)
    0.0
    """

    exponent: float
    unit: float = 1.0

    @classmethod
    def fit(cls, y: np.ndarray, weight: np.ndarray | None = None) -> "YeoJohnson":
        """The likeliest map of targets y (n, q), NaN where a value is missing, that count by weight (n,)."""
        unit = float(np.nanmean(np.abs(y))) or 1.0

        def log_likelihood(exponent: float) -> float:
            return _normal_likelihood(cls(exponent), y / unit, weight)

        return cls(_likeliest(log_likelihood, 0.0, 2.0), unit)

    def check_loaded(self) -> None:
        """Refuse numbers that make no map."""
        if not (0.0 <= self.exponent <= 2.0 and 0 < self.unit < np.inf):
            raise ValueError("a Yeo-Johnson map must have an exponent within 0 and 2, and a unit")

    @property
    def name(self) -> str:
        """How messages call the map."""
        return "yeo-johnson"

    @property
    def breaks(self) -> tuple[float, ...]:
        """The u of 0."""
        return (0.0,)

    def forward(self, y: np.ndarray) -> np.ndarray:
        """The u of y, (n,) or any other shape."""
        v = np.asarray(y, dtype=float) / self.unit
        power = np.where(v < 0, 2.0 - self.exponent, self.exponent)
        logs = np.log1p(np.abs(v))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            return np.copysign(np.where(power == 0, logs, np.expm1(power * logs) / power), v)

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """The y of u, (n,) or any other shape."""
        u = np.asarray(u, dtype=float)
        with np.errstate(over="ignore"):
            return self.unit * np.copysign(np.expm1(self._logs(u)), u)

    def log_derivative(self, y: np.ndarray) -> np.ndarray:
        """Logarithm of `|dt/dy|` at y, (n,) or any other shape."""
        v = np.asarray(y, dtype=float) / self.unit
        return (self.exponent - 1.0) * np.copysign(np.log1p(np.abs(v)), v) - np.log(self.unit)

    def log_inverse_derivative(self, u: np.ndarray) -> np.ndarray:
        """Logarithm of `|dy/du|` at u, (n,) or any other shape."""
        u = np.asarray(u, dtype=float)
        return np.log(self.unit) - (self.exponent - 1.0) * np.copysign(self._logs(u), u)

    def _logs(self, u: np.ndarray) -> np.ndarray:
        """Log(1 + |v|) of u."""
        power = np.where(u < 0, 2.0 - self.exponent, self.exponent)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(power == 0, np.abs(u), np.log1p(power * np.abs(u)) / power)


@saveable("SquareRoot")
@dataclass(frozen=True)
class SquareRoot(MonotoneMap):
    """u = √y from `knot` on, and the tangent of the root below it, so that 0 has a finite density and every u a y.

    Attributes
    ----------
    knot : float
        In units of y, > 0: that of training targets is the smallest of them that is above 0.

    Examples
    --------
    >>> import numpy as np
    >>> SquareRoot.fit(np.array([[0.0], [1.0], [4.0]])).forward(np.array([0.0, 1.0, 4.0]))
    array([0.5, 1. , 2. ])
    """

    knot: float

    @classmethod
    def fit(cls, y: np.ndarray, weight: np.ndarray | None = None) -> "SquareRoot":
        """The map of targets y (n, q), of any weight (n,).

        Raises
        ------
        ValueError
            For negative targets.
        """
        positive = y[y > 0]
        transform = cls(float(positive.min()) if len(positive) else 1.0)
        transform.check(y)
        return transform

    def check(self, y: np.ndarray) -> None:
        """Refuse negative targets in y (n, q)."""
        negative = (y < 0).any(axis=1)
        if negative.any():
            raise ValueError(
                f"y_transform='sqrt' needs y >= 0; {int(negative.sum())} of {len(y)} rows are not, the first is row "
                f"{int(np.argmax(negative))}. Use 'yeo-johnson', which takes any y, or None."
            )

    def check_loaded(self) -> None:
        """Refuse a knot that is none."""
        if not 0 < self.knot < np.inf:
            raise ValueError("the knot of a square root must be positive")

    @property
    def name(self) -> str:
        """How messages call the map."""
        return "sqrt"

    @property
    def breaks(self) -> tuple[float, ...]:
        """The u of the knot."""
        return (float(np.sqrt(self.knot)),)

    def forward(self, y: np.ndarray) -> np.ndarray:
        """The u of y, (n,) or any other shape."""
        line = (np.asarray(y, dtype=float) + self.knot) / (2.0 * self.breaks[0])
        return np.where(y < self.knot, line, np.sqrt(np.maximum(y, 0.0)))

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """The y of u, (n,) or any other shape."""
        edge = self.breaks[0]
        with np.errstate(over="ignore"):
            return np.where(u < edge, 2.0 * edge * u - self.knot, np.square(u))

    def log_derivative(self, y: np.ndarray) -> np.ndarray:
        """Logarithm of `|dt/dy|` at y, (n,) or any other shape."""
        return -np.log(2.0) - 0.5 * np.log(np.maximum(y, self.knot))

    def log_inverse_derivative(self, u: np.ndarray) -> np.ndarray:
        """Logarithm of `|dy/du|` at u, (n,) or any other shape."""
        return np.log(2.0 * np.maximum(u, self.breaks[0]))


def _power(ratio: np.ndarray, exponent: float) -> np.ndarray:
    """(ratio^λ − 1) / λ without cancellation."""
    return np.expm1(exponent * np.log(ratio)) / exponent


def _likeliest(log_likelihood: Callable[[float], float], low: float, high: float) -> float:
    """The exponent within bounds of the largest log likelihood; 1, which bends nothing, where no target varies."""

    def loss(exponent: float) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            value = log_likelihood(float(exponent))
        return -value if np.isfinite(value) else np.finfo(float).max

    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-7})
    losses = {exponent: loss(exponent) for exponent in (1.0, low, high, float(found.x))}
    return min(losses, key=lambda exponent: losses[exponent])


def _normal_likelihood(transform: MonotoneMap, y: np.ndarray, weight: np.ndarray | None) -> float:
    """Log likelihood per row of targets y (n, q) whose transforms are normal, summed over the outputs that vary."""
    total = 0.0
    for column in y.T:
        present = ~np.isnan(column)
        values, own = column[present], None if weight is None else weight[present]
        u = transform.forward(values)
        spread = np.average((u - np.average(u, weights=own)) ** 2, weights=own)
        if np.ptp(values) > 0:
            total += float(np.average(transform.log_derivative(values), weights=own) - 0.5 * np.log(spread))
    return total
