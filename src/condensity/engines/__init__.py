"""Choice of engine, and the only door to native code.

Every kernel exists in NumPy (`condensity.engines.reference`, to be read) and, where it pays, in C++
(`condensity.engines.native`, to be fast), with the same name, shapes and tests. The functions here take
validated float64 arrays of the documented shapes and run on the engine that the environment variable
CONDENSITY_ENGINE names: `auto` (if unset), `native` or `reference`.

Evaluation of mixtures uses one thread, unless the caller asks for more in scikit-learn's way:

    with joblib.parallel_config(n_jobs=2):
        dist.ppf([0.05, 0.5, 0.95])

The result is the same to the bit. Inside a joblib worker it is one thread again, so nothing is oversubscribed.

Letters: n rows, K components, g points a row, m levels a row, s samples a row.
"""

import os
from collections.abc import Callable
from functools import partial

import numpy as np

from condensity.compute import Compute, current
from condensity.engines.reference import gaussians as _gaussians
from condensity.engines.reference import kmeans as _kmeans
from condensity.engines.reference import mixture as _reference
from condensity.engines.reference import sampling as _sampling
from condensity.engines.reference import scores as _scores
from condensity.engines.reference import trainer as _trainer

try:
    from condensity.engines.native import OPERATIONS as _NATIVE_OPERATIONS
except ModuleNotFoundError:  # a checkout that was never built; every operation has a reference
    _NATIVE_OPERATIONS = {}

ENGINE_VARIABLE = "CONDENSITY_ENGINE"

#: Numbers in one temporary array of a reference kernel.
REFERENCE_BLOCK = 2**20


def _blocked(function):
    """A reference kernel of (log_weights, means, scales, *grids), with bounded memory."""

    def evaluate(log_weights, means, scales, *grids):
        return _in_row_blocks(function, (log_weights, means, scales), grids, means.shape[1])

    return evaluate


#: engine → operation → function; the engine that "auto" prefers comes first.
_ENGINES: dict[str, dict[str, Callable]] = {
    "native": _NATIVE_OPERATIONS,
    "reference": {
        "mixture_logpdf": _blocked(_reference.mixture_logpdf),
        "mixture_logcdf": _blocked(_reference.mixture_logcdf),
        "mixture_logsf": _blocked(_reference.mixture_logsf),
        "mixture_quantile": _blocked(_reference.mixture_quantile),
        "mixture_crps": _scores.mixture_crps,
        "mixture_sample": _sampling.mixture_sample,
        "train": _trainer.Run,
        "gaussian_log_density": _gaussians.gaussian_log_density,
        "gaussian_sums": _gaussians.gaussian_sums,
        "gaussian_conditional": _gaussians.gaussian_conditional,
        "kmeans": _kmeans.kmeans,
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
    >>> resolve_engine("reference", operation="mixture_logcdf")
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


def operation(name: str, compute: Compute | None = None) -> Callable:
    """The function, or class of runs, behind an operation such as "train", bound to an engine and its threads.

    Parameters
    ----------
    name : str
        "mixture_logpdf", "train", "gaussian_sums" and so on.
    compute : Compute, optional
        `condensity.compute.current()` if left out.

    Raises
    ------
    ValueError
        As `resolve_engine`.
    """
    compute = current() if compute is None else compute
    engine = engine_of(name, compute.engine)
    function = _ENGINES[engine][name]
    return partial(function, threads=compute.n_threads) if engine == "native" else function


def engine_of(name, engine="auto"):
    """Name of the engine that runs an operation, where "auto" leaves the choice to CONDENSITY_ENGINE."""
    asked = os.environ.get(ENGINE_VARIABLE) if engine == "auto" else None
    if not asked:
        return resolve_engine(engine, operation=name)
    try:
        return resolve_engine(asked, operation=name)
    except ValueError as error:
        raise ValueError(f"{ENGINE_VARIABLE}={asked}: {error}") from None


def _in_row_blocks(function, parameters, grid, numbers_per_point):
    """Call a reference kernel block by block of rows, so that its (rows, points, K) temporaries stay near 8 MB each."""
    n, columns = grid[0].shape
    block = max(1, REFERENCE_BLOCK // max(1, columns * numbers_per_point))
    result = np.empty((n, columns))
    for start in range(0, n, block):
        rows = slice(start, start + block)
        result[rows] = function(*(array[rows] for array in (*parameters, *grid)))
    return result


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
    return operation("mixture_logpdf")(log_weights, means, scales, y)


def mixture_logcdf(log_weights, means, scales, y):
    """Log distribution function log F(y); shapes as `mixture_logpdf`."""
    return operation("mixture_logcdf")(log_weights, means, scales, y)


def mixture_logsf(log_weights, means, scales, y):
    """Log survival function log P(Y > y); shapes as `mixture_logpdf`."""
    return operation("mixture_logsf")(log_weights, means, scales, y)


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
    return operation("mixture_quantile")(log_weights, means, scales, log_lower, log_upper)


def mixture_crps(log_weights, means, scales, y):
    """Continuous ranked probability score at y; shapes as `mixture_logpdf`, weights sum to one in every row."""
    return operation("mixture_crps")(log_weights, means, scales, y)


def mixture_sample(log_weights, means, scales, n_samples, key):
    """Draws (n, n_samples) from the stream `key`, an integer in [0, 2⁶⁴); NaN with probability 1 − mass."""
    return operation("mixture_sample")(log_weights, means, scales, n_samples, key)
