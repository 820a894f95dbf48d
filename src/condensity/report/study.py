"""Data sets, models fitted on them, and the numbers of each that the page and the printed table report."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from condensity.data import read_numbers
from condensity.data.frame import column_labels
from condensity.estimators.joint_gmm import JointGMMRegressor
from condensity.estimators.unwrap import predict_dist
from condensity.evaluation.comparison import compare_with_joint
from condensity.evaluation.diagnostics import Finding
from condensity.plots.along import look_along
from condensity.plots.answers import components_of, pick_output
from condensity.report.axis import column_for_axis
from condensity.warning import collected_warnings

#: Points across the training range on which the largest σ is looked for, together with every training row.
SCALE_POINTS = 2001

LogDensity = Callable[[Any, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class DataSet:
    """One table, split into rows to fit and rows to score.

    Attributes
    ----------
    name : str
    X, y : table or ndarray (n, d), ndarray (n,) or (n, q)
        Rows that the models were fitted on (or, for models fitted elsewhere, the rows given). y has no missing values.
    X_test, y_test : table or ndarray (m, d), ndarray (m,) or (m, q)
        Rows that are scored.
    split : str
        A sentence on the origin of the test rows.
    targets : tuple of str
        Names of the columns of y.
    along : int
        The column that is the x axis of the charts.
    categories : 'from_dtype' or array-like (c,)
        Columns of X that are categories, as estimators take them.
    output : int, optional
        The output of the models that y is, where they have several.
    log_density : callable (X (m, d), y (m,)) -> (m,), optional
        The exact log p(y | x), where it is given.
    conditional_entropy : float, optional
        H*, the smallest expected NLL that any model can reach, in nats.
    notes : tuple of str
        Remarks about the data.
    log_joint_density : callable (X (m, d), y (m,)) -> (m,), optional
        The exact log p(x, y), where it is given.
    weight, weight_test : ndarray (n,), (m,), optional
        Sample weights.
    groups : sequence (n,), optional
        Labels of rows that belong together.
    """

    name: str
    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    split: str
    targets: tuple[str, ...] = ("y",)
    along: int = 0
    categories: npt.ArrayLike = "from_dtype"
    output: int | None = None
    log_density: LogDensity | None = None
    conditional_entropy: float | None = None
    notes: tuple[str, ...] = ()
    log_joint_density: LogDensity | None = None
    weight: np.ndarray | None = None
    weight_test: np.ndarray | None = None
    groups: Sequence[Any] | None = None

    @property
    def has_one_target(self) -> bool:
        """Whether y is one column, so that charts can show it."""
        return len(self.targets) == 1

    @property
    def target(self) -> str:
        """Name of y; of several columns all names, between commas."""
        return ", ".join(self.targets)

    @property
    def feature_names(self) -> list[str]:
        """Names of the columns of X."""
        return column_labels(self.X)

    @property
    def along_name(self) -> str:
        """Name of the column on the x axis."""
        return self.feature_names[self.along]

    @property
    def along_category(self) -> bool:
        """Whether the column on the x axis is a category."""
        return self.along in read_numbers("X", self.X, self.categories).categories

    def of_target(self, output: int, along: int | str | None = None) -> "DataSet":
        """The same rows with one of several targets.

        Parameters
        ----------
        output : int
            Position of the target.
        along : int or str, optional
            The column on the x axis; the one that the target follows most by default.
        """
        y = self.y[:, output]
        return replace(
            self,
            name=f"{self.name}: {self.targets[output]}",
            y=y,
            y_test=self.y_test[:, output],
            targets=(self.targets[output],),
            output=output,
            along=column_for_axis(self.X, y, self.categories, along),
            notes=(),
        )


@dataclass(frozen=True)
class Fit:
    """A fitted model under its name, with what happened while it was fitted.

    Attributes
    ----------
    name : str
    model : fitted estimator
    seconds : float or None
        Wall-clock time of the fit, None if it is not known.
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
        How the fit ended, in words; empty in the section of one of several targets.
    largest_scale : float
        Largest σₖ(x) of any component across the training range, used or not; NaN for several targets.
    nll : float
        Mean of −log p(y | x) over the test rows, by their weights.
    nll_error : float
        Its standard error.
    excess : float or None
        NLL − H*, where H* is given.
    health : tuple of condensity.evaluation.diagnostics.Finding
        Findings about the model; empty for models that have none.
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
    health: tuple[Finding, ...] = ()
    log_density: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False, compare=False)


@dataclass
class Study:
    """A data set and the models fitted on it, each with its numbers."""

    data: DataSet
    fits: list[Fit] = field(default_factory=list)
    measures: list[Measures] = field(default_factory=list)

    def add(self, fit: Fit) -> None:
        """Measure a fitted model and keep both. Warnings while measuring join the model's notes.

        Parameters
        ----------
        fit : Fit
        """
        with collected_warnings() as notes:
            measures = measure(fit.model, self.data)
        merged = tuple(dict.fromkeys((*fit.notes, *notes)))
        self.fits.append(Fit(fit.name, fit.model, fit.seconds, merged))
        self.measures.append(measures)

    def findings(self, position: int) -> tuple[Finding, ...]:
        """The health of a model, and its comparison on the test rows with the joint mixture of the study, if there is one.

        Parameters
        ----------
        position : int
            Of the model in the study.
        """
        own = self.measures[position].health
        joint = next((j for j, fit in enumerate(self.fits) if isinstance(fit.model, JointGMMRegressor)), None)
        if joint is None or isinstance(self.fits[position].model, JointGMMRegressor) or not own:
            return own
        here, there = self.measures[position], self.measures[joint]
        return (*own, compare_with_joint(here.log_density, there.log_density, there.components, len(self.data.targets)))


def studies_of(data: DataSet, fits: Sequence[Fit], *, along: int | str | None = None) -> list[Study]:
    """The studies of fitted models on one table: one of y; of several targets one of all together, then one of each.

    Parameters
    ----------
    data : DataSet
    fits : sequence of Fit
    along : int or str, optional
        The column on the x axis; the one that the target follows most by default.
    """
    sets = [data]
    if not data.has_one_target:
        sets += [data.of_target(j, along) for j in range(len(data.targets))]
    studies = [Study(each) for each in sets]
    for study in studies:
        for fit in fits:
            study.add(fit if study.data is data else replace(fit, notes=()))
    return studies


def fit_model(
    name: str,
    model: Any,
    X: Any,
    y: np.ndarray,
    weight: np.ndarray | None = None,
    groups: Sequence[Any] | None = None,
) -> Fit:
    """Fit a model, take the time, and keep its warnings as notes.

    Parameters
    ----------
    name : str
    model : unfitted estimator
    X : table or ndarray (n, d)
    y : ndarray (n,) or (n, q)
    weight : ndarray (n,), optional
        Sample weights.
    groups : sequence (n,), optional
        Labels of rows that belong together.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        The error of the model about X, y or its parameters, with the model's name in front.
    """
    start = time.perf_counter()
    with collected_warnings() as notes:
        try:
            given = {"sample_weight": weight, "groups": groups}
            model.fit(X, y, **{name: values for name, values in given.items() if values is not None})
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return Fit(name, model, time.perf_counter() - start, tuple(notes))


def fit_all(data: DataSet, models: Mapping[str, Any], progress: Callable[[str], object]) -> list[Fit]:
    """Fit every model, given by name, to the training rows of a data set.

    Parameters
    ----------
    data : DataSet
    models : mapping of str to unfitted estimator
    progress : callable (str)
        Called with a line for every model.
    """
    fits = []
    for position, (name, model) in enumerate(models.items(), start=1):
        progress(f"{data.name}: fitting {name} ({position} of {len(models)})")
        fits.append(fit_model(name, model, data.X, data.y, data.weight, data.groups))
    return fits


def measure(model: Any, data: DataSet) -> Measures:
    """Numbers of one fitted model on one data set.

    Parameters
    ----------
    model : fitted estimator
    data : DataSet
    """
    dist = predict_dist(model, data.X_test)
    one = dist if data.output is None else pick_output(dist, data.output)
    log_density = np.asarray(one.logpdf(data.y_test), dtype=float)
    nll, error = _mean_loss(-log_density, data.weight_test)
    whole = data.output is None
    return Measures(
        components=dist.n_components,
        converged=getattr(model, "converged_", None),
        outcome=str(getattr(model, "outcome_", "")) if whole else "",
        largest_scale=_largest_scale(model, data) if data.has_one_target else math.nan,
        nll=nll,
        nll_error=error,
        excess=None if data.conditional_entropy is None else nll - data.conditional_entropy,
        health=tuple(getattr(model, "health_", ())) if whole else (),
        log_density=log_density,
    )


def _mean_loss(loss: np.ndarray, weight: np.ndarray | None) -> tuple[float, float]:
    """Mean over rows, by their weights, and its standard error; NaN for the error of a single row or an infinite loss."""
    if weight is None:
        mean = float(loss.mean())
        with np.errstate(invalid="ignore"):  # an infinite loss has no standard error
            return mean, float(loss.std(ddof=1)) / math.sqrt(loss.size) if loss.size > 1 else math.nan
    loss, share = loss[weight > 0], weight[weight > 0] / weight.sum()
    mean = float(share @ loss)
    with np.errstate(invalid="ignore"):
        return mean, float(np.sqrt((share * (loss - mean)) @ (share * (loss - mean))))


def _largest_scale(model: Any, data: DataSet) -> float:
    """Largest σ of any component, on the line of the charts and at training rows."""
    line = look_along(data.X, data.along, points=SCALE_POINTS, padding=0.0, categorical_features=data.categories)
    on_line, on_rows = (components_of(predict_dist(model, X), data.output) for X in (line.rows, data.X))
    return float(max(on_line.widths.max(), on_rows.widths.max()))


def split_rows(
    n_rows: int, random_state: int, *, test_share: float = 0.2, groups: Sequence[Any] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Random positions (n_train,) and (n_test,) of the rows to fit and to test, both in increasing order.

    Parameters
    ----------
    n_rows : int
    random_state : int
    test_share : float
        Of all rows or, with groups, of the groups; in (0, 1).
    groups : sequence (n_rows,), optional
        Labels of rows that stay together.

    Examples
    --------
    >>> [len(rows) for rows in split_rows(50, 0)]
    [40, 10]
    """
    units = np.arange(n_rows) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    n_units = int(units.max()) + 1
    order = np.random.default_rng(random_state).permutation(n_units)
    tested = np.isin(units, order[: max(1, round(test_share * n_units))])
    return np.flatnonzero(~tested), np.flatnonzero(tested)


def all_notes(studies: Sequence[Study]) -> list[str]:
    """Notes of all data sets and fits as lines 'set, model: note'.

    Parameters
    ----------
    studies : sequence of Study
    """
    lines = []
    for study in studies:
        lines += [f"{study.data.name}: {note}" for note in study.data.notes]
        lines += [f"{study.data.name}, {fit.name}: {note}" for fit in study.fits for note in fit.notes]
    return lines
