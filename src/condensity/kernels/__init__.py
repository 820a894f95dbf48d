"""Choice of engine, and the only door to native code.

Every kernel exists in NumPy (`condensity.kernels.reference`, to be read) and, where it pays, in C++
(`condensity.kernels.native`, to be fast), with the same name, shapes and tests. The functions here take
validated float64 arrays of the documented shapes and run on the engine that the environment variable
CONDENSITY_ENGINE names: `auto` (if unset), `native` or `reference`.

Letters: n rows, K components, g points a row, m levels a row.
"""

import os
from collections.abc import Callable

from condensity.kernels.reference import em as _em
from condensity.kernels.reference import mixture as _reference
from condensity.kernels.reference import trainer as _trainer

try:
    from condensity.kernels.native import OPERATIONS as _NATIVE_OPERATIONS
except ImportError:  # a checkout that was never built; every operation has a reference
    _NATIVE_OPERATIONS = {}

ENGINE_VARIABLE = "CONDENSITY_ENGINE"

#: engine → operation → function; the engine that "auto" prefers comes first.
_ENGINES: dict[str, dict[str, Callable]] = {
    "native": _NATIVE_OPERATIONS,
    "reference": {
        "mixture_logpdf": _reference.mixture_logpdf,
        "mixture_logcdf": _reference.mixture_logcdf,
        "mixture_logsf": _reference.mixture_logsf,
        "mixture_quantile": _reference.mixture_quantile,
        "train": _trainer.train,
        "fit_gmm": _em.fit_gmm,
    },
}


def native_available() -> bool:
    """Whether the compiled extension can be imported."""
    return bool(_NATIVE_OPERATIONS)


def resolve_engine(name: str, *, operation: str) -> str:
    """Turn an engine's name into the engine that runs an operation.

    Parameters
    ----------
    name : {"auto", "native", "reference"}
        "auto" is the native engine where it has the operation, else the reference.
    operation : str
        A kernel's name, such as "mixture_logpdf".

    Returns
    -------
    {"native", "reference"}

    Raises
    ------
    ValueError
        If the name is none of the three, if no engine has the operation, or if the named engine lacks it.

    Examples
    --------
    >>> resolve_engine("auto", operation="mixture_logcdf")
    'reference'
    """
    having = [engine for engine, operations in _ENGINES.items() if operation in operations]
    if name != "auto" and name not in _ENGINES:
        raise ValueError(f"engine must be 'auto', 'native' or 'reference'; got {name!r}.")
    if not having:
        known = ", ".join(_ENGINES["reference"])
        raise ValueError(f"no engine has the operation {operation!r}; known: {known}.")
    if name == "auto":
        return having[0]
    if name in having:
        return name
    if name == "native" and not native_available():
        raise ValueError(
            f"engine='native' was asked for {operation!r}, but the compiled extension is not installed; "
            "run `pip install .` with a C++17 compiler, or use engine='auto' or 'reference'."
        )
    raise ValueError(f"engine={name!r} does not have {operation!r}; use engine='auto' or {having[0]!r}.")


def _evaluate(operation, *arrays):
    """Run an operation on the engine that CONDENSITY_ENGINE names."""
    asked = os.environ.get(ENGINE_VARIABLE) or "auto"
    try:
        engine = resolve_engine(asked, operation=operation)
    except ValueError as error:
        raise ValueError(f"{ENGINE_VARIABLE}={asked}: {error}") from None
    return _ENGINES[engine][operation](*arrays)


def mixture_logpdf(log_weights, means, scales, y):
    """Log density log p(y) of row-wise mixtures of normals.

    Parameters
    ----------
    log_weights, means, scales : ndarray (n, K)
    y : ndarray (n, g)

    Returns
    -------
    ndarray (n, g)
    """
    return _evaluate("mixture_logpdf", log_weights, means, scales, y)


def mixture_logcdf(log_weights, means, scales, y):
    """Log distribution function log F(y); shapes as `mixture_logpdf`."""
    return _evaluate("mixture_logcdf", log_weights, means, scales, y)


def mixture_logsf(log_weights, means, scales, y):
    """Log survival function log P(Y > y); shapes as `mixture_logpdf`."""
    return _evaluate("mixture_logsf", log_weights, means, scales, y)


def mixture_quantile(log_weights, means, scales, log_lower, log_upper):
    """The y with log F(y) = log_lower and log P(Y > y) = log_upper.

    Parameters
    ----------
    log_weights, means, scales : ndarray (n, K)
        Weights sum to one in every row.
    log_lower, log_upper : ndarray (n, m)
        log p and log(1 − p).

    Returns
    -------
    ndarray (n, m)
    """
    return _evaluate("mixture_quantile", log_weights, means, scales, log_lower, log_upper)
