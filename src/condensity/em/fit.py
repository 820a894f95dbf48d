"""Fit of Gaussian mixtures by EM: several starts, in parallel where there are threads, the best maximum kept."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from condensity import engines
from condensity.compute import AUTO, Compute
from condensity.em.start import MAX_ROWS, kmeans_start
from condensity.em.steps import (
    CovarianceSpec,
    GaussianMixtureParameters,
    MissingPattern,
    em_step,
    expect,
    group_by_missing,
)
from condensity.engines.types import SufficientStatistics
from condensity.monitor import Monitor, Progress

#: Tables from this number of rows on distribute their rows over the threads, smaller ones their starts.
MANY_ROWS = 50_000


class GMMFit(NamedTuple):
    """Parameters of a Gaussian mixture, and a record of their fit.

    Attributes
    ----------
    parameters : GaussianMixtureParameters
    objective_path : list of float
        Penalised mean log likelihood before each iteration, last that of `parameters`: n_iter + 1 numbers.
    log_likelihood : float
        Weighted mean of log p(x_i) under `parameters`, without the penalty.
    n_iter : int
    status : {"converged", "max_iter", "interrupted", "stopped"}
        Converged: the objectives of two iterations in a row differed by less than tol. Stopped: by the callback.
    start_objectives : list of float
        Final objective of each start.
    """

    parameters: GaussianMixtureParameters
    objective_path: list[float]
    log_likelihood: float
    n_iter: int
    status: str
    start_objectives: list[float]

    @property
    def converged(self) -> bool:
        """Whether the objective had converged."""
        return self.status == "converged"


def fit_gmm(
    x: npt.ArrayLike,
    n_components: int,
    rng: np.random.Generator,
    *,
    sample_weight: npt.ArrayLike | None = None,
    start: GaussianMixtureParameters | None = None,
    spec: CovarianceSpec | None = None,
    max_iter: int = 200,
    tol: float = 1e-4,
    n_init: int = 1,
    compute: Compute = AUTO,
    monitor: Monitor | None = None,
) -> GMMFit:
    """Fit a Gaussian mixture by EM.

    Parameters
    ----------
    x : ndarray (n, d)
        Standardised rows, n ≥ 1; nan where a value is missing.
    n_components : int
        K ≥ 1. Ignored when a start is given.
    rng : numpy Generator
        The only source of randomness; used for the starts. Unused when a start is given.
    sample_weight : ndarray (n,), optional
        Not negative. Rows of weight 0 are left out; the others are scaled to mean 1, so that only ratios
        matter and the prior weighs as much against n rows as without weights. Integer weights therefore equal
        repeated rows when prior = 0, else up to the prior's strength (in `em_step`, which does not scale:
        always).
    start : GaussianMixtureParameters, optional
        Parameters to start from, once; default: `kmeans_start`, n_init times.
    spec : CovarianceSpec, optional
    max_iter : int
        Iterations at most.
    tol : float
        Converged when the objective changes by less than this (nats per row) from one iteration to the next.
    n_init : int
        Number of starts; the fit of the best final objective is returned.
    compute : Compute
        The number of threads changes no bit of the result.
    monitor : Monitor, optional

    Returns
    -------
    GMMFit

    Raises
    ------
    ValueError
        If no row has a positive weight.
    numpy.linalg.LinAlgError
        If a covariance becomes singular, which needs prior = 0 and a ridge of about 0.
    """
    spec, monitor = spec or CovarianceSpec(), monitor or Monitor()
    x, weight = _weighted_rows(x, sample_weight)
    if start is None:
        starts = [
            kmeans_start(x, n_components, rng, weight, spec=spec, compute=compute.one_thread) for _ in range(n_init)
        ]
    else:
        starts = [start]
    is_maximum = start is None and _is_maximum(x, n_components)
    patterns = [pattern for pattern in group_by_missing(x, weight) if len(pattern.observed)]
    many = len(x) >= MANY_ROWS
    sums = engines.operation("gaussian_sums", compute if many else compute.one_thread)
    climb = partial(
        _climb, patterns, spec=spec, max_iter=0 if is_maximum else max_iter, tol=tol, sums=sums, monitor=monitor
    )
    fits = in_threads(climb, starts, 1 if many else compute.n_threads, monitor)
    best = max(fits, key=lambda fit: fit.objective_path[-1])
    if is_maximum:
        best = best._replace(status="converged")
    return best._replace(start_objectives=[fit.objective_path[-1] for fit in fits])


def in_threads(function: Callable[[Any], Any], items: Sequence[Any], n_threads: int, monitor: Monitor) -> list[Any]:
    """Results of a function for each of the `items`, `n_threads` at a time; at Ctrl-C all end early, through the monitor."""
    if n_threads == 1 or len(items) == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(n_threads, len(items))) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        except KeyboardInterrupt:
            monitor.stop("interrupted")
            return [future.result() for future in futures]
        except BaseException:
            monitor.stop("stopped")  # no thread is left at work when the error is raised
            raise


def _weighted_rows(x: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
    """Drop rows of weight 0 and scale the other weights to mean 1."""
    x = np.asarray(x, dtype=float)
    if sample_weight is None:
        return x, np.ones(len(x))
    weight = np.asarray(sample_weight, dtype=float)
    present = weight > 0
    if not present.any():
        raise ValueError("sample_weight must be positive for at least one row; all are 0. Leave it out or fix it.")
    if present.all():
        return x, weight / weight.mean()
    return x[present], weight[present] / weight[present].mean()


def _is_maximum(x: np.ndarray, n_components: int) -> bool:
    """Whether the start is the maximum: one component's moments of all rows x (n, d). Asked where an iteration takes long."""
    n, d = x.shape
    return n_components == 1 and n < d and n <= MAX_ROWS and not np.isnan(x).any()


def _climb(
    patterns: list[MissingPattern],
    start: GaussianMixtureParameters,
    *,
    spec: CovarianceSpec,
    max_iter: int,
    tol: float,
    sums: Callable[..., SufficientStatistics],
    monitor: Monitor,
) -> GMMFit:
    """EM from one start."""
    path: list[float] = []
    parameters, status = start, "max_iter"
    k = len(start.weights)
    stage = f"{k} component{'' if k == 1 else 's'}"
    while len(path) < max_iter:
        try:
            stepped, objective = em_step(patterns, parameters, spec, sums)
        except KeyboardInterrupt:
            monitor.stop("interrupted")
        else:
            parameters = stepped
            path.append(objective)
            if len(path) > 1 and abs(path[-1] - path[-2]) < tol:
                status = "converged"
                break
            monitor.report(Progress(stage, len(path), max_iter, len(path), -objective, np.nan))
        if monitor.stop_reason:
            status = monitor.stop_reason
            break
    n_iter = len(path)
    last, objective = expect(patterns, parameters, spec, sums)
    path.append(objective)
    log_likelihood = last.log_likelihood / sum(pattern.weight.sum() for pattern in patterns)
    return GMMFit(parameters, path, float(log_likelihood), n_iter, status, [objective])
