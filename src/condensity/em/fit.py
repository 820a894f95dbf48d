"""Fit Gaussian mixtures by EM: starts, side by side where there are threads, each to its maximum, the best one kept."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np

from condensity import engines
from condensity.compute import AUTO, Compute
from condensity.em.start import kmeans_start
from condensity.em.steps import (
    CovarianceSpec,
    GaussianMixtureParameters,
    MissingPattern,
    em_step,
    expect,
    group_by_missing,
)
from condensity.em.watch import Watch

#: Tables of so many rows share out their rows among the threads, smaller ones their starts.
MANY_ROWS = 50_000


class GMMFit(NamedTuple):
    """How a fit ended.

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
        What each start came to.
    """

    parameters: GaussianMixtureParameters
    objective_path: list[float]
    log_likelihood: float
    n_iter: int
    status: str
    start_objectives: list[float]

    @property
    def converged(self) -> bool:
        """Whether the objective had settled."""
        return self.status == "converged"


def fit_gmm(
    x,
    n_components,
    rng,
    *,
    sample_weight=None,
    start=None,
    spec=None,
    max_iter=200,
    tol=1e-4,
    n_init=1,
    compute: Compute = AUTO,
    watch=None,
) -> GMMFit:
    """Fit a Gaussian mixture by EM.

    Parameters
    ----------
    x : ndarray (n, d)
        Standardised rows, n ≥ 1; nan where there is a gap.
    n_components : int
        K ≥ 1. Ignored when a start is given.
    rng : numpy Generator
        The only source of chance; used for the starts.
    sample_weight : ndarray (n,), optional
        Not negative. Rows of weight 0 are left out; the others are scaled to mean 1, so that only ratios
        matter and the prior weighs as much against n rows as without weights. Integer weights therefore equal
        repeated rows when prior = 0, else up to the prior's strength (in `em_step`, which does not scale:
        always).
    start : GaussianMixtureParameters, optional
        Where to begin, once; default: `kmeans_start`, n_init times.
    form : CovarianceSpec, optional
    max_iter : int
        At most so many iterations.
    tol : float
        Converged when the objective changes by less than this (nats per row) from one iteration to the next.
    n_init : int
        Number of starts; the fit of the best final objective is returned.
    compute : Compute
        The number of threads changes no bit of the result.
    watch : Watch, optional

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
    spec, watch = spec or CovarianceSpec(), watch or Watch()
    x, weight = _weighted_rows(x, sample_weight)
    if start is None:
        starts = [
            kmeans_start(x, n_components, rng, weight, spec=spec, compute=compute.one_thread) for _ in range(n_init)
        ]
    else:
        starts = [start]
    parts = [part for part in group_by_missing(x, weight) if len(part.known)]
    many = len(x) >= MANY_ROWS
    sums = engines.operation("gaussian_sums", compute if many else compute.one_thread)
    climb = partial(_climb, parts, spec=spec, max_iter=max_iter, tol=tol, sums=sums, watch=watch)
    fits = in_threads(climb, starts, 1 if many else compute.n_threads, watch)
    best = max(fits, key=lambda fit: fit.objective_path[-1])
    return best._replace(start_objectives=[fit.objective_path[-1] for fit in fits])


def in_threads(function, items, n_threads, watch) -> list:
    """What the function gives for every item; Ctrl-C makes all of them end early, through the watch."""
    if n_threads == 1 or len(items) == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(n_threads, len(items))) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        except KeyboardInterrupt:
            watch.ended = "interrupted"
            return [future.result() for future in futures]
        except BaseException:
            watch.ended = "stopped"  # before the error goes on, no thread is left at work
            raise


def _weighted_rows(x, sample_weight):
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


def _climb(parts: list[MissingPattern], start, *, spec, max_iter, tol, sums, watch) -> GMMFit:
    """EM from one start."""
    path: list[float] = []
    parameters, status = start, "max_iter"
    n_components = len(start.weights)
    while len(path) < max_iter:
        try:
            stepped, objective = em_step(parts, parameters, spec, sums)
        except KeyboardInterrupt:
            watch.ended = "interrupted"
        else:
            parameters = stepped
            path.append(objective)
            if len(path) > 1 and abs(path[-1] - path[-2]) < tol:
                status = "converged"
                break
            watch.look(n_components, len(path), max_iter, objective)
        if watch.ended:
            status = watch.ended
            break
    n_iter = len(path)
    last, objective = expect(parts, parameters, spec, sums)
    path.append(objective)
    log_likelihood = last.log_likelihood / sum(part.weight.sum() for part in parts)
    return GMMFit(parameters, path, float(log_likelihood), n_iter, status, [objective])
