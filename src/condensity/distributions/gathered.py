"""`Gathered`: rows of distributions of different kinds, such as those of folds that each learned a transform of their own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from condensity.distributions import arguments
from condensity.distributions.algebra import DistributionAlgebra, read_only
from condensity.distributions.base import Distribution
from condensity.distributions.formulas import ComponentSummary, DistributionFormulas


class Gathered(Distribution):
    """n rows, each of one of several distributions of different kinds over the same outputs. Immutable; verbs as `Distribution`.

    `Distribution.concatenate` makes it of parts whose kinds or transforms differ.

    Parameters
    ----------
    parts : sequence of Distribution
        Over the same outputs, with n rows in all.
    part : ndarray (n,) of int
        Which part each row is of; a part's rows come in their order.

    Examples
    --------
    >>> from condensity import Mixture, TransformedMixture
    >>> from condensity.distributions.transforms import Log
    >>> one = Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]])
    >>> both = Mixture.concatenate([one, TransformedMixture(one, Log())])
    >>> both, both.median()
    (<Gathered: 2 rows of Mixture, TransformedMixture ('log')>, array([0., 1.]))
    """

    __slots__ = ("part", "parts")

    parts: tuple[Distribution, ...]
    part: np.ndarray

    def __init__(self, parts: Sequence[Distribution], part: np.ndarray):
        object.__setattr__(self, "parts", tuple(parts))
        object.__setattr__(self, "part", read_only(np.array(part, dtype=int)))

    @classmethod
    def of(cls, parts: Sequence[Any]) -> "Gathered":
        """Rows of all parts, one after the other; parts of one kind become one."""
        pieces: list[Distribution] = []
        owner = []
        for each in parts:
            own = each.parts if isinstance(each, Gathered) else (each,)
            owner.append(len(pieces) + (each.part if isinstance(each, Gathered) else np.zeros(len(each), dtype=int)))
            pieces += own
        firsts = [next(j for j, other in enumerate(pieces) if other._is_like(piece)) for piece in pieces]
        kinds = sorted(set(firsts))
        joined = [
            DistributionAlgebra.concatenate(
                [piece for piece, first in zip(pieces, firsts, strict=True) if first == kind]
            )
            for kind in kinds
        ]
        return cls(joined, np.searchsorted(kinds, np.array(firsts)[np.concatenate(owner)]))

    def __reduce__(self) -> tuple[object, ...]:
        return Gathered, (self.parts, self.part)

    def __repr__(self) -> str:
        return f"<Gathered: {len(self)} rows of {', '.join(part.kind for part in self.parts)}>"

    @property
    def formulas(self) -> DistributionFormulas:
        """Those of the parts, their results in the order of the rows."""
        return GatheredFormulas(self)

    @property
    def log_weights(self) -> np.ndarray:
        """Log weights of the components, (n, K), −inf beyond those of a row's part, read-only."""
        return read_only(self.in_order([part.log_weights for part in self.parts], -np.inf))

    @property
    def mass(self) -> np.ndarray:
        """Sum of the weights, (n,): 1 unless gated."""
        return self.in_order([part.mass for part in self.parts])

    @property
    def n_outputs(self) -> int:
        """q, the number of outputs."""
        return self.parts[0].n_outputs

    @property
    def output_names(self) -> list[str] | None:
        """Names of the outputs, where they have any."""
        return self.parts[0].output_names

    @property
    def kind(self) -> str:
        """Kinds of the parts, in words."""
        return f"Gathered ({', '.join(part.kind for part in self.parts)})"

    def in_order(self, results: Sequence[np.ndarray], fill: float = 0.0) -> np.ndarray:
        """The results of all parts, arrays (m, …), in the order of the rows, (n, …), with `fill` beyond narrower ones."""
        width = np.max([result.shape[1:] for result in results], axis=0).astype(int)
        ordered = np.full((len(self.part), *width), fill)
        for j, result in enumerate(results):
            own = np.flatnonzero(self.part == j)
            ordered[np.ix_(own, *map(np.arange, result.shape[1:]))] = result
        return ordered

    # ------------------------------------------------------------------------------------------------ algebra
    def __getitem__(self, rows: arguments.RowIndex) -> Self:
        """Rows by integer, slice, boolean mask or index array; always a Gathered, also for one row."""
        chosen = np.arange(len(self.part))[arguments.rows(rows, len(self), type(self).__name__)]
        place = np.empty(len(self.part), dtype=int)
        for j in range(len(self.parts)):
            place[self.part == j] = np.arange(int((self.part == j).sum()))
        owner = self.part[chosen]
        return type(self)([part[place[chosen[owner == j]]] for j, part in enumerate(self.parts)], owner)

    def named(self, output_names: str | Sequence[str] | None) -> Self:
        """The same distribution, its outputs under other output_names: q different ones, or None."""
        return self._each(lambda part, _: part.named(output_names))

    def marginal(self, outputs: arguments.Output | Sequence[arguments.Output]) -> Self:
        """Distribution of some of the outputs, given by position or name."""
        return self._each(lambda part, _: part.marginal(outputs))

    def condition(self, given: Mapping[arguments.Output, npt.ArrayLike]) -> Self:
        """Distribution of the other outputs given values of some, a number or (n,) each, in data units."""
        if not isinstance(given, Mapping):
            raise ValueError(f"given must be a dict from outputs to values; got {type(given).__name__}.")
        return self._each(lambda part, own: part.condition({key: _taken(value, own) for key, value in given.items()}))

    def affine(self, scale: npt.ArrayLike, shift: npt.ArrayLike) -> Self:
        """Distribution of scale · Y + shift, as the parts take scale and shift, (n,) or numbers."""
        return self._each(lambda part, own: part.affine(_taken(scale, own), _taken(shift, own)))

    def gated(self, log_gate: np.ndarray) -> Self:
        """Every row's weights times g = exp(log_gate), (n,), the rest of its mass being unknown."""
        return self._each(lambda part, own: part.gated(np.asarray(log_gate)[own]))

    def normalized(self) -> Self:
        """The known part alone, with weights that sum to one."""
        return self._each(lambda part, _: part.normalized())

    def _each(self, change: Callable[[Distribution, np.ndarray], Distribution]) -> Self:
        """The parts changed, by a function of a part and the rows (n,) that are its own."""
        return type(self)([change(part, self.part == j) for j, part in enumerate(self.parts)], self.part)

    def _concatenated(self, parts: Sequence[Self]) -> Self:
        joined = Gathered.of(parts)
        return type(self)(joined.parts, joined.part)

    def _mixed(self, parts: Sequence[Self], shares: np.ndarray) -> Self:
        mixed = [
            DistributionAlgebra.mix([each.parts[j] for each in parts], shares[self.part == j])
            for j in range(len(self.parts))
        ]
        return type(self)(mixed, self.part)

    def _is_like(self, other: DistributionAlgebra) -> bool:
        if not isinstance(other, Gathered) or len(other.parts) != len(self.parts):
            return False
        alike = all(part._is_like(own) for part, own in zip(self.parts, other.parts, strict=True))
        return alike and np.array_equal(self.part, other.part)


def _taken(value: Any, own: np.ndarray) -> np.ndarray:
    """A value for every row, an array (n, …), at the rows that are a part's own (n,); other values as they are."""
    array = np.asarray(value)
    return array[own] if array.ndim and len(array) == len(own) else array


class GatheredFormulas(DistributionFormulas):
    """Formulas of every part for its own rows.

    Parameters
    ----------
    dist : Gathered
    """

    def __init__(self, dist: Gathered):
        self.dist = dist

    def refusal(self, verb: str) -> str | None:
        """Reason of the first part that has no exact result for a verb."""
        return next((why for part in self.dist.parts if (why := part.formulas.refusal(verb)) is not None), None)

    def _results(self, verb: str, *arrays: np.ndarray) -> list[Any]:
        """Results of a verb's formula for every part, with those rows of the arrays (n, …) that are its own."""
        return [
            getattr(part.formulas, verb)(*(array[self.dist.part == j] for array in arrays))
            for j, part in enumerate(self.dist.parts)
        ]

    def _array(self, verb: str, *arrays: np.ndarray) -> np.ndarray:
        return self.dist.in_order(self._results(verb, *arrays))

    def _lists(self, results: list[list[np.ndarray]]) -> list[np.ndarray]:
        """Arrays of every part in the order of the rows."""
        rows = [iter(result) for result in results]
        return [next(rows[j]) for j in self.dist.part]

    def logpdf(self, y: np.ndarray) -> np.ndarray:
        """Log density (n, g) in nats at points y, (n, g) or (n, g, q)."""
        return self._array("logpdf", y)

    def sample(self, n_samples: int, generator: np.random.Generator) -> np.ndarray:
        """Draws, (n, n_samples) or (n, n_samples, q), by a generator."""
        return self.dist.in_order([part.formulas.sample(n_samples, generator) for part in self.dist.parts])

    def mean(self) -> np.ndarray:
        """Mean, (n,) or (n, q)."""
        return self._array("mean")

    def var(self) -> np.ndarray:
        """Variance, (n,) or (n, q)."""
        return self._array("var")

    def std(self) -> np.ndarray:
        """Standard deviation, (n,) or (n, q)."""
        return self._array("std")

    def cov(self) -> np.ndarray:
        """Covariance matrices, (n, q, q)."""
        return self._array("cov")

    def component_summary(self) -> ComponentSummary:
        """Weights, centers and widths of the components; those beyond a row's own have weight 0, center 0 and width 1."""
        summaries = [part.component_summary() for part in self.dist.parts]
        weights, centers, widths = (list(each) for each in zip(*summaries, strict=True))
        in_order = self.dist.in_order
        return ComponentSummary(in_order(weights), in_order(centers), in_order(widths, 1.0))

    def mode(self) -> np.ndarray:
        """Densest point, (n,) or (n, q)."""
        return self._array("mode")

    def modes(self) -> list[np.ndarray]:
        """All modes, n arrays (j,) or (j, q), densest first."""
        return self._lists(self._results("modes"))

    def energy_score(self, y: np.ndarray) -> np.ndarray:
        """Energy score (n, g) at points y, (n, g) or (n, g, q)."""
        return self._array("energy_score", y)

    def logcdf(self, y: np.ndarray) -> np.ndarray:
        """Log of P(Y ≤ y), (n, g), at points y (n, g)."""
        return self._array("logcdf", y)

    def logsf(self, y: np.ndarray) -> np.ndarray:
        """Log of P(Y > y), (n, g), at points y (n, g)."""
        return self._array("logsf", y)

    def quantile(self, log_lower: np.ndarray, log_upper: np.ndarray) -> np.ndarray:
        """The y (n, m) with log probabilities log_lower (n, m) below and log_upper (n, m) above it."""
        return self._array("quantile", log_lower, log_upper)

    def region(self, level: float) -> list[np.ndarray]:
        """Highest-density regions that hold a probability of `level`, n arrays (j, 2)."""
        return self._lists([part.formulas.region(level) for part in self.dist.parts])

    def hpd_value(self, y: np.ndarray) -> np.ndarray:
        """P(pdf(Y) ≥ pdf(y)), (n, g), at points y (n, g)."""
        return self._array("hpd_value", y)

    def entropy(self) -> np.ndarray:
        """Differential entropy in nats, (n,)."""
        return self._array("entropy")

    def crps(self, y: np.ndarray) -> np.ndarray:
        """CRPS (n, g) at points y (n, g)."""
        return self._array("crps", y)
