"""Support of the data: a density of the inputs, p-values of rows against rows that it was fitted without, and a gate.

    density  p̂(x): a Gaussian mixture over the standardised inputs
    p-value  (1 + #{i : s(x_i) ≤ s(x)}) / (1 + m),   s = log p̂, over m calibration rows
    gate     g(x) = p̂(x)^β / (p̂(x)^β + t^β),         t such that the mean of 1 − g over the calibration rows is .01

Calibration rows are scored by a density fitted without them, so their scores are exchangeable with those of new rows. Then a new
in-distribution row has P(p-value ≤ α) ≤ α, whatever the quality of p̂: exactly for rows that were held out altogether, and in
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
from functools import cached_property
from typing import NoReturn

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, log_expit

from condensity import em
from condensity.compute import AUTO, Compute
from condensity.data.splitting import N_FOLDS, RowSplitter, fold_splits, held_out_splits
from condensity.distributions import Mixture
from condensity.engines.types import TrainingRows
from condensity.models.batch_test import FALSE_ALARM, judge
from condensity.models.inputs import HELD_OUT_SHARE, InputDensity, fit_density, mixture_of, widened
from condensity.models.marginal import fit_marginal
from condensity.monitor import Monitor
from condensity.persistence import require_numbers, saveable
from condensity.warning import warn_user

#: What `predict_dist` can do with rows that are out of distribution.
OUTSIDE = ("ignore", "deficient", "prior", "warn", "raise")

#: Rows that the density is fitted to at most, and rows up to which every one of them calibrates it, by cross-fitting.
MAX_ROWS, CROSS_FIT_ROWS = 50_000, 5_000

#: Inputs are clipped at this many standard deviations for the fit: squares of 10¹⁰⁰ leave no covariance positive definite.
MAX_DISTANCE = 1e6

#: With more columns there is no density worth its time.
MAX_COLUMNS = 300

#: Mass that in-distribution rows lose to the gate, on average.
GATE_COST = 0.01

#: β of the gate. Of draws at x from even inputs widened by half on both sides, n = 1000, 8 components: 9.9 % fell outside the
#: data with β = 1, 4.5 % with 2, 1.2 % with 4; of the inverse wave's 1.9 % with 4, 1.7 % with 8, 1.6 % with 16.
SHARPNESS = 8.0

#: Log g of rows that depart from a constant column: exp of it is 0.
LOG_NOTHING = -1e4

#: σ of the prior that outside='prior' reverts to, in those of the marginal of y.
PRIOR_WIDENING = 2.0


@saveable("SupportModel")
@dataclass(frozen=True, eq=False)
class SupportModel:
    """A density of the inputs with a calibration, from which p-values and a gate follow.

    Attributes
    ----------
    density : InputDensity
    scores : ndarray (m,)
        Log p̂ of the calibration rows, ascending.
    weights : ndarray (m,) or None
        Sample weights of the calibration rows; None: all 1.
    log_threshold : float
        Log t of the gate.
    prior : em.GaussianMixtureParameters
        Marginal mixture of the standardised outputs, for outside='prior'.
    """

    density: InputDensity
    scores: np.ndarray
    weights: np.ndarray | None
    log_threshold: float
    prior: em.GaussianMixtureParameters

    @cached_property
    def counts(self) -> np.ndarray:
        """Total weight of the first 0, 1, … m calibration rows, (m + 1,)."""
        weights = np.ones(len(self.scores)) if self.weights is None else self.weights
        return np.concatenate([[0.0], np.cumsum(weights)])

    @property
    def min_p_value(self) -> float:
        """The smallest p-value: of rows rarer than every calibration row."""
        return 1.0 / (1.0 + float(self.counts[-1]))

    def p_values(self, x: np.ndarray, departs: np.ndarray | bool = False, *, compute: Compute = AUTO) -> np.ndarray:
        """Conformal p-values (n,) in (0, 1] of rows of standardised x (n, d), computed on `compute`.

        A row that departs (n,) from constant columns has the smallest one.
        """
        rank = np.searchsorted(self.scores, self.density.scores(x, compute=compute), side="right")
        return np.where(departs, self.min_p_value, (1.0 + self.counts[rank]) * self.min_p_value)

    def log_gate(self, x: np.ndarray, departs: np.ndarray | bool = False, *, compute: Compute = AUTO) -> np.ndarray:
        """Log g ≤ 0 (n,) of rows of standardised x (n, d), on `compute`; `LOG_NOTHING` where one departs (n,) from a constant."""
        log_gate = log_expit(SHARPNESS * (self.density.scores(x, compute=compute) - self.log_threshold))
        return np.where(departs, LOG_NOTHING, log_gate)

    def log_density(self, x: np.ndarray, *, compute: Compute = AUTO) -> np.ndarray:
        """Log p̂ (n,), in nats, of the observed values of each row of standardised x (n, d), on `compute`."""
        return self.density.log_density(x, compute=compute)

    def apply(
        self, dist: Mixture, x: np.ndarray, departs: np.ndarray, outside: str, *, compute: Compute = AUTO
    ) -> Mixture:
        """Standardised prediction `dist` for standardised x (n, d), with `outside` applied, on `compute`, where there is no data.

        A row that departs (n,) from constant columns counts as one without data around it.

        Raises
        ------
        ValueError
            For outside='raise', if the rows are not like the calibration rows; see `models.batch_test`.

        Warns
        -----
        UserWarning
            For outside='warn', likewise.
        """
        if outside in ("warn", "raise"):
            self._complain(np.where(departs, -np.inf, self.density.scores(x, compute=compute)), outside)
            return dist
        log_gate = self.log_gate(x, departs, compute=compute)
        if outside == "deficient":
            return dist.gated(log_gate)
        gate = np.exp(log_gate)
        prior = widened(mixture_of(self.prior, len(dist)), PRIOR_WIDENING)
        return Mixture.mix([dist, prior], np.column_stack([gate, 1.0 - gate]))

    def _complain(self, scores: np.ndarray, outside: str) -> None:
        verdict = judge(scores, self.scores)
        if verdict is None:
            return
        message = (
            f"{len(verdict.rows)} of {len(scores)} rows of X, the first of them row {verdict.rows[0]}, are {verdict.words}. What "
            f"the model says of them is extrapolation; see support(X). (False alarms: {FALSE_ALARM:.0%} of batches at most.)"
        )
        if outside == "raise":
            raise ValueError(message)
        warn_user(message)

    def check_loaded(self) -> None:
        """Refuse a calibration that no rows can have given."""
        scores, weights = self.scores, self.weights
        require_numbers("scores of calibration rows", scores, (scores.size,))
        if not len(scores) or (np.diff(scores) < 0).any():
            raise ValueError("scores of calibration rows must ascend")
        if weights is not None:
            require_numbers("weights of calibration rows", weights, scores.shape)
            if not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
                raise ValueError("calibration rows must have weights")
        if not np.isfinite(self.log_threshold):
            raise ValueError("the gate must have a threshold")


@saveable("NoSupport")
@dataclass(frozen=True, eq=False)
class NoSupport:
    """The absence of a support model.

    Attributes
    ----------
    reason : str
    density : InputDensity or None
        Of a model that has a density of its inputs without calibration.
    """

    reason: str
    density: InputDensity | None = None

    def require(self, verb: str) -> NoReturn:
        """Refuse a verb that needs a support model.

        Raises
        ------
        ValueError
        """
        raise ValueError(f"{verb} needs a support model: {self.reason}.")


def density_of(support: SupportModel | NoSupport, verb: str) -> InputDensity:
    """The density of the inputs that `support` holds, as `verb` needs it.

    Raises
    ------
    ValueError
        Where there is none, naming the verb that needs it.
    """
    if support.density is None:
        assert isinstance(support, NoSupport)
        raise ValueError(f"{verb} needs a density of the inputs: {support.reason}.")
    return support.density


def calibrated(
    density: InputDensity, scores: np.ndarray, weight: np.ndarray | None, prior: em.GaussianMixtureParameters
) -> SupportModel:
    """A support model of `density` and `prior`, from scores (m,) of rows of weight (m,) that the density was fitted without."""
    order = np.argsort(scores, kind="stable")
    scores = np.asarray(scores, dtype=float)[order]
    weights = None if weight is None or (weight == 1.0).all() else np.asarray(weight, dtype=float)[order]
    reach = 100.0 / SHARPNESS

    def excess(log_threshold: float) -> float:
        return float(np.average(expit(SHARPNESS * (log_threshold - scores)), weights=weights)) - GATE_COST

    log_threshold = brentq(excess, scores[0] - reach, scores[-1] + reach)
    return SupportModel(density, scores, weights, float(log_threshold), prior)


def calibration_scores(
    density: InputDensity,
    refit: Callable[[np.ndarray], InputDensity],
    rows: TrainingRows,
    rng: np.random.Generator,
    *,
    held_out: np.ndarray | None = None,
    compute: Compute = AUTO,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Log p̂ (m,) of calibration rows under densities fitted without them, and their sample weights.

    Parameters
    ----------
    density : InputDensity
        Of all rows.
    refit : callable (ndarray of int) -> InputDensity
        The same density, fitted to some of the rows only.
    rows : TrainingRows
        Standardised training rows, which calibrate by cross-fits unless rows are held out.
    rng : numpy Generator
    held_out : ndarray (v, d), optional
        Standardised rows that took no part in the fit.
    compute : Compute
    """
    if held_out is not None:
        return density.scores(held_out, compute=compute), None

    def score(split: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        kept, out = split
        return refit(kept).scores(rows.x[out], compute=compute.one_thread)

    splits = _calibration_splits(len(rows.x), rng, rows.splitter)
    scores = em.in_threads(score, splits, compute.n_threads, Monitor())
    return np.concatenate(scores), rows.weight[np.concatenate([out for _, out in splits])]


def fit_support(
    rows: TrainingRows,
    varying: np.ndarray,
    rng: np.random.Generator,
    *,
    held_out: np.ndarray | None = None,
    compute: Compute = AUTO,
) -> SupportModel:
    """Fit a mixture to standardised inputs, its size and covariance type chosen by held-out rows, and calibrate it.

    Parameters
    ----------
    rows : TrainingRows
        Without missing values, weights with mean one.
    varying : bool ndarray (d,)
        Columns with more than one value.
    rng : numpy Generator
    held_out : ndarray (v, d), optional
        The caller's own validation rows: sizes are compared and the density is calibrated on them.
    compute : Compute
    """
    x = np.clip(np.asarray(rows.x, dtype=float), -MAX_DISTANCE, MAX_DISTANCE)
    density, refit = fit_density(x, rows.weight, np.flatnonzero(varying), held_out, rng, compute, rows.splitter)
    clipped = rows._replace(x=x)
    if len(density.columns):
        scores, weight = calibration_scores(density, refit, clipped, rng, held_out=held_out, compute=compute)
    else:
        scores, weight = np.zeros(len(x)), rows.weight
    return calibrated(density, scores, weight, fit_marginal(rows, rng, compute))


def rows_for_support(rows: TrainingRows) -> TrainingRows:
    """Those of the rows that the density of the inputs will be fitted to: a copy, since a network limits its inputs in place."""
    n = len(rows.y)
    if n <= MAX_ROWS:
        return rows._replace(x=rows.x.copy())
    return rows.take(np.random.default_rng(0).choice(n, MAX_ROWS, replace=False))


def why_unavailable(d: int) -> str | None:
    """Why there is no density of d inputs, or None if there can be one."""
    if d <= MAX_COLUMNS:
        return None
    return f"X has {d} columns, and a density of more than {MAX_COLUMNS} is not worth its time"


def _calibration_splits(
    n: int, rng: np.random.Generator, splitter: RowSplitter | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs (kept, out) of row indices: five folds, or one part of long tables."""
    if n < CROSS_FIT_ROWS:
        return fold_splits(n, min(N_FOLDS, n), rng, splitter)
    return held_out_splits(n, HELD_OUT_SHARE, rng, splitter)
