"""Monotone maps u = t(y) to a scale on which a mixture of normals describes y better: positive, bounded, skewed targets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit

from condensity.distributions.functions import FunctionTransform
from condensity.distributions.lognormal import Log, Log1p
from condensity.distributions.monotone import MonotoneMap
from condensity.distributions.powers import BoxCox, SquareRoot, YeoJohnson
from condensity.persistence import saveable

__all__ = [
    "NAMES",
    "BoxCox",
    "FunctionTransform",
    "Log",
    "Log1p",
    "Logit",
    "MonotoneMap",
    "SquareRoot",
    "YeoJohnson",
    "choose_transform",
    "make_transform",
    "of_functions",
]

#: A lognormal must be likelier than a normal by this, in nats per row, for 'auto' to take logarithms.
CLEAR_GAIN = 0.05


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
        """Logarithm of `|dt/dy|` at y, (n,) or any other shape."""
        return -np.log(y) - np.log1p(-y)

    def log_inverse_derivative(self, u: np.ndarray) -> np.ndarray:
        """Logarithm of `|dy/du|` at u, (n,) or any other shape."""
        return -np.logaddexp(0.0, u) - np.logaddexp(0.0, -np.asarray(u))


#: Maps by the names that `y_transform` takes, and those whose parameters are learned from training targets.
BY_NAME: dict[str, MonotoneMap] = {"log": Log(), "log1p": Log1p(), "logit": Logit()}
LEARNED: dict[str, type[BoxCox] | type[YeoJohnson] | type[SquareRoot]] = {
    "sqrt": SquareRoot, "yeo-johnson": YeoJohnson, "box-cox": BoxCox,
}  # fmt: skip

#: Words that `y_transform` takes.
NAMES = (*BY_NAME, *LEARNED, "auto")

#: Pairs of functions that are one of the maps above.
BY_FUNCTIONS: dict[tuple[Any, Any], MonotoneMap] = {
    (np.log, np.exp): Log(), (np.log1p, np.expm1): Log1p(), (logit, expit): Logit(),
}  # fmt: skip


def make_transform(how: Any, y: np.ndarray, weight: np.ndarray | None = None) -> MonotoneMap | None:
    """Map that `y_transform` asks for, checked against training targets.

    Parameters
    ----------
    how : None, one of `NAMES`, MonotoneMap, (forward, inverse) or (forward, inverse, derivative)
    y : ndarray (n, q)
        In data units; NaN where a value is missing.
    weight : ndarray (n,), optional
        Sample weights, for 'auto' and for parameters that are learned.

    Raises
    ------
    ValueError
        For anything else, and for targets that the map cannot take.
    """
    if how is None:
        return None
    if isinstance(how, str) and how == "auto":
        return choose_transform(y, weight)
    if isinstance(how, str) and how in LEARNED:
        return LEARNED[how].fit(y, weight)
    if isinstance(how, MonotoneMap):
        transform = how
    elif isinstance(how, str) and how in BY_NAME:
        transform = BY_NAME[how]
    elif isinstance(how, (tuple, list)) and len(how) in (2, 3) and all(map(callable, how)):
        transform = of_functions(*how, y=y)
    else:
        raise ValueError(
            f"y_transform must be None, {', '.join(map(repr, NAMES))}, a MonotoneMap, or functions (forward, inverse) or "
            f"(forward, inverse, derivative); got {how!r}."
        )
    transform.check(y)
    return transform


def of_functions(
    forward: Callable[[Any], Any],
    inverse: Callable[[Any], Any],
    derivative: Callable[[Any], Any] | None = None,
    *,
    y: np.ndarray,
) -> MonotoneMap:
    """Map made of functions, rising or falling as they do on targets y (n, q); one with closed forms where it is that.

    Parameters
    ----------
    forward, inverse : callable ndarray -> ndarray
    derivative : callable or None
    y : ndarray (n, q)
        In data units; NaN where a value is missing.

    Examples
    --------
    >>> import numpy as np
    >>> of_functions(np.log1p, np.expm1, y=np.array([[0.0], [1.0]]))
    Log1p()
    """
    known = [transform for pair, transform in BY_FUNCTIONS.items() if pair[0] is forward and pair[1] is inverse]
    if known:
        return known[0]
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
