"""Number of components of a joint mixture: fits of each size, scored on validation rows."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from condensity.compute import AUTO, Compute
from condensity.em.fit import in_threads
from condensity.em.joint import (
    MAX_COVARIANCE_BYTES,
    Settings,
    covariance_bytes,
    fit_joint,
    held_out_scores,
    n_parameters,
)
from condensity.em.steps import GaussianMixtureParameters
from condensity.em.sweep import candidate_sizes, sweep
from condensity.monitor import Monitor

#: Factor on the tolerance in the sweep; the final fit continues the best one. 30 % less time, and .001 nats between the chosen
#: sizes (nine problems, eight seeds each; a factor of ten costs .002).
SWEEP_TOLERANCE = 3.0


#: Sizes in a row that may fall far behind: EM with a few components can end in an optimum worse than that of fewer.
TOLERATED_SIZES = 1

#: Rows of the fits of the sweep, and of their scores, at most: the best size hardly depends on more.
MAX_SWEEP_ROWS = 50_000


#: More starts of the best size, where one validation split scores them all: EM ends in optima that differ by more than sizes do.
#: Nine problems at n = 1000: NLL .359 → .351 (1) → .348 (3) → .353 (6), 91 → 101 → 118 → 179 ms.
MORE_STARTS = 3


#: Rows below which sizes are scored on five folds. One held-out part of 15 % chooses worse: six known problems at 300, 600 and
#: 900 rows .089 → .074 nats above the truth; 90 % intervals of 331 patients with ten columns cover .87 (worst .71) → .91 (.88).
FOLDS_BELOW = 1000


#: Rows kept and held out, and the parameters of a fit to the kept ones.
PartialFit = tuple[np.ndarray, np.ndarray, GaussianMixtureParameters]


class ComponentSearch:
    """Sweep over numbers of components of one joint mixture.

    Parameters
    ----------
    settings : Settings
    z : ndarray (n, d + q)
        Standardised rows (x, y); nan where a value is missing.
    weight : ndarray (n,)
    n_inputs : int
        d.
    criterion : {'conditional', 'joint', 'bic'}
    compute : Compute
    monitor : Monitor, optional
    """

    settings: Settings
    z: np.ndarray
    weight: np.ndarray
    n_inputs: int
    criterion: str
    compute: Compute
    monitor: Monitor

    def __init__(
        self,
        settings: Settings,
        z: np.ndarray,
        weight: np.ndarray,
        n_inputs: int,
        *,
        criterion: str = "conditional",
        compute: Compute = AUTO,
        monitor: Monitor | None = None,
    ):
        self.settings, self.criterion, self.z, self.weight, self.n_inputs = settings, criterion, z, weight, n_inputs
        self.compute, self.monitor = compute, monitor or Monitor()
        self.fits: dict[int, tuple[Any, ...]] = {}  # size → score, parameters, log densities of validation rows
        self.cross_fits: dict[int, list[PartialFit]] = {}  # by size

    def with_settings(self, settings: Settings) -> "ComponentSearch":
        """A search over the same rows with other `settings`."""
        return ComponentSearch(
            settings, self.z, self.weight, self.n_inputs,
            criterion=self.criterion, compute=self.compute, monitor=self.monitor,
        )  # fmt: skip

    def best_size(
        self,
        splits: Sequence[tuple[np.ndarray, np.ndarray]],
        held_out: np.ndarray | None,
        rng: np.random.Generator,
        *,
        sizes: Sequence[int] | None = None,
        patience: int | None = None,
    ) -> tuple[int, GaussianMixtureParameters, np.ndarray, dict[str, list[Any]]]:
        """The best size, its parameters, held-out log densities (n,), and the table of the sweep.

        The final fit should start from these parameters: another start may end in a worse optimum than the one scored.

        Parameters
        ----------
        splits : sequence of (kept, held_out)
            Indices of rows.
        held_out : ndarray (v, d + q), optional
            The caller's validation rows, standardised; they replace those of the splits.
        rng : numpy Generator
        sizes : sequence of int, optional
            Sizes to try; by default all those that the rows and the memory allow.
        patience : int, optional
            The sweep ends after this many sizes without a better one.
        """
        n_columns = self.z.shape[1]
        if self.criterion != "bic":
            splits = [(_subsample(kept, rng), _subsample(out, rng)) for kept, out in splits]
        if sizes is None:
            sizes = candidate_sizes(min(len(kept) for kept, _ in splits))
            sizes = [k for k in sizes if covariance_bytes(k, n_columns) <= MAX_COVARIANCE_BYTES]
        seeds = rng.integers(2**63, size=(len(sizes), 1 + MORE_STARTS))

        def scores(pairs: list[tuple[int, int]]) -> list[float]:
            """Scores of (size, number of the start), each the mean of a fit on every split."""
            tasks = [(size, seeds[sizes.index(size), number], split) for size, number in pairs for split in splits]
            score = partial(self._score, held_out=held_out)
            results = in_threads(lambda task: score(*task), tasks, self.compute.n_threads, self.monitor)
            m = len(splits)
            return [self._gather(size, results[m * i : m * (i + 1)], splits) for i, (size, _) in enumerate(pairs)]

        selection = sweep(
            lambda group: scores([(size, 0) for size in group]),
            sizes,
            at_once=self.compute.n_threads,
            patience=patience,
            tolerated=TOLERATED_SIZES,
            ended=lambda: bool(self.monitor.stop_reason),
        )
        if len(splits) == 1 and selection.best > 1 and self.criterion != "bic" and not self.monitor.stop_reason:
            more = scores([(selection.best, 1 + number) for number in range(MORE_STARTS)])
            best = selection.table["n_components"].index(selection.best)
            selection.table["score"][best] = max(selection.table["score"][best], *more)
        _, start, log_density = self.fits[selection.best]
        return selection.best, start, log_density, selection.table

    def _score(
        self, size: int, seed: int, split: tuple[np.ndarray, np.ndarray], held_out: np.ndarray | None
    ) -> tuple[GaussianMixtureParameters, float, np.ndarray]:
        """Parameters of a fit on the kept rows of a split, its score, and the log densities of the validation rows."""
        kept, out = split
        z, weight = self.z[kept], self.weight[kept]
        one = self.compute.one_thread
        settings = replace(self.settings, tol=SWEEP_TOLERANCE * self.settings.tol)
        fit = fit_joint(settings, z, weight, size, np.random.default_rng(seed), compute=one, monitor=self.monitor)
        if self.criterion == "bic":
            free = n_parameters(size, self.z.shape[1], self.settings.covariance_type)
            return fit.parameters, fit.log_likelihood - 0.5 * free * np.log(len(z)) / len(z), np.empty(0)
        rows = self.z[out] if held_out is None else held_out
        weight = self.weight[out] if held_out is None else np.ones(len(rows))
        joint = self.criterion == "joint"
        log_density = held_out_scores(fit.parameters, self.settings.spec, rows, self.n_inputs, joint=joint, compute=one)
        scored = ~np.isnan(log_density)
        if not scored.any():
            raise ValueError("No held-out row knows y; give X_val and y_val, or n_components.")
        return fit.parameters, np.average(log_density[scored], weights=weight[scored]), log_density

    def _gather(self, size: int, results: list[tuple], splits: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
        """Mean score of a size; its best parameters and its held-out log densities are kept."""
        log_density = np.full(len(self.z), np.nan)
        for (_, out), (_, _, of_rows) in zip(splits, results, strict=True):
            if len(out) and self.criterion == "conditional":
                log_density[out] = of_rows
        score = float(np.mean([score for _, score, _ in results]))
        if size not in self.fits or score > self.fits[size][0]:
            best = max(results, key=lambda result: result[1])
            self.fits[size] = score, best[0], log_density
            self.cross_fits[size] = [(*split, fit[0]) for split, fit in zip(splits, results, strict=True)]
        return score


def _subsample(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """At most `MAX_SWEEP_ROWS` of `rows` (indices), drawn at random."""
    return rows if len(rows) <= MAX_SWEEP_ROWS else rng.choice(rows, MAX_SWEEP_ROWS, replace=False)
