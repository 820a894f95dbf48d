"""`TransformedMixture`: rows of y whose transform u = t(y) is a `Mixture`."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from condensity.distributions import arguments
from condensity.distributions.algebra import DistributionAlgebra
from condensity.distributions.base import Distribution
from condensity.distributions.formulas import DistributionFormulas
from condensity.distributions.functions import Chained, Linear
from condensity.distributions.lognormal import Log
from condensity.distributions.mapped import MappedFormulas
from condensity.distributions.mixture import Mixture
from condensity.distributions.monotone import MonotoneMap


class TransformedMixture(Distribution):
    """n rows, each the distribution of y where u = t(y) is a mixture of normals. Immutable; verbs and shapes as `Mixture`.

    Densities carry the Jacobian: `p(y) = p(u) |dt/dy|`. Outside the domain of t the density is 0. Verbs are closed forms where
    the map has some, else quadratures and roots of stated accuracy; for several outputs there are no modes and no energy score.

    Parameters
    ----------
    base : Mixture
        Of u.
    transform : MonotoneMap
        The same for every output.

    Examples
    --------
    >>> from condensity import Mixture
    >>> from condensity.distributions.transforms import Log
    >>> dist = TransformedMixture(Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]), Log())
    >>> dist.median(), dist.mean().round(4)
    (array([1.]), array([1.6487]))
    >>> dist.region(0.5)[0].round(3)
    array([[0.129, 1.052]])
    """

    __slots__ = ("base", "transform")

    base: Mixture
    transform: MonotoneMap

    def __init__(self, base: Mixture, transform: MonotoneMap):
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "transform", transform)

    def __reduce__(self) -> tuple[object, ...]:
        return TransformedMixture, (self.base, self.transform)

    def __repr__(self) -> str:
        return f"<TransformedMixture: {self.transform.name} of y is {self.base!r}>"

    @property
    def formulas(self) -> DistributionFormulas:
        """Closed forms of the map, where it has any."""
        return self.transform.closed_forms(self.base) or MappedFormulas(self.base, self.transform)

    @property
    def kind(self) -> str:
        """Kind of the distribution and its map, in words."""
        return f"TransformedMixture ({self.transform.name!r})"

    @property
    def log_weights(self) -> np.ndarray:
        """Log weights of the components, (n, K), read-only."""
        return self.base.log_weights

    @property
    def mass(self) -> np.ndarray:
        """Sum of the weights, (n,): 1 unless gated."""
        return self.base.mass

    @property
    def n_outputs(self) -> int:
        """q, the number of outputs."""
        return self.base.n_outputs

    @property
    def output_names(self) -> list[str] | None:
        """Names of the outputs, where they have any."""
        return self.base.output_names

    # ------------------------------------------------------------------------------------------------ algebra
    def __getitem__(self, rows: arguments.RowIndex) -> Self:
        """Rows by integer, slice, boolean mask or index array; always a TransformedMixture, also for one row."""
        return self._with(self.base[arguments.rows(rows, len(self), type(self).__name__)])

    def named(self, output_names: str | Sequence[str] | None) -> Self:
        """The same distribution, its outputs under other output_names: q different ones, or None."""
        return self._with(self.base.named(output_names))

    def marginal(self, outputs: arguments.Output | Sequence[arguments.Output]) -> Self:
        """Distribution of some of the outputs, given by position or name."""
        return self._with(self.base.marginal(outputs))

    def condition(self, given: Mapping[arguments.Output, npt.ArrayLike]) -> Self:
        """Distribution of the other outputs given values of some, a number or (n,) each, in data units."""
        if not isinstance(given, Mapping):
            raise ValueError(f"given must be a dict from outputs to values; got {type(given).__name__}.")
        values = {key: self.transform.forward(arguments.real(f"given[{key!r}]", value)) for key, value in given.items()}
        return self._with(self.base.condition(values))

    def affine(self, scale: npt.ArrayLike, shift: npt.ArrayLike) -> Self:
        """Distribution of scale · Y + shift: two numbers, or (n,) each where t is the logarithm, scale > 0 and shift = 0."""
        factors, offsets = arguments.real("scale", scale), arguments.real("shift", shift)
        if type(self.transform) is Log and (factors > 0).all() and not offsets.any():
            return self._with(self.base.affine(1.0, np.log(factors)))
        if factors.ndim or offsets.ndim:
            raise ValueError(
                f"affine takes one scale and one shift for all rows of a transformed mixture; got shapes {factors.shape} and "
                f"{offsets.shape}. base.affine moves u, row by row."
            )
        if not (np.isfinite(factors) and np.isfinite(offsets) and factors):
            raise ValueError(
                f"scale must be a finite number other than 0, and shift finite; got {scale!r} and {shift!r}."
            )
        return type(self)(self.base, Chained(Linear(float(factors), float(offsets)), self.transform))

    def gated(self, log_gate: np.ndarray) -> Self:
        """Every row's weights times g = exp(log_gate), (n,), the rest of its mass being unknown."""
        return self._with(self.base.gated(log_gate))

    def normalized(self) -> Self:
        """The known part alone, with weights that sum to one."""
        return self._with(self.base.normalized())

    def _concatenated(self, parts: Sequence[Self]) -> Self:
        return self._with(Mixture.concatenate([part.base for part in parts]))

    def _mixed(self, parts: Sequence[Self], shares: np.ndarray) -> Self:
        return self._with(Mixture.mix([part.base for part in parts], shares))

    def _is_like(self, other: DistributionAlgebra) -> bool:
        return isinstance(other, TransformedMixture) and self.transform == other.transform

    def _with(self, base: Mixture) -> Self:
        return type(self)(base, self.transform)
