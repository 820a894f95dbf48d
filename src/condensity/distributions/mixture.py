"""`Mixture`: n rows, each a mixture of K normal components over q outputs."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from condensity.distributions import arguments, gaussian, guards
from condensity.distributions.algebra import DistributionAlgebra, read_only
from condensity.distributions.base import Distribution
from condensity.distributions.normals import MultivariateNormalFormulas, NormalFormulas, UnivariateNormalFormulas
from condensity.distributions.parameters import (
    MASS_TOLERANCE,
    Parameters,
    side_by_side,
    squeezed,
    stacked,
    validated,
)


class Mixture(Distribution):
    """n rows, each a mixture of K normal components over q outputs. Immutable.

    Slicing, concatenating, mixing, rescaling, marginalising and conditioning a mixture give another. Everything is float64, in
    data units, computed in log space.

    Parameters
    ----------
    weights, log_weights : array-like (n, K)
        Exactly one of the two. Rows sum to 1 or, for a gated mixture, to less; see `mass`.
    means : array-like (n, K) or (n, K, q)
        One output may come as (n, K, 1), and is kept as (n, K).
    scales : array-like (n, K) or (n, K, q)
        Standard deviations, > 0. With several outputs, these are independent within a component.
    covariances : array-like (n, K, q, q)
        Instead of scales: symmetric and positive definite.
    output_names : sequence of str, optional
        q different names, which `marginal` and `condition` take in place of positions.

    Attributes
    ----------
    weights, log_weights : ndarray (n, K), read-only
    means, scales : ndarray (n, K) or (n, K, q), read-only
        Standard deviations also where covariances were given.
    covariances : ndarray (n, K, q, q), read-only
    mass : ndarray (n,), read-only
        Sum of the weights; `Distribution` tells which verbs need it to be 1.
    n_outputs, n_components : int
    output_names : list of str or None

    Raises
    ------
    ValueError
        For shapes that differ, weights that are negative or sum to more than one, covariances that are not positive
        definite, and anything not finite.

    Notes
    -----
    Verbs are those of `Distribution`, whose notes give the shapes of points and levels.

    Examples
    --------
    >>> from condensity import Mixture
    >>> dist = Mixture(weights=[[0.5, 0.5]], means=[[-2.0, 2.0]], scales=[[1.0, 1.0]])
    >>> dist.ppf(0.5).round(12) + 0.0
    array([0.])
    >>> both = Mixture(weights=[[1.0]], means=[[[0.0, 3.0]]], covariances=[[[[1.0, 0.8], [0.8, 1.0]]]])
    >>> both.condition({0: 1.0}).mean()
    array([3.8])
    """

    __slots__ = ("_output_names", "_parameters")

    component_columns: ClassVar[tuple[str, str]] = ("mean", "scale")

    _parameters: Parameters
    _output_names: tuple[str, ...] | None

    def __init__(
        self,
        *,
        weights: npt.ArrayLike | None = None,
        log_weights: npt.ArrayLike | None = None,
        means: npt.ArrayLike,
        scales: npt.ArrayLike | None = None,
        covariances: npt.ArrayLike | None = None,
        output_names: str | Sequence[str] | None = None,
    ):
        parameters = validated(weights, log_weights, means, scales, covariances)
        _set(self, parameters, arguments.names(output_names, parameters.n_outputs))

    @classmethod
    def from_parameters(cls, parameters: Parameters, output_names: Sequence[str] | None = None) -> Self:
        """Mixture of parts of other mixtures, which need no second validation.

        Parameters
        ----------
        parameters : Parameters
            In data units; made read-only, not copied.
        output_names : sequence of q different str, optional
        """
        self = cls.__new__(cls)
        _set(self, parameters, None if output_names is None else tuple(output_names))
        return self

    @classmethod
    def from_factors(cls, log_weights: np.ndarray, means: np.ndarray, factors: np.ndarray) -> Self:
        """Mixture of trusted numbers, for models: none is validated, since that would take longer than all the rest.

        Parameters
        ----------
        log_weights : ndarray (n, K)
            Sum to one in every row, after `exp`.
        means : ndarray (n, K) or (n, K, q)
            In data units.
        factors : ndarray (n, K), (n, K, q) or (n, K, q, q)
            Standard deviations, or lower Cholesky factors of the covariances, with positive diagonals, in data units.

        Examples
        --------
        >>> import numpy as np
        >>> Mixture.from_factors(np.zeros((1, 1)), np.array([[2.0]]), np.array([[3.0]])).std()
        array([3.])
        """
        return cls.from_parameters(Parameters(log_weights, np.ones(len(log_weights)), *squeezed(means, factors)))

    def __reduce__(self) -> tuple[object, ...]:
        return Mixture.from_parameters, (self._parameters, self._output_names)

    def __repr__(self) -> str:
        outputs = f"{self.n_outputs} output{'s' if self.n_outputs > 1 else ''}"
        if self._output_names:
            outputs += f" ({', '.join(self._output_names)})"
        gated = "" if guards.is_complete(self.mass) else f", mass {self.mass.min():.3g} to {self.mass.max():.3g}"
        return f"<Mixture: {len(self)} rows, {self.n_components} components, {outputs}{gated}>"

    # ------------------------------------------------------------------------------------------------ parameters
    @property
    def parameters(self) -> Parameters:
        """Log weights, mass, means and factors, as kept: read-only."""
        return self._parameters

    @property
    def formulas(self) -> NormalFormulas:
        """Formulas of one output, or of several."""
        if self.n_outputs == 1:
            return UnivariateNormalFormulas(self._parameters)
        return MultivariateNormalFormulas(self._parameters)

    @property
    def log_weights(self) -> np.ndarray:
        """Log weights, (n, K)."""
        return self._parameters.log_weights

    @property
    def means(self) -> np.ndarray:
        """Component means, (n, K) or (n, K, q)."""
        return self._parameters.means

    @property
    def scales(self) -> np.ndarray:
        """Component standard deviations, (n, K) or (n, K, q)."""
        return read_only(self._parameters.scales)

    @property
    def covariances(self) -> np.ndarray:
        """Component covariances, (n, K, q, q)."""
        return read_only(self._parameters.covariances)

    @property
    def mass(self) -> np.ndarray:
        """Sum of the weights, (n,): 1 unless gated."""
        return self._parameters.mass

    @property
    def n_outputs(self) -> int:
        """q, the number of outputs."""
        return self._parameters.n_outputs

    @property
    def output_names(self) -> list[str] | None:
        """Names of the outputs, where they have any."""
        return None if self._output_names is None else list(self._output_names)

    # ------------------------------------------------------------------------------------------------ algebra
    def __getitem__(self, rows: arguments.RowIndex) -> Self:
        """Rows by integer, slice, boolean mask or index array; always a Mixture, also for one row."""
        chosen = arguments.rows(rows, len(self), type(self).__name__)
        return self.from_parameters(Parameters(*(array[chosen] for array in self._parameters)), self._output_names)

    def named(self, output_names: str | Sequence[str] | None) -> Self:
        """The same distribution, its outputs under other output_names: q different ones, or None."""
        return self.from_parameters(self._parameters, arguments.names(output_names, self.n_outputs))

    def marginal(self, outputs: arguments.Output | Sequence[arguments.Output]) -> Self:
        """Distribution of some of the outputs, given by position or name."""
        self._check("marginal")
        chosen = arguments.positions(outputs, self.n_outputs, self._output_names)
        if chosen == list(range(self.n_outputs)):
            return self
        means, factors = squeezed(*gaussian.marginal(self.means, self._parameters.factors, chosen))
        return self._of_outputs(self._parameters._replace(means=means, factors=factors), chosen)

    def condition(self, given: Mapping[arguments.Output, npt.ArrayLike]) -> Self:
        """Distribution of the other outputs given values of some, a number or (n,) each, in data units."""
        self._check("condition")
        keys, values = arguments.given_values(given, len(self), self.n_outputs, self._output_names)
        if not keys:
            return self
        rest = [j for j in range(self.n_outputs) if j not in keys]
        log_weights, means, factors = gaussian.condition_by_pattern(
            self.log_weights, self.means, self._parameters.factors, keys, rest, values
        )
        if not np.isfinite(means).all():
            raise ValueError("given lies too far from the components' means: the result leaves the range of float64.")
        return self._of_outputs(Parameters(log_weights, self.mass, *squeezed(means, factors)), rest)

    def affine(self, scale: npt.ArrayLike, shift: npt.ArrayLike) -> Self:
        """Distribution of scale · Y + shift, each (n,) for one output; (q,), (n, 1) or (n, q) for several."""
        n, q = len(self._parameters.mass), self._parameters.n_outputs
        scale, shift = (arguments.per_row(name, value, n, q) for name, value in (("scale", scale), ("shift", shift)))
        if (scale == 0).any():
            raise ValueError("scale must not be 0: the result would have no density.")
        with np.errstate(over="ignore", invalid="ignore"):
            means, factors = scale * self.means + shift, gaussian.rescaled(self._parameters.factors, scale)
        if not (np.isfinite(means).all() and np.isfinite(factors).all() and (gaussian.diagonal(factors) > 0).all()):
            raise ValueError(
                "The result leaves the range of float64: means or scales overflow, or scales underflow to 0."
            )
        return self.from_parameters(self._parameters._replace(means=means, factors=factors), self._output_names)

    def gated(self, log_gate: np.ndarray) -> Self:
        """Every row's weights times g = exp(log_gate), (n,), the rest of its mass being unknown."""
        log_gate = np.where(log_gate > -MASS_TOLERANCE, 0.0, log_gate)
        log_weights = self.log_weights + log_gate[:, None]
        return self.from_parameters(
            self._parameters._replace(log_weights=log_weights, mass=self.mass * np.exp(log_gate)), self._output_names
        )

    def normalized(self) -> Self:
        """The known part alone, with weights that sum to one."""
        if (self.mass == 0).any():
            raise ValueError(
                f"Row {int(np.argmin(self.mass))} has mass 0, so it cannot be normalised; select rows by mass first."
            )
        log_weights = self.log_weights - logsumexp(self.log_weights, axis=1, keepdims=True)
        return self.from_parameters(
            self._parameters._replace(log_weights=log_weights, mass=np.ones(len(self))), self._output_names
        )

    def _concatenated(self, parts: Sequence[Self]) -> Self:
        return self.from_parameters(stacked([part.parameters for part in parts]))

    def _mixed(self, parts: Sequence[Self], shares: np.ndarray) -> Self:
        return self.from_parameters(side_by_side([part.parameters for part in parts], shares))

    def _is_like(self, other: DistributionAlgebra) -> bool:
        return isinstance(other, Mixture)

    def _of_outputs(self, parameters: Parameters, positions: list[int]) -> Self:
        """Parameters of some of the outputs, with their names."""
        names = None if self._output_names is None else [self._output_names[j] for j in positions]
        return self.from_parameters(parameters, names)


def _set(mixture: Mixture, parameters: Parameters, output_names: tuple[str, ...] | None) -> None:
    """Fill an immutable mixture, once."""
    object.__setattr__(mixture, "_parameters", parameters.frozen())
    object.__setattr__(mixture, "_output_names", output_names)
