"""Density of the inputs, p̂(x), in standardised units: a Gaussian mixture, its size chosen by held-out rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from condensity import em
from condensity.compute import AUTO, Compute
from condensity.data.splitting import RowSplitter, held_out_splits
from condensity.distributions import Mixture
from condensity.em.sweep import candidate_sizes, sweep
from condensity.monitor import Monitor
from condensity.persistence import require_positions, saveable

# Classes of the parameters, under the names that files use.
saveable("GaussianMixtureParameters")(em.GaussianMixtureParameters)
saveable("CovarianceSpec")(em.CovarianceSpec)

#: Numbers of components that are tried. A network of one input and few rows is fitted in less time than this sweep takes, and
#: fewer sizes do: n = 1000, three odd sets: 21 → 12 ms, held-out log density −1.338 both. At n = 5000 they would cost .006 nats.
SIZES = (1, 2, 4, 8, 16, 32)
FEW_SIZES, FEW_ROWS = (1, 3, 8, 20), 2000

#: The sweep ends after this many sizes without a better one.
PATIENCE = 2

#: EM stops when its objective changes by less, in nats per row: ranks of rows need no more.
TOLERANCE = 2e-3

HELD_OUT_SHARE = 0.2

#: With more columns, components share a covariance or have diagonal ones.
MAX_FULL_COLUMNS = 30

#: Draws that represent the density where rows with missing values are compared with complete ones.
REFERENCE_DRAWS = 2000


@saveable("InputDensity")
@dataclass(frozen=True, eq=False)
class InputDensity:
    """A Gaussian mixture over the columns of standardised x that vary.

    Attributes
    ----------
    parameters : em.GaussianMixtureParameters
        Over `columns`.
    columns : ndarray (c,) of int
    spec : em.CovarianceSpec
    """

    parameters: em.GaussianMixtureParameters
    columns: np.ndarray
    spec: em.CovarianceSpec

    def check_loaded(self) -> None:
        """Refuse columns that are not those of the mixture."""
        require_positions("columns of a density", self.columns)
        if len(self.columns) != self.parameters.means.shape[1]:
            raise ValueError("a density must have a mean for each of its columns")

    def log_density(self, x: np.ndarray, *, compute: Compute = AUTO) -> np.ndarray:
        """Log p̂ (n,), in nats, of the observed values of each row of standardised x (n, d), on `compute`."""
        return self._log_density(np.asarray(x, dtype=float)[:, self.columns], compute)

    def scores(self, x: np.ndarray, *, compute: Compute = AUTO) -> np.ndarray:
        """Log p̂ (n,) of rows of x (n, d), on `compute`; of a row with missing values, that of complete rows as rare as it.

        How rare a row is among those with the same columns observed is estimated from draws from p̂.
        """
        z = np.asarray(x, dtype=float)[:, self.columns]
        scores = self._log_density(z, compute)
        missing = np.isnan(z)
        if not missing.any():
            return scores
        draws = self.draw(REFERENCE_DRAWS, np.random.default_rng(0))
        complete = np.sort(self._log_density(draws, compute))
        for pattern in np.unique(missing[missing.any(axis=1)], axis=0):
            rows = (missing == pattern).all(axis=1)
            alike = np.sort(self._log_density(np.where(pattern, np.nan, draws), compute))
            low, high = scores[rows] - alike[0], scores[rows] - alike[-1]
            scores[rows] = np.interp(scores[rows], alike, complete) + np.minimum(low, 0.0) + np.maximum(high, 0.0)
        return scores

    def draw(self, n_samples: int, random_state: np.random.Generator) -> np.ndarray:
        """Rows (n_samples, c) over `columns`, drawn from p̂ by the generator `random_state`."""
        if not len(self.columns):
            return np.empty((n_samples, 0))
        return self.mixture().sample(n_samples, random_state=random_state)[0].reshape(n_samples, -1)

    def mixture(self) -> Mixture:
        """One row over `columns`, in standardised units."""
        return mixture_of(self.parameters)

    def _log_density(self, z: np.ndarray, compute: Compute) -> np.ndarray:
        return em.log_density(self.parameters, z, self.spec, compute=compute)


def mixture_of(parameters: em.GaussianMixtureParameters, n: int = 1) -> Mixture:
    """The mixture of `parameters` in each of n rows."""
    parts = (np.log(parameters.weights), parameters.means, em.factors_of(parameters))
    return Mixture.from_factors(*(np.broadcast_to(part, (n, *part.shape)) for part in parts))


def widened(dist: Mixture, factor: float) -> Mixture:
    """The mixture `dist` with its components' standard deviations multiplied by `factor`."""
    if factor == 1.0:
        return dist
    return Mixture.from_parameters(dist.parameters._replace(factors=factor * dist.parameters.factors))


def fit_density(
    x: np.ndarray,
    weight: np.ndarray,
    columns: np.ndarray,
    held_out: np.ndarray | None,
    rng: np.random.Generator,
    compute: Compute,
    splitter: RowSplitter | None = None,
) -> tuple[InputDensity, Callable[[np.ndarray], InputDensity]]:
    """The density of all rows of x (n, d), and a function that fits it to the rows at some positions.

    The mixture is over the `columns` (c,), its rows count by `weight` (n,), and its size is chosen on standardised rows
    `held_out` (v, d) or, for None, by splits drawn by `rng`, those of the `splitter` if rows are not independent; all of it
    runs on `compute`.
    """
    if not len(columns):
        point = em.GaussianMixtureParameters(np.ones(1), np.empty((1, 0)), np.empty((1, 0, 0)))
        density = InputDensity(point, columns, em.CovarianceSpec())
        return density, lambda _: density
    z = x[:, columns]
    others = None if held_out is None else np.asarray(held_out, dtype=float)[:, columns]
    splits = None if held_out is not None else held_out_splits(len(z), HELD_OUT_SHARE, rng, splitter)
    spec, start = _best_start(z, weight, splits, others, rng, compute)

    def fit(some: Any, start: em.GaussianMixtureParameters) -> InputDensity:
        return InputDensity(fit_again(z[some], weight[some], start, spec, compute=compute), columns, spec)

    density = fit(slice(None), start)
    return density, partial(fit, start=density.parameters)


def fit_again(
    z: np.ndarray,
    weight: np.ndarray,
    start: em.GaussianMixtureParameters,
    spec: em.CovarianceSpec,
    *,
    compute: Compute = AUTO,
) -> em.GaussianMixtureParameters:
    """A mixture of form `spec` of other rows z (n, c), of weight (n,), of the same table, from the fit `start`, on `compute`.

    Where a component is 10¹⁰⁰ away on a row that is not among them, its covariance would be lost to rounding: then from k-means.
    """
    fit = partial(
        em.fit_gmm, z, len(start.weights), np.random.default_rng(0),
        sample_weight=weight, spec=spec, tol=TOLERANCE, compute=compute,
    )  # fmt: skip
    try:
        return fit(start=start).parameters
    except np.linalg.LinAlgError:
        return fit().parameters


def _best_start(
    z: np.ndarray,
    weight: np.ndarray,
    splits: Sequence[tuple[Any, Any]] | None,
    held_out: np.ndarray | None,
    rng: np.random.Generator,
    compute: Compute,
) -> tuple[em.CovarianceSpec, em.GaussianMixtureParameters]:
    """Covariance type and parameters of the mixture that is best on held-out rows."""
    n, d = z.shape
    splits = splits or [(np.arange(n), None)]
    fewest = min(len(kept) for kept, _ in splits)
    sizes = candidate_sizes(fewest, FEW_SIZES if d == 1 and n < FEW_ROWS else SIZES)
    kinds = ("full",) if d <= MAX_FULL_COLUMNS else ("tied", "diag")
    fits: dict[tuple, tuple] = {}
    best: list[tuple] = []

    def score(spec: em.CovarianceSpec, size: int, seed: int) -> float:
        """Mean held-out log density of a size; folds start from a fit of all rows, which halves their time."""
        seeded = np.random.default_rng(seed)
        fit_gmm = partial(em.fit_gmm, spec=spec, tol=TOLERANCE, compute=compute.one_thread)
        start = fit_gmm(z, size, seeded, sample_weight=weight).parameters if len(splits) > 1 else None
        results = []
        for kept, out in splits:
            fit = fit_gmm(z[kept], size, seeded, sample_weight=weight[kept], start=start)
            rows, counts = (z[out], weight[out]) if held_out is None else (held_out, np.ones(len(held_out)))
            log_density = em.held_out_scores(fit.parameters, spec, rows, d, joint=True, compute=compute.one_thread)
            results.append(np.average(log_density, weights=counts))
        fits[spec, size] = float(np.mean(results)), spec, fit.parameters if start is None else start
        return fits[spec, size][0]

    for kind in kinds:
        spec, seeds = em.CovarianceSpec(kind), rng.integers(2**63, size=len(sizes))

        def scores(group: list[int], spec: em.CovarianceSpec = spec, seeds: np.ndarray = seeds) -> list[float]:
            return em.in_threads(
                lambda size: score(spec, size, seeds[sizes.index(size)]), group, compute.n_threads, Monitor()
            )

        selection = sweep(scores, sizes, at_once=compute.n_threads, patience=PATIENCE)
        best.append(fits[spec, selection.best])
    _, spec, parameters = max(best, key=lambda entry: entry[0])
    return spec, parameters
