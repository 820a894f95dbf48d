"""Joint Gaussian mixtures of (x, y) as fitted models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from condensity import em
from condensity.compute import Compute
from condensity.data.splitting import RowSplit
from condensity.distributions import Mixture
from condensity.engines.types import TrainingRows
from condensity.models.conditional import CrossFit, FitTask
from condensity.models.inputs import InputDensity, fit_again, mixture_of
from condensity.persistence import saveable


@saveable("JointModel")
@dataclass(frozen=True, eq=False)
class JointModel:
    """A Gaussian mixture over the standardised columns of (x, y); p(y | x) and every other conditional are exact.

    Attributes
    ----------
    parameters : em.GaussianMixtureParameters
        Over d + q columns, the inputs first.
    n_inputs : int
    spec : em.CovarianceSpec
    limits : ndarray (2, d) or None
        Within which `predict` holds the inputs: straight lines through the few far rows of a heavy tail lead anywhere.
    aside : ndarray (s,) of int or None
        Inputs that are one linear regression on the others, the same in every component, and say nothing else about y.
    """

    parameters: em.GaussianMixtureParameters
    n_inputs: int
    spec: em.CovarianceSpec
    limits: np.ndarray | None = None
    aside: np.ndarray | None = None

    @property
    def n_outputs(self) -> int:
        """Number of standardised outputs, q."""
        return self.parameters.means.shape[1] - self.n_inputs

    @property
    def n_components(self) -> int:
        """Number of components, K."""
        return len(self.parameters.weights)

    @property
    def log_scale_bounds(self) -> None:
        """None: covariances have no bounds."""
        return None

    def predict(self, x: np.ndarray, *, compute: Compute) -> Mixture:
        """Mixture of y for each row of standardised x (n, d), NaN where a value is missing, predicted on `compute`."""
        d = self.n_inputs
        if self.limits is not None:
            x = np.clip(x, *self.limits)
        outputs = range(d, d + self.n_outputs)
        return em.conditional(self.parameters, range(d), outputs, x, complete=self._regressions, compute=compute)

    @cached_property
    def _regressions(self) -> em.Regressions:
        """Of the outputs on all inputs."""
        return em.Regressions.of(
            self.parameters, range(self.n_inputs), range(self.n_inputs, len(self.parameters.means[0]))
        )

    def condition(self, given: Sequence[int], z: np.ndarray, target: Sequence[int], *, compute: Compute) -> Mixture:
        """Mixture of columns `target` given standardised z (n, m) of the m columns `given`, NaN integrated out, on `compute`."""
        return em.conditional(self.parameters, given, target, z, compute=compute)

    def log_density(self, z: np.ndarray, columns: Sequence[int] | np.ndarray, *, compute: Compute) -> np.ndarray:
        """Log density (n,) of standardised z (n, c) of some columns (c,), NaN integrated out, on `compute`."""
        return em.log_density(self.parameters.over(columns), z, compute=compute)

    def input_density(self, columns: np.ndarray) -> InputDensity:
        """Marginal density of the inputs at positions `columns` (c,)."""
        return InputDensity(self.parameters.over(columns), columns, self.spec)

    def cross_fits(self, rows: TrainingRows, splits: Sequence[RowSplit], task: FitTask) -> list[CrossFit]:
        """The mixture fitted to the kept ones of the `rows` in each of the `splits`, from its own parameters, by a task."""
        if task.validation is not None:
            return [self.cross_fit(rows, np.arange(len(rows.y)), np.arange(0), self.parameters, task)]
        z, compute = np.column_stack([rows.x, rows.y]), task.compute.one_thread
        fits = [self.fitted_again(z[kept], rows.weight[kept], compute=compute).parameters for kept, _ in splits]
        return [self.cross_fit(rows, *split, fit, task) for split, fit in zip(splits, fits, strict=True)]

    def fitted_again(self, z: np.ndarray, weight: np.ndarray, *, compute: Compute) -> "JointModel":
        """The mixture fitted to other rows z (n, d + q) of `weight` (n,), from its own parameters, on `compute`."""
        aside = self.inputs_aside(z, weight)
        if aside is None:
            return replace(self, parameters=fit_again(z, weight, self.parameters, self.spec, compute=compute))
        start = self.parameters.over(aside.others)
        parameters = fit_again(z[:, aside.others], weight, start, self.spec, compute=compute)
        return replace(self, parameters=aside.over_all(parameters))

    def refit_of_inputs(
        self, rows: TrainingRows, columns: np.ndarray, *, compute: Compute
    ) -> Callable[[np.ndarray], InputDensity]:
        """A function of positions (m,) of `rows`: density of `columns` (c,) of x of the mixture fitted to those, on `compute`."""
        z = np.column_stack([rows.x, rows.y])
        return lambda kept: self.fitted_again(z[kept], rows.weight[kept], compute=compute).input_density(columns)

    def inputs_aside(self, z: np.ndarray, weight: np.ndarray) -> em.InputsAside | None:
        """Regression of the inputs set aside, if any, in rows z (n, d + q) of `weight` (n,)."""
        return None if self.aside is None else em.InputsAside.fit(self.aside, z, weight, self.n_inputs, self.spec)

    def cross_fit(
        self,
        rows: TrainingRows,
        kept: np.ndarray,
        out: np.ndarray,
        parameters: em.GaussianMixtureParameters,
        task: FitTask,
    ) -> CrossFit:
        """The mixture of `parameters`, fitted to `kept` (k,) of the `rows`, with rows `out` (h,), or those of a `task`."""
        model = replace(self, parameters=parameters)
        if task.validation is not None:
            return CrossFit(kept, task.validation, None, model)
        return CrossFit.of_split(rows, kept, out, model)

    def choice_again(
        self, settings: em.Settings, z: np.ndarray, weight: np.ndarray, n_components: int | str
    ) -> em.Choice:
        """The choice from which EM continues on rows z (n, d + q) of `weight` (n,), with `settings` and `n_components` or 'auto'.

        Raises
        ------
        ValueError
            For another number of columns or components.
        """
        k, d = self.parameters.means.shape
        if d != z.shape[1] or n_components not in ("auto", k):
            raise ValueError(
                f"warm_start goes on with {k} components over {d} columns; got n_components={n_components!r} and "
                f"{z.shape[1]} columns. Set warm_start=False to begin anew."
            )
        return em.Choice(settings.like(self.spec), k, self.parameters, aside=self.inputs_aside(z, weight))

    def impute(self, x: np.ndarray, how: str, rng: np.random.Generator, *, compute: Compute) -> np.ndarray:
        """Standardised x (n, d), missing values imputed on `compute`: `how` is 'mean', 'mode' or 'draw', this by `rng`."""
        result, missing = x.copy(), np.isnan(x)
        patterns, members = np.unique(missing, axis=0, return_inverse=True)
        for number, absent in enumerate(patterns):
            if not absent.any():
                continue
            rows, known = np.flatnonzero(members.ravel() == number), np.flatnonzero(~absent)
            target = [j for j, is_absent in enumerate(absent) if is_absent]
            dist = self.condition(list(known), x[np.ix_(rows, known)], target, compute=compute)
            imputed = dist.sample(1, random_state=rng) if how == "draw" else getattr(dist, how)()
            result[np.ix_(rows, np.flatnonzero(absent))] = imputed.reshape(len(rows), -1)
        return result

    def output_marginal(self) -> em.GaussianMixtureParameters:
        """Marginal mixture of the outputs."""
        return self.parameters.over(range(self.n_inputs, self.parameters.means.shape[1]))

    def mixture(self) -> Mixture:
        """The joint mixture, one row over all columns, in standardised units."""
        return mixture_of(self.parameters)

    def check_loaded(self) -> None:
        """Refuse a mixture that is not over inputs and outputs."""
        if not 1 <= self.n_inputs < self.parameters.means.shape[1]:
            raise ValueError("a joint mixture must be over inputs and outputs")
        limits = self.limits
        if limits is not None and (
            limits.shape != (2, self.n_inputs) or limits.dtype != float or not (limits[0] <= limits[1]).all()
        ):
            raise ValueError("the limits of the inputs must be a lower and an upper one each")
        if self.aside is not None and not _are_positions(self.aside, self.n_inputs):
            raise ValueError("inputs set aside must be ascending positions of some of the inputs")


def _are_positions(columns: object, d: int) -> bool:
    """Whether `columns` are ascending positions of some, but not all, of d columns."""
    return (
        isinstance(columns, np.ndarray)
        and columns.ndim == 1
        and columns.dtype.kind in "iu"
        and 1 <= len(columns) < d
        and bool((np.diff(columns) > 0).all())
        and columns[0] >= 0
        and columns[-1] < d
    )
