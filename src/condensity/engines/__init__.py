"""Engines: everything that computes, chosen by name, and the only door to native code.

Every operation exists in NumPy (`condensity.engines.reference`, for reading) and, where it pays, in C++
(`condensity.engines.native`, for speed), with the same shapes and tests. `api` is the interface of an engine, `types` the
vocabulary, `registry` the choice by name, `driver` advances training runs of any engine.

The functions here evaluate mixtures on the engine and threads of `condensity.compute.current()`. That is one thread, unless
the caller asks for more in scikit-learn's way:

    with joblib.parallel_config(n_jobs=2):
        dist.ppf([0.05, 0.5, 0.95])

The result is the same to the bit. Inside a joblib worker it is one thread again, so nothing is oversubscribed.

Letters: n rows, K components, g points per row, l levels per row, s draws per row.
"""

import numpy as np

from condensity.engines.api import OPERATIONS, Engine, ResumableRun, TrainingRun
from condensity.engines.driver import run_to_end, run_until
from condensity.engines.reference import ReferenceEngine, optimizer
from condensity.engines.registry import (
    ENGINE_VARIABLE,
    native_available,
    operation,
    register,
    resolve,
    unregister,
)
from condensity.engines.types import (
    ACTIVATIONS,
    HALF_LOG_2PI,
    ROW_LOSS_CAP,
    GaussianComponents,
    MixtureHead,
    Network,
    Penalty,
    SolverTraits,
    Split,
    SufficientStatistics,
    TrainingPlan,
    TrainingResult,
    TrainingRows,
)

__all__ = [
    "ACTIVATIONS", "ENGINE_VARIABLE", "HALF_LOG_2PI", "OPERATIONS", "ROW_LOSS_CAP", "SOLVERS", "Engine", "GaussianComponents",
    "MixtureHead", "Network", "Penalty", "ReferenceEngine", "ResumableRun", "Split", "SufficientStatistics", "TrainingPlan",
    "TrainingResult", "TrainingRows", "TrainingRun", "mixture_crps", "mixture_logcdf", "mixture_logpdf", "mixture_logsf",
    "mixture_quantile", "mixture_sample", "native_available", "operation", "register", "resolve", "run_to_end", "run_until",
    "unregister",
]  # fmt: skip

#: Properties of every solver, by its name.
SOLVERS: dict[str, SolverTraits] = {name: solver.traits for name, solver in optimizer.SOLVERS.items()}


def mixture_logpdf(log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log density of row-wise mixtures of normals at points y (n, g).

    Parameters
    ----------
    log_weights, means, scales : ndarray (n, K)
    y : ndarray (n, g)

    Returns
    -------
    ndarray (n, g)

    Examples
    --------
    >>> import numpy as np
    >>> from condensity import engines
    >>> zeros = np.zeros((1, 1))
    >>> engines.mixture_logpdf(zeros, zeros, zeros + 1.0, zeros).round(4)
    array([[-0.9189]])
    """
    return operation("mixture_logpdf")(log_weights, means, scales, y)


def mixture_logcdf(log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log distribution function log F(y), (n, g), of mixtures with `log_weights`, `means` and `scales` (n, K) at y (n, g)."""
    return operation("mixture_logcdf")(log_weights, means, scales, y)


def mixture_logsf(log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log survival function log P(Y > y), (n, g), of mixtures with `log_weights`, `means` and `scales` (n, K) at y (n, g)."""
    return operation("mixture_logsf")(log_weights, means, scales, y)


def mixture_quantile(
    log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, log_lower: np.ndarray, log_upper: np.ndarray
) -> np.ndarray:
    """Quantiles of row-wise mixtures of normals at probabilities p, given by the logarithms of both tails.

    Parameters
    ----------
    log_weights, means, scales : ndarray (n, K)
        Weights sum to one in every row.
    log_lower, log_upper : ndarray (n, l)
        log p and log(1 − p).

    Returns
    -------
    ndarray (n, l)
    """
    return operation("mixture_quantile")(log_weights, means, scales, log_lower, log_upper)


def mixture_crps(log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score (n, g) at y (n, g).

    The mixtures have `log_weights`, `means` and `scales` (n, K); weights sum to one in every row.
    """
    return operation("mixture_crps")(log_weights, means, scales, y)


def mixture_sample(
    log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, n_samples: int, key: int
) -> np.ndarray:
    """Draws (n, n_samples) from the stream `key`, an integer in [0, 2⁶⁴); NaN with probability 1 − mass.

    The mixtures have `log_weights`, `means` and `scales` (n, K).
    """
    return operation("mixture_sample")(log_weights, means, scales, n_samples, key)
