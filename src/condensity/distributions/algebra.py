"""`DistributionAlgebra`: rows of distributions, and operations that give distributions of the same kind."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from condensity.distributions import arguments
from condensity.distributions.parameters import MASS_TOLERANCE

AnyDistribution = TypeVar("AnyDistribution", bound="DistributionAlgebra")


class DistributionAlgebra(ABC):
    """n immutable rows of one kind of distribution, each with K components over q outputs; closed under these operations."""

    __slots__ = ()

    # ------------------------------------------------------------------------------------------------ rows and outputs
    @property
    @abstractmethod
    def log_weights(self) -> np.ndarray:
        """Log weights of the components, (n, K), read-only."""

    @property
    def weights(self) -> np.ndarray:
        """Weights of the components, (n, K), read-only."""
        return read_only(np.exp(self.log_weights))

    @property
    @abstractmethod
    def mass(self) -> np.ndarray:
        """Sum of the weights, (n,): 1 unless gated."""

    @property
    def n_components(self) -> int:
        """K, the number of components in every row."""
        return self.log_weights.shape[1]

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """q, the number of outputs."""

    @property
    @abstractmethod
    def output_names(self) -> list[str] | None:
        """Names of the outputs, where they have any."""

    @property
    def kind(self) -> str:
        """Kind of the distribution, in words."""
        return type(self).__name__

    def __len__(self) -> int:
        return len(self.mass)

    @abstractmethod
    def __getitem__(self, rows: arguments.RowIndex) -> Self:
        """Rows by integer, slice, boolean mask or index array; always of the same kind, also for one row."""

    def __array_function__(self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """NumPy's concatenation of rows, with which scikit-learn's `cross_val_predict` joins its folds; nothing else."""
        if function is not np.concatenate or kwargs:
            return NotImplemented
        return DistributionAlgebra.concatenate(args[0])

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; {name!r} cannot be set.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; {name!r} cannot be deleted.")

    @abstractmethod
    def named(self, output_names: str | Sequence[str] | None) -> Self:
        """The same distribution, its outputs under other names.

        Parameters
        ----------
        output_names : sequence of q different str, or None

        Examples
        --------
        >>> from condensity import Mixture
        >>> dist = Mixture(weights=[[1.0]], means=[[[0.0, 3.0]]], scales=[[[1.0, 2.0]]])
        >>> dist.named(["price", "area"]).marginal("area").mean()
        array([3.])
        """

    # ------------------------------------------------------------------------------------------------ some outputs
    @abstractmethod
    def marginal(self, outputs: arguments.Output | Sequence[arguments.Output]) -> Self:
        """Distribution of some of the outputs, whatever the others are.

        Parameters
        ----------
        outputs : int, str or a sequence of them
            Positions or names, in the order that the result shall have. One of them makes a distribution over one output.

        Raises
        ------
        ValueError
            For outputs that are unknown, none, or named twice; and where mass is below 1.

        Examples
        --------
        >>> from condensity import Mixture
        >>> dist = Mixture(weights=[[1.0]], means=[[[0.0, 3.0]]], scales=[[[1.0, 2.0]]])
        >>> dist.marginal(1).std()
        array([2.])
        """

    @abstractmethod
    def condition(self, given: Mapping[arguments.Output, npt.ArrayLike]) -> Self:
        """Distribution of the other outputs, conditional on values of some.

        Parameters
        ----------
        given : dict from outputs to array-like, a number or (n,)
            From positions or names of outputs to values in data units. Where a value is NaN, the row is conditioned on the rest,
            with that output integrated out.

        Returns
        -------
        Distribution
            Of the same kind, over the outputs that are not among the keys, in their order.

        Raises
        ------
        ValueError
            For outputs that are unknown or named twice, if none is left, for infinite values, and where mass is below 1.

        Examples
        --------
        >>> from condensity import Mixture
        >>> dist = Mixture(weights=[[1.0]], means=[[[0.0, 0.0]]], covariances=[[[[1.0, 0.6], [0.6, 1.0]]]])
        >>> dist.condition({0: 2.0}).mean(), dist.condition({0: 2.0}).std()
        (array([1.2]), array([0.8]))
        """

    @abstractmethod
    def affine(self, scale: npt.ArrayLike, shift: npt.ArrayLike) -> Self:
        """Distribution of Y in other units: Y times a factor, plus an offset.

        Parameters
        ----------
        scale, shift : float or array-like (n,); for several outputs (q,), (n, 1) or (n, q)
            The factor, ≠ 0 and of either sign, and the offset, in new units. Finite. Numbers for transformed mixtures.

        Raises
        ------
        ValueError
            For a scale of 0, and where the result leaves the range of float64.

        Examples
        --------
        >>> from condensity import Mixture
        >>> celsius = Mixture(weights=[[1.0]], means=[[20.0]], scales=[[5.0]])
        >>> fahrenheit = celsius.affine(1.8, 32.0)
        >>> fahrenheit.mean(), fahrenheit.std()
        (array([68.]), array([9.]))
        """

    # ------------------------------------------------------------------------------------------------ mass
    @abstractmethod
    def gated(self, log_gate: np.ndarray) -> Self:
        """Every row's weights times g, the rest of its mass being unknown.

        Parameters
        ----------
        log_gate : ndarray (n,)
            log g ≤ 0 in nats; a g within 1e-9 of 1 is 1.

        Examples
        --------
        >>> import numpy as np
        >>> from condensity import Mixture
        >>> dist = Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]).gated(np.log([0.25]))
        >>> dist.mass, dist.cdf(0.0)
        (array([0.25]), array([0.125]))
        """

    @abstractmethod
    def normalized(self) -> Self:
        """The known part alone, with weights that sum to one.

        Raises
        ------
        ValueError
            Where a row's mass is 0.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[0.25]], means=[[0.0]], scales=[[1.0]]).normalized().cdf(0.0)
        array([0.5])
        """

    # ------------------------------------------------------------------------------------------------ several into one
    @staticmethod
    def concatenate(parts: Sequence[AnyDistribution]) -> AnyDistribution:
        """Rows of all parts, one after the other. Parts with fewer components get empty ones (weight 0).

        Parameters
        ----------
        parts : sequence of distributions
            Over the same outputs.

        Returns
        -------
        Distribution
            Of the kind of the parts; of parts of different kinds or transforms, a `Gathered`, which has the verbs of all.

        Raises
        ------
        ValueError
            For parts that do not fit together.

        Examples
        --------
        >>> from condensity import Mixture
        >>> one = Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]])
        >>> Mixture.concatenate([one, one.affine(1.0, 5.0)]).mean()
        array([0., 5.])
        """
        listed, names = _over_same_outputs(parts)
        if all(listed[0]._is_like(part) for part in listed):
            return listed[0]._concatenated(listed).named(names)
        from condensity.distributions.gathered import Gathered  # is made of the kinds, which are made of this

        gathered: Any = Gathered.of(listed)
        return gathered.named(names)

    @staticmethod
    def mix(parts: Sequence[AnyDistribution], weights: npt.ArrayLike | None = None) -> AnyDistribution:
        """Mixture of mixtures: same rows, components side by side (ensembles, stacks).

        Parameters
        ----------
        parts : sequence of distributions
            Of one kind, with one transform, all with the same number of rows, over the same outputs.
        weights : array-like (parts,) or (n, parts), optional
            Non-negative, summing to one; equal by default.

        Raises
        ------
        ValueError
            For parts that do not fit together, and for such weights as are no probabilities.

        Examples
        --------
        >>> from condensity import Mixture
        >>> one = Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]])
        >>> both = Mixture.mix([one, one.affine(1.0, 4.0)], [0.75, 0.25])
        >>> both.n_components, both.mean()
        (2, array([1.]))
        """
        alike, names = _over_same_outputs(parts)
        if not all(alike[0]._is_like(part) for part in alike):
            kinds = ", ".join(dict.fromkeys(part.kind for part in alike))
            raise ValueError(
                f"parts must be of one kind, with one and the same transform; got {kinds}. Fit all members with one y_transform: "
                "that of a fitted model is model.target_.transform."
            )
        lengths = [len(part) for part in alike]
        if len(set(lengths)) > 1:
            raise ValueError(f"parts must have the same number of rows; got {lengths}.")
        return alike[0]._mixed(alike, _shares(weights, len(alike), lengths[0])).named(names)

    @abstractmethod
    def _concatenated(self, parts: Sequence[Self]) -> Self:
        """Rows of parts that fit together."""

    @abstractmethod
    def _mixed(self, parts: Sequence[Self], shares: np.ndarray) -> Self:
        """Components of parts that fit together, with the shares (n, parts) of the parts."""

    def _is_like(self, other: "DistributionAlgebra") -> bool:
        """Whether self and the other are of one kind, with one transform."""
        return type(self) is type(other)


def _over_same_outputs(parts: Iterable[AnyDistribution]) -> tuple[list[AnyDistribution], list[str] | None]:
    """The parts as a list, and the names of their outputs; an error where these differ."""
    # A lone distribution would fall apart into its rows.
    listed = [] if isinstance(parts, DistributionAlgebra) else list(parts)
    if not listed or not all(isinstance(part, DistributionAlgebra) for part in listed):
        raise ValueError(
            f"parts must be a non-empty sequence of distributions; got {[type(part).__name__ for part in listed]}."
        )
    outputs = [part.n_outputs for part in listed]
    names = {tuple(part.output_names) for part in listed if part.output_names is not None}
    if len(set(outputs)) > 1 or len(names) > 1:
        raise ValueError(f"parts must be over the same outputs; got {sorted(names) if len(names) > 1 else outputs}.")
    return listed, list(names.pop()) if names else None


def _shares(weights: npt.ArrayLike | None, n_parts: int, n: int) -> np.ndarray:
    """Weights of the parts as (n, parts), summing to one in every row."""
    shares = np.full(n_parts, 1.0 / n_parts) if weights is None else arguments.real("weights", weights)
    if shares.shape not in {(n_parts,), (n, n_parts)}:
        raise ValueError(f"weights must have shape ({n_parts},) or ({n}, {n_parts}); got {shares.shape}.")
    total = shares.sum(axis=-1, keepdims=True)
    if not ((shares >= 0).all() and np.allclose(total, 1.0, rtol=0, atol=MASS_TOLERANCE)):
        raise ValueError("weights must be >= 0 and sum to 1.")
    return np.broadcast_to(shares / total, (n, n_parts))


def read_only(array: np.ndarray) -> np.ndarray:
    """The same array, (n,) or of any other shape, which can no longer be written to."""
    array.setflags(write=False)
    return array
