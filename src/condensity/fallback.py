"""Fallback: simple distributions mixed into the predictions of a model, by weights that held-out rows give them.

    p(y | x) = Σ_a w_a p̂_a(y | x) + w_l N(y | B x + b, Σ) + w_m p̂(y) + Σ_α v_α t_α(y)

with p̂_a the model, its components' σ multiplied by a = 1, 2, 4; a linear normal; the marginal p̂(y); and tails
t_α = Σ_j c 4^(−α j) N(y | median, 16^j I), j = 1, 2, …, which fall like |y|^(−1 − α). The convex weights maximise the likelihood
of rows under members fitted without them, by EM, and each simple member counts as a tenth of a row (or of a group of rows)
beforehand. So a prediction is not worse than the simple ones, and a row far from all others costs tens of nats, not thousands.
Where the mixture does not gain a few nats in all (`stacking.MIN_GAIN`), there is no fallback, and predictions are the model's to
the bit; unless held-out rows are so few (`MIN_EVIDENCE`) that they cannot tell.

References
----------
Wolpert (1992), "Stacked generalization".
Smyth & Wolpert (1999), "Linearly combining density estimators via stacking".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from condensity import em
from condensity.compute import AUTO, Compute
from condensity.distributions import Mixture
from condensity.engines.types import TrainingRows
from condensity.evaluation.diagnostics import Finding
from condensity.models import ConditionalModel, CrossFit, MDNModel
from condensity.models.inputs import mixture_of, widened
from condensity.models.marginal import Form, Tails, are_far, fit_marginal, with_tails
from condensity.models.stacking import convex_weights, gain_of
from condensity.persistence import require_numbers, saveable
from condensity.training.linear import fit_linear_gaussian

#: Factors on σ of the model's own components.
WIDTHS = (1.0, 2.0, 4.0)

#: Rows, or groups of rows, as which the linear normal, the marginal and the light tail count beforehand; the model counts as one.
SIMPLE_PRIOR = 0.1

#: Held-out rows, or groups of rows, below which there is always a fallback: what one in fifty does, fewer do not show.
MIN_EVIDENCE = 50

#: Rows as which each tail counts beforehand, for each far row that a sample of all rows lets expect among the held-out ones:
#: these are few, and none of them need be far. At most for this share of the rows: more than that, the model itself must learn.
TAIL_PRIOR, MAX_FAR_SHARE = 0.25, 0.01

#: Rows that a cross-fit was fitted to, at most, among which far ones are looked for.
MAX_FITTED_ROWS = 1000


@saveable("Fallback")
@dataclass(frozen=True, eq=False)
class Fallback:
    """Simple members and their weights beside a model.

    Attributes
    ----------
    widths : ndarray (a,)
        Factors on σ of the model's components; the first is 1.
    width_weights : ndarray (a,)
        Weight of the model at each of them.
    linear : MDNModel
        Normal with a linear mean.
    linear_weight : float
    marginal : em.GaussianMixtureParameters
        Of the standardised outputs: the components of the marginal and of the tails.
    marginal_weight : float
    gain : float
        Nats per held-out row that the mixture has more than the model alone.
    n_rows : int
        Held-out rows.
    """

    widths: np.ndarray
    width_weights: np.ndarray
    linear: MDNModel
    linear_weight: float
    marginal: em.GaussianMixtureParameters
    marginal_weight: float
    gain: float
    n_rows: int

    def apply(self, dist: Mixture, x: np.ndarray, *, compute: Compute = AUTO) -> Mixture:
        """Prediction `dist` of a model for standardised x (n, d), mixed with the simple members, on `compute`."""
        parts = [widened(dist, factor) for factor in self.widths]
        weights = list(self.width_weights)
        if self.linear_weight > 0:
            parts.append(self.linear.predict(np.nan_to_num(x), compute=compute))
            weights.append(self.linear_weight)
        if self.marginal_weight > 0:
            parts.append(mixture_of(self.marginal, len(dist)))
            weights.append(self.marginal_weight)
        return Mixture.mix(parts, np.array(weights))

    @property
    def model_weight(self) -> float:
        """Weight of the model as it is."""
        return float(self.width_weights[0])

    @property
    def sentence(self) -> str:
        """Weight of the simple members, as a sentence of a warning."""
        return f"So simple distributions have {1.0 - self.model_weight:.0%} of the weight in predictions (fallback='auto')."

    @property
    def finding(self) -> Finding:
        """Weights in words with numbers; serious where the model has less than half."""
        text = (
            f"{self.n_rows} held-out rows give the model {self.model_weight:.2f} of the weight, its widened copies "
            f"{self.width_weights[1:].sum():.2f}, a normal with a linear mean {self.linear_weight:.2f}, and the distribution "
            f"of y without X {self.marginal_weight:.2f}; that changes their log density by {self.gain:+.2g} nats a row."
        )
        return Finding("fallback", self.model_weight < 0.5, text)

    def check_loaded(self) -> None:
        """Refuse weights that are not those of a mixture."""
        for name, part in (("widths", self.widths), ("weights of widths", self.width_weights)):
            require_numbers(name, part, (self.widths.size,))
        weights = np.array([*self.width_weights, self.linear_weight, self.marginal_weight])
        if not self.widths.size or not (self.widths > 0).all() or not np.isfinite(self.gain):
            raise ValueError("a fallback must have widths and a gain")
        if not (weights >= 0).all() or not np.isclose(weights.sum(), 1.0):
            raise ValueError("weights of a fallback must sum to one")
        if self.linear.n_outputs != self.marginal.means.shape[1]:
            raise ValueError("the members of a fallback must have the same outputs")


@dataclass(frozen=True)
class GuardedModel:
    """A conditional model with a fallback, as one conditional model."""

    model: ConditionalModel
    fallback: Fallback

    @property
    def n_inputs(self) -> int:
        """Number of standardised inputs, d."""
        return self.model.n_inputs

    @property
    def n_outputs(self) -> int:
        """Number of standardised outputs, q."""
        return self.model.n_outputs

    @property
    def log_scale_bounds(self) -> tuple[Any, float] | None:
        """Bounds of the model's log σ, or None."""
        return self.model.log_scale_bounds

    def predict(self, x: np.ndarray, *, compute: Compute) -> Mixture:
        """Mixture of y for each row of standardised x (n, d), predicted on `compute`."""
        return self.fallback.apply(self.model.predict(x, compute=compute), x, compute=compute)


def guarded(model: ConditionalModel, fallback: Fallback | None) -> ConditionalModel:
    """A model with its `fallback` mixed in, if it has one."""
    return model if fallback is None else GuardedModel(model, fallback)


def fit_fallback(
    rows: TrainingRows,
    cross_fits: Sequence[CrossFit],
    rng: np.random.Generator,
    *,
    decode: Callable[[np.ndarray], np.ndarray] | None = None,
    compute: Compute = AUTO,
) -> tuple[Fallback | None, np.ndarray]:
    """Weigh a model against simple members on rows that neither was fitted to.

    Parameters
    ----------
    rows : TrainingRows
        Standardised training rows.
    cross_fits : sequence of CrossFit
        The model fitted to some of the rows each time, and rows held out of that fit.
    rng : numpy Generator
    decode : callable (m, q) -> (m, q), optional
        Targets in data units, where they have a transform: tails end where their means would be far from all rows.
    compute : Compute

    Returns
    -------
    fallback : Fallback or None
        Its simple members fitted to all rows; None where it does not gain `stacking.MIN_GAIN` nats in all.
    log_density : ndarray (h,)
        Log density of the held-out rows, those of all cross-fits after one another, under the mixture.
    """
    tails = Tails.around(rows.y, decode)
    judged = [(each, each.model.predict(each.held_out.x, compute=compute)) for each in cross_fits]
    weight = np.concatenate([each.held_out.weight for each in cross_fits])
    form, of_marginal = _best_marginal(rows, cross_fits, weight, rng, compute)
    table = np.concatenate([_log_densities(rows, *pair, tails, compute) for pair in judged])
    table = np.insert(table, len(WIDTHS) + 1, of_marginal, axis=1)
    share = float(np.mean(np.concatenate([_far_rows(rows, *pair, compute) for pair in judged])))
    per_unit = 1.0 if rows.splitter is None else len(rows.y) / rows.splitter.n_units
    prior = _prior(tails, per_unit, len(table) * TAIL_PRIOR * min(share, MAX_FAR_SHARE))
    weights = convex_weights(table, weight, prior, required=share > 0 or len(table) < MIN_EVIDENCE * per_unit)
    if weights is None:
        return None, table[:, 0]
    gain = gain_of(table, weight, weights) / float(weight.sum())
    fallback = _fallback(rows, weights, form, tails, gain, len(table), rng, compute)
    return fallback, logsumexp(table, axis=1, b=weights)


def _best_marginal(
    rows: TrainingRows, cross_fits: Sequence[CrossFit], weight: np.ndarray, rng: np.random.Generator, compute: Compute
) -> tuple[Form, np.ndarray]:
    """Form of the marginal that is likeliest on the held-out rows (h,) of `weight`, and their log densities under it."""
    forms = Form.compared(rows.y.shape[1])
    table = np.column_stack([
        _without_infinities(
            np.concatenate([
                mixture_of(fit_marginal(rows.take(each.kept), rng, compute, form), len(each.held_out.y)).logpdf(
                    _targets(each)
                )
                for each in cross_fits
            ])
        )
        for form in forms
    ])  # fmt: skip
    best = int(np.argmax(weight @ table))
    return forms[best], table[:, best]


def _prior(tails: Tails, per_unit: float, of_tails: float) -> np.ndarray:
    """Rows as which the members count beforehand, with so many rows `per_unit`, and `of_tails` for each of the heavy tails."""
    simple = SIMPLE_PRIOR * per_unit
    return np.array(
        [per_unit, *[0.0] * (len(WIDTHS) - 1), simple, simple, *[of_tails] * (len(tails.shares) - 1), simple]
    )


def _fallback(
    rows: TrainingRows,
    weights: np.ndarray,
    form: Form,
    tails: Tails,
    gain: float,
    n_rows: int,
    rng: np.random.Generator,
    compute: Compute,
) -> Fallback:
    """Simple members fitted to all rows, with the weights (m,) of all members."""
    a = len(WIDTHS)
    used = [j for j in range(a) if j == 0 or weights[j] > 0]
    of_marginal = weights[a + 1 :]
    marginal = with_tails(fit_marginal(rows, rng, compute, form), tails, of_marginal)
    return Fallback(
        np.array(WIDTHS)[used], weights[used], _linear_model(rows), float(weights[a]),
        marginal, float(of_marginal.sum()), gain, n_rows,
    )  # fmt: skip


def _linear_model(rows: TrainingRows) -> MDNModel:
    """A normal with a linear mean."""
    theta, network = fit_linear_gaussian(rows)
    return MDNModel(theta[None], network)


def _log_densities(
    rows: TrainingRows, cross_fit: CrossFit, dist: Mixture, tails: Tails, compute: Compute
) -> np.ndarray:
    """Log densities (h, m − 1) of the held-out rows of a cross-fit, which predicts `dist`, under all members but the marginal."""
    at = _targets(cross_fit)
    members = [widened(dist, factor) for factor in WIDTHS]
    linear = _linear_model(rows.take(cross_fit.kept))
    members.append(linear.predict(np.nan_to_num(cross_fit.held_out.x), compute=compute))
    return _without_infinities(
        np.column_stack([*(each.logpdf(at) for each in members), tails.logpdf(cross_fit.held_out.y)])
    )


def _targets(cross_fit: CrossFit) -> np.ndarray:
    """Held-out targets as verbs of distributions take them: (h, q), or (h,) of one output."""
    y = cross_fit.held_out.y
    return y if y.shape[1] > 1 else y[:, 0]


def _without_infinities(log_densities: np.ndarray) -> np.ndarray:
    """Log densities with a number far below all others in place of −∞ and NaN."""
    return np.maximum(np.nan_to_num(log_densities, nan=-np.inf), np.finfo(float).min / 1e3)


def _far_rows(rows: TrainingRows, cross_fit: CrossFit, dist: Mixture, compute: Compute) -> np.ndarray:
    """Whether rows are far from what a cross-fit predicts: held-out ones from `dist`, and a sample of the others."""
    far = are_far(dist, cross_fit.held_out.y)
    kept = rows.take(cross_fit.kept[:: -(-len(cross_fit.kept) // MAX_FITTED_ROWS)])
    complete = kept.take(np.isfinite(kept.y).all(axis=1))
    if not len(complete.y):
        return far
    return np.concatenate([are_far(cross_fit.model.predict(complete.x, compute=compute), complete.y), far])
