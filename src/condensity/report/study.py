"""What the page and the printed table report: data sets, models fitted on them, and the numbers of each."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from condensity.estimators.joint_gmm import JointGMMRegressor
from condensity.evaluation.comparison import compare_with_joint
from condensity.plots.along import look_along
from condensity.warning import collected_warnings

#: Points across the training range on which the largest σ is looked for, together with every training row.
SCALE_POINTS = 2001


@dataclass(frozen=True)
class DataSet:
    """One table, split into rows to fit and rows to score.

    Attributes
    ----------
    name : str
    X, y : table or ndarray (n, d), ndarray (n,)
        Rows that the models were fitted on (or, for models fitted elsewhere, the rows given).
    X_test, y_test : table or ndarray (m, d), ndarray (m,)
        Rows that are scored.
    split : str
        A sentence: where the test rows come from.
    feature_names : tuple of str
    target : str
        Name of y.
    along : int
        The column that is the x axis of the charts.
    log_density : callable (X (m, d), y (m,)) -> (m,), optional
        The exact log p(y | x), where it is known.
    entropy : float, optional
        H*, the smallest expected NLL there is, where it is known.
    notes : tuple of str
        Remarks about the data.
    log_joint_density : callable (X (m, d), y (m,)) -> (m,), optional
        The exact log p(x, y), where it is known.
    """

    name: str
    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    split: str
    feature_names: tuple[str, ...] = ("x",)
    target: str = "y"
    along: int = 0
    log_density: Callable | None = None
    entropy: float | None = None
    notes: tuple[str, ...] = ()
    log_joint_density: Callable | None = None


@dataclass(frozen=True)
class Fit:
    """A fitted model under its name, with what happened while it was fitted.

    Attributes
    ----------
    name : str
    model : fitted estimator
    seconds : float or None
        Wall-clock time of the fit, None if unknown.
    notes : tuple of str
        Warnings, one line each.
    """

    name: str
    model: Any
    seconds: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measures:
    """The numbers of one model on one data set; densities in nats, in data units.

    Attributes
    ----------
    components : int
    converged : bool or None
    outcome : str
        How the fit ended, in words.
    largest_scale : float
        Largest σ_k(x) of any component across the training range, used or not.
    nll : float
        Mean of −log p(y | x) over the test rows.
    nll_error : float
        Its standard error.
    excess : float or None
        NLL − H*, where H* is known.
    health : tuple of condensity.evaluation.diagnostics.Finding
        What the model is like, in words; empty for models that do not say.
    log_density : ndarray (m,)
        Of every test row.
    """

    components: int
    converged: bool | None
    outcome: str
    largest_scale: float
    nll: float
    nll_error: float
    excess: float | None
    health: tuple = ()
    log_density: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False, compare=False)


@dataclass
class Study:
    """A data set and the models fitted on it, each with its numbers."""

    data: DataSet
    fits: list[Fit] = field(default_factory=list)
    measures: list[Measures] = field(default_factory=list)

    def add(self, fit: Fit) -> None:
        """Measure a fitted model and keep both. Warnings while measuring join the model's notes."""
        with collected_warnings() as notes:
            measures = measure(fit.model, self.data)
        merged = tuple(dict.fromkeys((*fit.notes, *notes)))
        self.fits.append(Fit(fit.name, fit.model, fit.seconds, merged))
        self.measures.append(measures)

    def findings(self, position: int) -> tuple:
        """The health of a model, and how it does on the test rows beside the joint mixture of the study, if there is one."""
        own = self.measures[position].health
        joint = next((j for j, fit in enumerate(self.fits) if isinstance(fit.model, JointGMMRegressor)), None)
        if joint is None or isinstance(self.fits[position].model, JointGMMRegressor) or not own:
            return own
        here, there = self.measures[position], self.measures[joint]
        return (*own, compare_with_joint(here.log_density, there.log_density, there.components))


def fit_model(name: str, model: Any, X: Any, y: np.ndarray) -> Fit:
    """Fit a model, take the time, and keep its warnings as notes.

    Parameters
    ----------
    name : str
    model : unfitted estimator
    X : ndarray (n, d)
    y : ndarray (n,)

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        Whatever the model says about X, y or its parameters, with the model's name in front.
    """
    start = time.perf_counter()
    with collected_warnings() as notes:
        try:
            model.fit(X, y)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return Fit(name, model, time.perf_counter() - start, tuple(notes))


def measure(model: Any, data: DataSet) -> Measures:
    """Numbers of one fitted model on one data set."""
    log_density = np.asarray(model.score_samples(data.X_test, data.y_test), dtype=float)
    nll = -float(log_density.mean())
    with np.errstate(invalid="ignore"):  # an infinite loss has no standard error
        error = float(log_density.std(ddof=1)) / math.sqrt(log_density.size) if log_density.size > 1 else math.nan
    largest, components = _scan_scales(model, data)
    return Measures(
        components=components,
        converged=getattr(model, "converged_", None),
        outcome=str(getattr(model, "outcome_", "")),
        largest_scale=largest,
        nll=nll,
        nll_error=error,
        excess=None if data.entropy is None else nll - data.entropy,
        health=tuple(getattr(model, "health_", ())),
        log_density=log_density,
    )


def _scan_scales(model, data):
    """Largest σ of any component, on the line of the charts and at training rows; number of components."""
    line = look_along(data.X, data.along, points=SCALE_POINTS, padding=0.0)
    on_line, on_rows = model.predict_dist(line.rows), model.predict_dist(data.X)
    return float(max(on_line.scales.max(), on_rows.scales.max())), on_line.n_components


def most_correlated(X: Any, y: np.ndarray) -> int:
    """Position of the column of X (n, d) whose absolute Spearman correlation with y (n,) is largest.

    Constant columns correlate with nothing; 0 where nothing correlates.
    """
    from scipy.stats import rankdata

    ranks = rankdata(np.column_stack([X, y]), axis=0)
    ranks -= ranks.mean(axis=0)
    spread = np.sqrt((ranks**2).sum(axis=0))
    spread[spread == 0] = np.inf
    ranks /= spread
    return int(np.argmax(np.abs(ranks[:, :-1].T @ ranks[:, -1])))


def split_rows(n_rows: int, random_state: int, *, test_share: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Random positions (n_train,) and (n_test,) of the rows to fit and to test, both in increasing order."""
    order = np.random.default_rng(random_state).permutation(n_rows)
    n_test = max(1, round(test_share * n_rows))
    return np.sort(order[n_test:]), np.sort(order[:n_test])


def all_notes(studies: Sequence[Study]) -> list[str]:
    """Notes of all data sets and fits as lines 'set, model: note'."""
    lines = []
    for study in studies:
        lines += [f"{study.data.name}: {note}" for note in study.data.notes]
        lines += [f"{study.data.name}, {fit.name}: {note}" for fit in study.fits for note in fit.notes]
    return lines
