"""The joint mixture that a network with init='gmm' stands on."""

from dataclasses import dataclass

import numpy as np

from condensity import em
from condensity.compute import Compute
from condensity.data.splitting import held_out_splits
from condensity.em.component_search import ComponentSearch
from condensity.training import Terms


@dataclass(frozen=True, eq=False)
class FittedGaussianInit:
    """A joint mixture over standardised (x, y), as `training.GaussianInit`.

    Attributes
    ----------
    parameters : em.GaussianMixtureParameters
    n_inputs : int
    """

    parameters: em.GaussianMixtureParameters
    n_inputs: int

    @property
    def n_components(self) -> int:
        """Of the mixture."""
        return len(self.parameters.weights)

    def terms(self, x) -> Terms:
        """The mixture of y given standardised x (n, d)."""
        d = self.n_inputs
        target = range(d, self.parameters.means.shape[1])
        return Terms(*em.conditional_terms(self.parameters, range(d), target, np.asarray(x, dtype=float)))


def gaussian_init_fitter(n_components, validation_fraction, compute: Compute):
    """Fits a `FittedGaussianInit` to rows: K by the joint mixture's sweep where it is 'auto', then from where an earlier one ended."""
    settings = em.Settings()

    def make(rows, rng, earlier):
        z, d = np.column_stack([rows.x, rows.y]).astype(float), rows.x.shape[1]
        if earlier is not None:
            start, size = earlier.parameters, earlier.n_components
        elif n_components != "auto":
            start, size = None, n_components
        else:
            search = ComponentSearch(settings, z, rows.weight, d, compute=compute)
            size, start, _, _ = search.best_size(held_out_splits(len(z), validation_fraction, rng), None, rng)
        fit = em.fit_joint(settings, z, rows.weight, size, rng, start=start, compute=compute)
        return FittedGaussianInit(fit.parameters, d)

    return make
