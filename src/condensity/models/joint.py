"""Joint Gaussian mixtures of (x, y) as fitted models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from condensity import em
from condensity.compute import Compute
from condensity.distributions import Mixture
from condensity.models.inputs import InputDensity, mixture_of
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
    """

    parameters: em.GaussianMixtureParameters
    n_inputs: int
    spec: em.CovarianceSpec

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

    def output_marginal(self) -> em.GaussianMixtureParameters:
        """Marginal mixture of the outputs."""
        return self.parameters.over(range(self.n_inputs, self.parameters.means.shape[1]))

    def mixture(self) -> Mixture:
        """The joint mixture, one row over all columns, in standardised units."""
        return mixture_of(self.parameters)

    def check_loaded(self) -> None:
        """Refuse a mixture that is not over inputs and outputs."""
        if type(self.n_inputs) is not int or not 1 <= self.n_inputs < self.parameters.means.shape[1]:
            raise ValueError("a joint mixture must be over inputs and outputs")
