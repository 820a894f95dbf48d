"""Diagnostics of a fitted model: a short list of findings in words with numbers, for any conditional density.

They are computed in standardised units on a sample of the training rows, at about the cost of a prediction.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from condensity.data import OUTLIER_DISTANCE
from condensity.data.scaling import QUANTILE_ROWS, TIED_SHARE, resolution
from condensity.distributions import Mixture
from condensity.engines.types import HALF_LOG_2PI, ROW_LOSS_CAP, TrainingRows
from condensity.persistence import require_numbers, saveable
from condensity.printable import printable

#: Training rows in the sample, points along each input, and inputs at most; later ones are left out.
SAMPLE_ROWS, GRID_POINTS, MAX_INPUTS = 256, 65, 20

#: Rows that the normal without x is fitted to, at most about twice as many.
BASELINE_ROWS = 2**16

#: A component is used in a row where its weight is above this, and unused if there is no such row in the sample.
USED_WEIGHT = 0.01
#: σ is at a bound within this factor of it.
AT_BOUND = 1.1
#: Steps along an input that are serious: in standard deviations of y, and in log σ.
LARGE_STEP = 1.0
#: Standard error of a held-out mean, in nats, above which it is too uncertain.
LARGE_ERROR = 0.1

#: Standardised x (n, d) to the mixture in standardised units.
Predict = Callable[[np.ndarray], Mixture]


@saveable("Finding")
class Finding(NamedTuple):
    """One finding about a fitted model.

    Attributes
    ----------
    name : str
        Subject: 'stopping', 'baseline', 'held-out rows', 'components', 'bounds of sigma', 'steps', 'ties';
        and 'joint mixture', where the model was compared with one.
    serious : bool
        Whether something should be done.
    text : str
    """

    name: str
    serious: bool
    text: str

    @property
    def sentence(self) -> str:
        """The text as a sentence of a warning."""
        return self.text if self.name == "stopping" else f"The model is {self.text}"

    def __str__(self) -> str:
        return f"{'! ' if self.serious else '  '}{printable(f'{self.name}: {self.text}')}"


@saveable("Evidence")
class Evidence(NamedTuple):
    """What is kept of a fit, so that it can be examined when somebody asks.

    Attributes
    ----------
    x : ndarray (at most `SAMPLE_ROWS`, d), float32
        Standardised training rows.
    findings : list of Finding
        What needs all of them.
    """

    x: np.ndarray
    findings: list[Finding]

    def check_loaded(self) -> None:
        """Refuse what no fit keeps."""
        require_numbers("the evidence of a fit", self.x, (None, None), dtype=np.float32)
        if not 1 <= len(self.x) <= SAMPLE_ROWS:
            raise ValueError(f"the evidence of a fit must have 1 to {SAMPLE_ROWS} rows")


def gather_evidence(rows: TrainingRows, outcome: str, *, converged: bool, held_out_log_density: np.ndarray) -> Evidence:
    """The cheap part, done by every fit.

    Parameters
    ----------
    rows : TrainingRows
        The training rows, standardised.
    outcome : str
        How the fit ended.
    converged : bool
    held_out_log_density : ndarray (n,)
        Of training rows under a model that did not see them; nan where there is none.
    """
    complete = np.isfinite(rows.x).all(axis=1) & np.isfinite(rows.y).all(axis=1)
    if not complete.any():
        return Evidence(
            np.nan_to_num(rows.x[:SAMPLE_ROWS]).astype(np.float32), [Finding("stopping", not converged, outcome)]
        )
    if not complete.all():
        rows, held_out_log_density = rows.take(complete), held_out_log_density[complete]
    step = -(-len(rows.y) // SAMPLE_ROWS)
    findings = [Finding("stopping", not converged, outcome), *_baseline(rows, held_out_log_density), *_ties(rows.y)]
    return Evidence(_float32(rows.x[::step]), findings)


def _float32(x: np.ndarray) -> np.ndarray:
    """A copy of standardised rows in half of the memory, values beyond its range held there."""
    limit = np.finfo(np.float32).max
    return np.clip(x, -limit, limit).astype(np.float32)


def examine(
    evidence: Evidence,
    predict: Predict,
    *,
    log_scale_bounds: tuple[npt.ArrayLike, float] | None = None,
    columns: Sequence[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> list[Finding]:
    """All findings about a fitted model.

    Parameters
    ----------
    evidence : Evidence
    predict : callable
        Standardised x (n, d) → `Mixture` in standardised units.
    log_scale_bounds : (float or array-like (q,), float), optional
        Bounds on log σ.
    columns : sequence of str, optional
        Names of the inputs.
    parameters : mapping of str to anything, optional
        Of the estimator, which advice is about.
    """
    x = evidence.x.astype(float)
    names = [f"column {j}" for j in range(x.shape[1])] if columns is None else [repr(str(name)) for name in columns]
    dist = predict(x)
    findings = [*evidence.findings, *_components(dist)]
    if log_scale_bounds is not None:
        findings += _bounds(dist, x, log_scale_bounds, names)
    return findings + _steps(predict, x, names, against_steps(parameters or {}, dist.n_components))


def baseline_log_density(y: np.ndarray, weight: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Log density (m,) at `at` (m, q) of one normal distribution that ignores x, in nats.

    Targets are clipped at `OUTLIER_DISTANCE` for its fit: the squares of 10¹⁰⁰ leave no positive definite covariance.

    Parameters
    ----------
    y : ndarray (n, q)
        Standardised targets that it is fitted to.
    weight : ndarray (n,)
    at : ndarray (m, q)
        Standardised targets where the density is evaluated.
    """
    sample = slice(None, None, -(-len(y) // BASELINE_ROWS))
    clipped = np.clip(y[sample], -OUTLIER_DISTANCE, OUTLIER_DISTANCE)
    center, covariance = _moments(clipped, np.asarray(weight[sample], dtype=float))
    factor = np.linalg.cholesky(covariance + 1e-9 * np.eye(y.shape[1]))
    z = np.linalg.solve(factor, (at - center).T)
    result: np.ndarray = -0.5 * (z * z).sum(axis=0) - np.log(np.diag(factor)).sum() - y.shape[1] * HALF_LOG_2PI
    return result


def _moments(y: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean (q,) and covariance (q, q)."""
    center = weight @ y / weight.sum()
    return center, ((y - center) * weight[:, None]).T @ (y - center) / weight.sum()


def _baseline(rows: TrainingRows, log_density: np.ndarray) -> list[Finding]:
    """Comparison with a normal distribution that ignores x, on held-out rows, and whether these are enough."""
    held_out = np.isfinite(log_density)
    if not held_out.any():
        return [Finding("baseline", False, "no row was held out, so there is no honest figure to compare.")]
    floor = -ROW_LOSS_CAP * rows.y.shape[1]
    gain = np.maximum(log_density[held_out], floor) - np.maximum(
        baseline_log_density(rows.y, rows.weight, rows.y[held_out]), floor
    )
    mean = float(np.average(gain, weights=rows.weight[held_out]))
    error = float(np.std(gain) / np.sqrt(held_out.sum()))
    margin = f"{abs(mean):.3g} nats a row on {int(held_out.sum())} held-out rows (standard error {error:.2g})"
    rival = f"one normal that ignores X, by {margin}"
    if mean > 0:
        findings = [Finding("baseline", False, f"better than {rival}.")]
    else:
        findings = [
            Finding("baseline", True, f"no better than {rival}: X says nothing, or the model did not learn it.")
        ]
    if error > LARGE_ERROR and mean < 5 * error:
        text = f"{int(held_out.sum())} are too few to trust: the mean log density is uncertain by {error:.2g} nats."
        findings.append(Finding("held-out rows", True, text))
    return findings


def _components(dist: Mixture) -> list[Finding]:
    used = np.any(dist.weights > USED_WEIGHT, axis=0)
    if used.all():
        return [Finding("components", False, f"all {len(used)} are used somewhere.")]
    text = (
        f"{int((~used).sum())} of {len(used)} are used nowhere (weight below {USED_WEIGHT:g} in all of {len(dist)} rows "
        "looked at). That does no harm."
    )
    return [Finding("components", False, text)]


def _bounds(dist: Mixture, x: np.ndarray, bounds: tuple[npt.ArrayLike, float], names: list[str]) -> list[Finding]:
    """Rows in which σ of used components is at its floor or ceiling."""
    scales = dist.scales if dist.scales.ndim == 3 else dist.scales[:, :, None]
    used = (dist.weights > USED_WEIGHT)[:, :, None]
    low, high = np.exp(np.asarray(bounds[0])), np.exp(bounds[1])
    findings = []
    for bound, there in (("floor", used & (scales < low * AT_BOUND)), ("ceiling", used & (scales > high / AT_BOUND))):
        rows = there.any(axis=(1, 2))
        if not rows.any():
            continue
        limit = f"{np.min(low):.2g}" if bound == "floor" else f"{high:.2g}"
        middle = np.median(x[rows], axis=0)
        farthest = int(np.argmax(np.abs(middle)))
        place = (
            f"most of all where {names[farthest]} is about {middle[farthest]:+.2g} standard deviations from its mean"
        )
        text = f"σ is at its {bound} ({limit} of y's scale) in {rows.mean():.0%} of rows, {place}."
        findings.append(Finding("bounds of sigma", bool(rows.mean() > 0.5), text))
    return findings or [Finding("bounds of sigma", False, "σ of used components is nowhere at its floor or ceiling.")]


def against_steps(parameters: Mapping[str, Any], n_components: int) -> str:
    """What makes the distributions of an estimator smoother in x: more networks or, without networks, fewer components.

    Parameters
    ----------
    parameters : mapping of str to anything
        Of the estimator.
    n_components : int
        Of the fitted model.

    Returns
    -------
    str
        A sentence, or nothing where neither is left to be changed.

    Examples
    --------
    >>> against_steps({"n_members": 1}, 10)
    ' If the truth is smooth, use n_members=10.'
    >>> against_steps({"n_components": "auto"}, 10)
    ' If the truth is smooth, use n_components below 10.'
    """
    if "n_members" in parameters:
        return " If the truth is smooth, use n_members=10." if parameters["n_members"] < 10 else ""
    fewer = "n_components" in parameters and n_components > 1
    return f" If the truth is smooth, use n_components below {n_components}." if fewer else ""


def _steps(predict: Predict, sample: np.ndarray, names: list[str], advice: str) -> list[Finding]:
    """Steps of mean, spread and weights along each input, the others at their medians, and `advice` where they are serious."""
    d = sample.shape[1]
    shown = range(min(d, MAX_INPUTS))
    x = np.tile(np.median(sample, axis=0), (len(shown), GRID_POINTS, 1))
    for j in shown:
        low, high = np.quantile(sample[:, j], [0.01, 0.99])
        x[j, :, j] = np.linspace(low, high, GRID_POINTS)
    dist = predict(x.reshape(-1, d))
    largest = []
    for values in (dist.mean(), np.log(dist.std()), dist.weights):
        steps = np.abs(np.diff(values.reshape(len(shown), GRID_POINTS, -1), axis=1))
        largest.append(steps.max(axis=(1, 2)))
    mean, spread, weight = largest
    worst = int(np.argmax(np.maximum(mean, spread)))
    serious = bool(max(mean[worst], spread[worst]) > LARGE_STEP)
    text = (
        f"between neighbours on a grid of {GRID_POINTS} points along each input, the largest are along {names[worst]}: mean "
        f"{mean[worst]:.2g} sd(y), log of the standard deviation {spread[worst]:.2g}, a weight {weight[worst]:.2g}."
    )
    return [Finding("steps", serious, text + advice if serious else text)]


def _ties(y: np.ndarray) -> list[Finding]:
    """Shares of repeated values of each output."""
    findings = []
    for j, column in enumerate(y.T):
        column = column[:: -(-len(column) // QUANTILE_ROWS)]
        repeated = 1.0 - len(np.unique(column)) / len(column)
        if repeated < TIED_SHARE:
            continue
        label, marginal = ("y", "") if y.shape[1] == 1 else (f"column {j} of y", f" of marginal({j})")
        text = (
            f"{repeated:.0%} of the values of {label} repeat another; it seems rounded to steps of {resolution(column):.2g} "
            "standard deviations. A density can gain by narrow peaks on such a grid: judge it by "
            f"scores.grid_proof_score{marginal} too."
        )
        findings.append(Finding("ties", False, text))
    return findings or [Finding("ties", False, "y has hardly any.")]
