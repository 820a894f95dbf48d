"""Joint Gaussian mixtures of (x, y) as fitted models."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    """

    parameters: em.GaussianMixtureParameters
    n_inputs: int
    spec: em.CovarianceSpec
    limits: np.ndarray | None = None

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
        return self.condition(range(d), x, range(d, d + self.n_outputs), compute=compute)

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
        fits = [
            fit_again(z[kept], rows.weight[kept], self.parameters, self.spec, compute=compute) for kept, _ in splits
        ]
        return [self.cross_fit(rows, *split, fit, task) for split, fit in zip(splits, fits, strict=True)]

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

    def start_for(self, n_columns: int, n_components: int | str) -> em.GaussianMixtureParameters:
        """Parameters from which EM continues over `n_columns`, with `n_components` or 'auto', as many as now.

        Raises
        ------
        ValueError
            For another number of columns or components.
        """
        k, d = self.parameters.means.shape
        if d != n_columns or n_components not in ("auto", k):
            raise ValueError(
                f"warm_start goes on with {k} components over {d} columns; got n_components={n_components!r} and {n_columns} "
                "columns. Set warm_start=False to begin anew."
            )
        return self.parameters

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
