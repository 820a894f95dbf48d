"""Where there is data: a density of the inputs, how rare a row is beside rows that the density has not seen, and the gate.

    density  p̂(x): a Gaussian mixture over the standardised inputs
    p-value  (1 + #{i : s(x_i) ≤ s(x)}) / (1 + m),   s = log p̂, over m calibration rows
    gate     g(x) = p̂(x)^β / (p̂(x)^β + t^β),         t such that the mean of 1 − g over the calibration rows is .01

Calibration rows are scored by a density that was fitted without them, so that they are to it what new rows are to p̂. Then a new
row like the training rows has P(p-value ≤ α) ≤ α, whatever p̂ is worth: exactly for rows that were held out altogether, and in
practice where every row is scored by one of five cross-fits (`docs/decisions.md` has the figures).

With β = 1, g would be the probability that x comes from p̂ rather than from an even background, but it falls off over a nat of
log p̂, which at the edge of uniform inputs is a long way; see `SHARPNESS`.

References
----------
Vovk, Gammerman & Shafer (2005), "Algorithmic Learning in a Random World": conformal p-values.
Bishop (1994), "Novelty detection and neural network validation": the density of the inputs as a guard of a network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, log_expit

from condensity import em
from condensity.compute import AUTO, Compute
from condensity.data.splitting import N_FOLDS, fold_splits, held_out_splits
from condensity.distributions import Mixture
from condensity.em.sweep import candidate_sizes, sweep
from condensity.monitor import Monitor

#: Numbers of components that are tried. A network of one input and few rows is fitted in less time than this sweep takes, and
#: fewer sizes do: n = 1000, three odd sets: 21 → 12 ms, held-out log density −1.338 both. At n = 5000 they would cost .006 nats.
SIZES = (1, 2, 4, 8, 16, 32)
FEW_SIZES, FEW_ROWS = (1, 3, 8, 20), 2000

#: The sweep ends after so many sizes without a better one.
PATIENCE = 2

#: EM stops when its objective changes by less, in nats a row: ranks of rows ask for no more.
TOLERANCE = 2e-3

HELD_OUT_SHARE = 0.2

#: Rows that the density is fitted to at most, and rows up to which every one of them calibrates it, by cross-fitting.
MOST_ROWS, CROSS_FIT_ROWS = 50_000, 5_000

#: Inputs are held within so many standard deviations for the fit: squares of 10¹⁰⁰ leave no covariance positive definite.
FARTHEST = 1e6

#: With more columns than the first, components share a covariance or have diagonal ones; with more than the second, there is no
#: density worth its time.
MOST_FULL_COLUMNS, MOST_COLUMNS = 30, 300

#: Mass that data like the training data lose to the gate, on average.
GATE_COST = 0.01

#: β of the gate. Of draws at x from even inputs widened by half on both sides, n = 1000, 8 components: 9.9 % fell outside the
#: data with β = 1, 4.5 % with 2, 1.2 % with 4; of the inverse wave's 1.9 % with 4, 1.7 % with 8, 1.6 % with 16.
SHARPNESS = 8.0

#: Log g of rows that depart from a constant column: exp of it is 0.
LOG_NOTHING = -1e4

#: Draws that stand for the density where rows with gaps are compared with complete ones.
REFERENCE_DRAWS = 2000


@dataclass(frozen=True, eq=False)
class InputDensity:
    """A Gaussian mixture over the columns of standardised x that vary.

    Attributes
    ----------
    parameters : em.GaussianMixtureParameters
        Over `columns`.
    columns : ndarray (c,) of int
    form : em.Form
    engine : str
    n_threads : int
    """

    parameters: em.GaussianMixtureParameters
    columns: np.ndarray
    spec: em.CovarianceSpec
    engine: str = "auto"
    n_threads: int = 1

    def log_density(self, x) -> np.ndarray:
        """Log p̂ of what each row of x (n, d) knows, (n,)."""
        return self._log_density(np.asarray(x, dtype=float)[:, self.columns])

    def scores(self, x) -> np.ndarray:
        """Log p̂ of every row of x (n, d); of a row with gaps, the log p̂ of complete rows as rare as it, (n,).

        How rare a row is among those that know the same columns is read off draws from p̂.
        """
        z = np.asarray(x, dtype=float)[:, self.columns]
        scores = self._log_density(z)
        gaps = np.isnan(z)
        if not gaps.any():
            return scores
        draws = self.draw(REFERENCE_DRAWS, np.random.default_rng(0))
        complete = np.sort(self._log_density(draws))
        for pattern in np.unique(gaps[gaps.any(axis=1)], axis=0):
            rows = (gaps == pattern).all(axis=1)
            alike = np.sort(self._log_density(np.where(pattern, np.nan, draws)))
            low, high = scores[rows] - alike[0], scores[rows] - alike[-1]
            scores[rows] = np.interp(scores[rows], alike, complete) + np.minimum(low, 0.0) + np.maximum(high, 0.0)
        return scores

    def draw(self, n_samples, random_state) -> np.ndarray:
        """Rows from p̂ over `columns`, (n_samples, c)."""
        if not len(self.columns):
            return np.empty((n_samples, 0))
        return self.mixture().sample(n_samples, random_state=random_state)[0].reshape(n_samples, -1)

    def mixture(self) -> Mixture:
        """One row, in standardised units."""
        weights, means, _ = self.parameters
        factors = em.factors_of(self.parameters)
        return Mixture.from_factors(np.log(weights)[None], means[None], factors[None])

    def _log_density(self, z):
        return em.log_density(self.parameters, z, self.spec, compute=Compute(self.engine, self.n_threads))


@dataclass(frozen=True, eq=False)
class Support:
    """A density of the inputs with the calibration that makes p-values and a gate of it.

    Attributes
    ----------
    density : InputDensity
    scores : ndarray (m,)
        Log p̂ of the calibration rows, ascending.
    counts : ndarray (m + 1,)
        Rows among the first 0, 1, … m of them, by sample weight.
    log_threshold : float
        Log t.
    """

    density: InputDensity
    scores: np.ndarray
    counts: np.ndarray
    log_threshold: float

    @property
    def smallest(self) -> float:
        """The smallest p-value there is: of rows rarer than every calibration row."""
        return 1.0 / (1.0 + float(self.counts[-1]))

    def p_values(self, x) -> np.ndarray:
        """Conformal p-values of rows of standardised x (n, d), in (0, 1]."""
        rank = np.searchsorted(self.scores, self.density.scores(x), side="right")
        return (1.0 + self.counts[rank]) * self.smallest

    def log_gate(self, x) -> np.ndarray:
        """Log g of rows of standardised x (n, d), ≤ 0."""
        return log_expit(SHARPNESS * (self.density.scores(x) - self.log_threshold))


def calibrated(density: InputDensity, scores, weight=None) -> Support:
    """A density with scores of rows that it has not seen, (m,), of sample weights (m,)."""
    weight = np.ones(len(scores)) if weight is None else np.asarray(weight, dtype=float)
    order = np.argsort(scores, kind="stable")
    scores, weight = np.asarray(scores)[order], weight[order]
    reach = 100.0 / SHARPNESS

    def excess(log_threshold):
        return np.average(expit(SHARPNESS * (log_threshold - scores)), weights=weight) - GATE_COST

    log_threshold = brentq(excess, scores[0] - reach, scores[-1] + reach)
    return Support(density, scores, np.concatenate([[0.0], np.cumsum(weight)]), float(log_threshold))


def calibrate(density, refit: Callable, x, weight, rng, *, held_out=None, n_threads=1) -> Support:
    """Calibrate a density on held-out rows or, without them, by cross-fits.

    Parameters
    ----------
    density : InputDensity
        Of all rows.
    refit : callable (ndarray of int) -> InputDensity
        The same density, fitted to some of the rows only.
    x, weight : ndarray (n, d), (n,)
        Standardised training rows.
    rng : numpy Generator
    held_out : ndarray (v, d), optional
        Standardised rows that took no part in the fit.
    n_threads : int
    """
    if held_out is not None:
        return calibrated(density, density.scores(held_out))
    splits = _calibration_splits(len(x), rng)
    scored = em.in_threads(lambda split: refit(split[0]).scores(x[split[1]]), splits, n_threads, Monitor())
    rows = np.concatenate([out for _, out in splits])
    return calibrated(density, np.concatenate(scored), weight[rows])


def fit_support(x, weight, varying, rng, *, held_out=None, compute: Compute = AUTO) -> Support:
    """Fit a mixture to standardised inputs, its size and form chosen by held-out rows, and calibrate it.

    Parameters
    ----------
    x : ndarray (n, d)
        Without gaps.
    weight : ndarray (n,)
        With mean one.
    varying : bool ndarray (d,)
        Columns with more than one value.
    rng : numpy Generator
    held_out : ndarray (v, d), optional
        The caller's own validation rows: they judge sizes, and calibrate.
    compute : Compute
    """
    columns = np.flatnonzero(varying)
    x = np.clip(np.asarray(x, dtype=float), -FARTHEST, FARTHEST)
    if not len(columns):
        nothing = em.GaussianMixtureParameters(np.ones(1), np.empty((1, 0)), np.empty((1, 0, 0)))
        return calibrated(InputDensity(nothing, columns, em.CovarianceSpec()), np.zeros(len(x)), weight)
    z = x[:, columns]
    others = None if held_out is None else np.asarray(held_out, dtype=float)[:, columns]
    spec, start = _best_start(z, weight, others, rng, compute=compute)

    def fit(rows, start):
        parameters = fit_again(z[rows], weight[rows], start, spec, compute=compute)
        return InputDensity(parameters, columns, spec, compute.engine, compute.n_threads)

    density = fit(slice(None), start)
    return calibrate(
        density,
        lambda rows: fit(rows, density.parameters),
        x,
        weight,
        rng,
        held_out=held_out,
        n_threads=compute.n_threads,
    )


def fit_again(z, weight, start, spec, *, compute: Compute = AUTO) -> em.GaussianMixtureParameters:
    """A mixture of other rows of the same table, from where an earlier fit ended.

    Where a component stands 10¹⁰⁰ away on a row that is not among them, its covariance would be lost to rounding: then from anew.
    """
    how: dict[str, Any] = {
        "sample_weight": weight,
        "spec": spec,
        "tol": TOLERANCE,
    }
    size, rng = len(start.weights), np.random.default_rng(0)
    try:
        return em.fit_gmm(z, size, rng, start=start, compute=compute, **how).parameters
    except np.linalg.LinAlgError:
        return em.fit_gmm(z, size, rng, compute=compute, **how).parameters


def why_unavailable(d) -> str | None:
    """Why there is no density of d inputs, or None if there can be one."""
    if d <= MOST_COLUMNS:
        return None
    return f"X has {d} columns, and a density of more than {MOST_COLUMNS} is not worth its time"


def _best_start(z, weight, held_out, rng, *, compute: Compute):
    """Form and parameters of the mixture that is best on held-out rows."""
    n, d = z.shape
    splits = [(np.arange(n), None)] if held_out is not None else held_out_splits(n, HELD_OUT_SHARE, rng)
    fewest = min(len(kept) for kept, _ in splits)
    sizes = candidate_sizes(fewest, FEW_SIZES if d == 1 and n < FEW_ROWS else SIZES)
    kinds = ("full",) if d <= MOST_FULL_COLUMNS else ("tied", "diag")
    found: dict[tuple, tuple] = {}
    best: list[tuple] = []

    def score(spec, size, seed):
        """Mean held-out log density of a size; folds begin where a fit of all rows ended, which halves their time."""
        seeded, how = np.random.default_rng(seed), {"spec": spec, "tol": TOLERANCE, "compute": compute.one_thread}
        start = em.fit_gmm(z, size, seeded, sample_weight=weight, **how).parameters if len(splits) > 1 else None
        results = []
        for kept, out in splits:
            fit = em.fit_gmm(z[kept], size, seeded, sample_weight=weight[kept], start=start, **how)
            rows, counts = (held_out, np.ones(len(held_out))) if out is None else (z[out], weight[out])
            log_density = em.held_out_scores(fit.parameters, spec, rows, d, joint=True, compute=compute.one_thread)
            results.append(np.average(log_density, weights=counts))
        found[spec, size] = float(np.mean(results)), spec, fit.parameters if start is None else start
        return found[spec, size][0]

    for kind in kinds:
        spec, seeds = em.CovarianceSpec(kind), rng.integers(2**63, size=len(sizes))

        def scores(group: list[int], spec=spec, seeds=seeds) -> list[float]:
            return em.in_threads(
                lambda size: score(spec, size, seeds[sizes.index(size)]), group, compute.n_threads, Monitor()
            )

        selection = sweep(scores, sizes, at_once=compute.n_threads, patience=PATIENCE)
        best.append(found[spec, selection.best])
    _, spec, parameters = max(best, key=lambda entry: entry[0])
    return spec, parameters


def _calibration_splits(n, rng):
    """Pairs (kept, out) of row indices: five folds, or one part of long tables."""
    if n < CROSS_FIT_ROWS:
        return fold_splits(n, min(N_FOLDS, n), rng)
    return held_out_splits(n, HELD_OUT_SHARE, rng)
