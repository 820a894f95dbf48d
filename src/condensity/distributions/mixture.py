"""`Mixture`: n rows, each a mixture of K normal components over q outputs. THE distribution object of condensity."""

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from condensity import engines
from condensity.distributions import arguments, conversion, gaussian
from condensity.distributions.normal_shape import energy, modes
from condensity.distributions.normal_shape import level_sets as shape
from condensity.distributions.parameters import (
    MASS_TOLERANCE,
    Parameters,
    side_by_side,
    squeezed,
    stacked,
    validated,
)
from condensity.random import as_generator


class Mixture:
    """n rows, each a mixture of K normal components over q outputs. Immutable.

    The closed type of the library: models return it, and slicing, concatenating, mixing, rescaling, marginalising and
    conditioning it give another. Everything is float64, in data units, computed in log space.

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
        q different names, by which `marginal` and `condition` know the outputs.

    Attributes
    ----------
    weights, log_weights : ndarray (n, K), read-only
    means, scales : ndarray (n, K) or (n, K, q), read-only
        Standard deviations also where covariances were given.
    covariances : ndarray (n, K, q, q), read-only
    mass : ndarray (n,)
        Sum of the weights. Where it is below 1, the rest means 'unknown': `pdf`, `logpdf`, `cdf`, `logcdf` are those of
        the known part, `sample` draws NaN with probability 1 − mass, and all else asks for `normalized()`.
    n_outputs, n_components : int
    output_names : list of str or None

    Raises
    ------
    ValueError
        For shapes that differ, weights that are negative or sum to more than one, covariances that are not positive
        definite, and anything not finite.

    Notes
    -----
    Points y of one output: a scalar gives (n,); (n,) is row-wise and gives (n,); 2-D, (1, g) or (n, g), is a grid and gives
    (n, g). Of several: (q,) gives (n,); (n, q) is row-wise and gives (n,); (1, g, q) or (n, g, q) is a grid and gives (n, g).
    Levels p: a scalar gives (n,); (m,) is always a list of levels and gives (n, m), also when m = n; (n, m) is row-wise.

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

    __slots__ = ("_factors", "_log_weights", "_mass", "_means", "_output_names")

    _log_weights: np.ndarray
    _mass: np.ndarray
    _means: np.ndarray
    _factors: np.ndarray  # one output: standard deviations (n, K); several: as `gaussian` keeps them
    _output_names: tuple[str, ...] | None

    def __init__(self, *, weights=None, log_weights=None, means, scales=None, covariances=None, output_names=None):
        self._set(validated(weights, log_weights, means, scales, covariances), None)
        object.__setattr__(self, "_output_names", arguments.names(output_names, self.n_outputs))

    def _set(self, parameters, output_names):
        for name, value in parameters._asdict().items():
            object.__setattr__(self, f"_{name}", _read_only(np.ascontiguousarray(value)))
        object.__setattr__(self, "_output_names", output_names)

    @classmethod
    def _trusted(cls, parameters, output_names) -> "Mixture":
        """Build from parts of other mixtures, which need no second validation."""
        self = cls.__new__(cls)
        self._set(parameters, output_names)
        return self

    @classmethod
    def from_factors(cls, log_weights: np.ndarray, means: np.ndarray, factors: np.ndarray) -> "Mixture":
        """Mixture of trusted numbers, for models: none is validated, since that would take longer than all the rest.

        Parameters
        ----------
        log_weights : ndarray (n, K)
            Sum to one in every row, after `exp`.
        means : ndarray (n, K) or (n, K, q)
        factors : ndarray (n, K), (n, K, q) or (n, K, q, q)
            Standard deviations, or lower Cholesky factors of the covariances, with positive diagonals.
        """
        return cls._trusted(Parameters(log_weights, np.ones(len(log_weights)), *squeezed(means, factors)), None)

    @property
    def _parameters(self) -> Parameters:
        return Parameters(self._log_weights, self._mass, self._means, self._factors)

    def __setattr__(self, name, value):
        raise AttributeError(f"Mixture is immutable; {name!r} cannot be set.")

    def __delattr__(self, name):
        raise AttributeError(f"Mixture is immutable; {name!r} cannot be deleted.")

    def __reduce__(self):
        return Mixture._trusted, (self._parameters, self._output_names)

    def __repr__(self):
        outputs = f"{self.n_outputs} output{'s' if self.n_outputs > 1 else ''}"
        if self._output_names:
            outputs += f" ({', '.join(self._output_names)})"
        gated = "" if self._is_complete() else f", mass {self._mass.min():.3g} to {self._mass.max():.3g}"
        return f"<Mixture: {len(self)} rows, {self.n_components} components, {outputs}{gated}>"

    # ------------------------------------------------------------------------------------------------ parameters
    @property
    def log_weights(self) -> np.ndarray:
        """Log weights, (n, K)."""
        return self._log_weights

    @property
    def weights(self) -> np.ndarray:
        """Weights, (n, K)."""
        return _read_only(np.exp(self._log_weights))

    @property
    def means(self) -> np.ndarray:
        """Component means, (n, K) or (n, K, q)."""
        return self._means

    @property
    def scales(self) -> np.ndarray:
        """Component standard deviations, (n, K) or (n, K, q)."""
        return self._factors if self._factors.ndim < 4 else _read_only(gaussian.deviations(self._factors))

    @property
    def covariances(self) -> np.ndarray:
        """Component covariances, (n, K, q, q)."""
        return _read_only(gaussian.covariances(self._factors if self.n_outputs > 1 else self._factors[:, :, None]))

    @property
    def mass(self) -> np.ndarray:
        """Sum of the weights, (n,): 1 unless gated."""
        return self._mass

    @property
    def n_components(self) -> int:
        """K, the number of components in every row."""
        return self._means.shape[1]

    @property
    def n_outputs(self) -> int:
        """q, the number of outputs."""
        return 1 if self._means.ndim == 2 else self._means.shape[2]

    @property
    def output_names(self) -> list[str] | None:
        """Names of the outputs, where they have any."""
        return None if self._output_names is None else list(self._output_names)

    # ------------------------------------------------------------------------------------------------ densities
    def logpdf(self, y) -> np.ndarray:
        """Log density at the points y, in nats per data unit; finite for every finite y within float64's range of z²."""
        return self._at_points(engines.mixture_logpdf if self.n_outputs == 1 else gaussian.log_density, y)

    log_prob = logpdf

    def pdf(self, y) -> np.ndarray:
        """Density at the points y."""
        return np.exp(self.logpdf(y))

    def logcdf(self, y) -> np.ndarray:
        """Log of P(Y ≤ y). One output."""
        self._require_one_output("logcdf")
        return self._at_points(engines.mixture_logcdf, y)

    def cdf(self, y) -> np.ndarray:
        """P(Y ≤ y). One output."""
        self._require_one_output("cdf")
        return np.exp(self.logcdf(y))

    def logsf(self, y) -> np.ndarray:
        """Log of P(Y > y), to full relative accuracy: never 1 − cdf. One output."""
        self._require_one_output("logsf")
        self._require_complete("logsf")
        return self._at_points(engines.mixture_logsf, y)

    def sf(self, y) -> np.ndarray:
        """P(Y > y). One output."""
        self._require_one_output("sf")
        self._require_complete("sf")
        return np.exp(self.logsf(y))

    # ------------------------------------------------------------------------------------------------ quantiles
    def ppf(self, p) -> np.ndarray:
        """Quantiles, the exact inverse of `cdf` by bracketed root finding in log space. One output.

        ppf(0) = −inf, ppf(1) = inf, ppf(nan) = nan.

        Raises
        ------
        ValueError
            For levels outside [0, 1].
        """
        return self._quantile("ppf", p, upper=False)

    quantile = ppf

    def isf(self, p) -> np.ndarray:
        """The y with sf(y) = p: `ppf(1 − p)` without its cancellation for small p. One output."""
        return self._quantile("isf", p, upper=True)

    def median(self) -> np.ndarray:
        """Median, (n,). One output."""
        self._require_one_output("median")
        self._require_complete("median")
        return self.ppf(0.5)

    def interval(self, level=0.9) -> np.ndarray:
        """Central interval, (n, 2): (1 − level)/2 of the mass on either side. One output.

        Raises
        ------
        ValueError
            Unless 0 < level < 1.
        """
        arguments.level(level)
        self._require_one_output("interval")
        self._require_complete("interval")
        tail = 0.5 * (1.0 - level)
        return np.stack([self.ppf(tail), self.isf(tail)], axis=1)

    # ------------------------------------------------------------------------------------------------ shape
    def mode(self) -> np.ndarray:
        """The densest point of every row, (n,) or (n, q)."""
        self._require_complete("mode")
        if self.n_outputs > 1:
            return np.reshape([row[0] for row in self.modes()], (len(self), self.n_outputs))
        return shape.find_modes(self._log_weights, self._means, self._factors)[0][:, 0]

    def modes(self) -> list[np.ndarray]:
        """All modes of every row: n arrays (j,) or (j, q), densest first.

        Of one output they are certified by bounds on derivatives, not found on a grid. Of several they are found by ascent
        from many starts: each is a mode, but about two of 1000 modes of random mixtures are missed (`mixture/modes.py`).
        """
        self._require_complete("modes")
        if self.n_outputs > 1:
            return modes.find_modes(self._log_weights, self._means, self._factors)
        points, _ = shape.find_modes(self._log_weights, self._means, self._factors)
        return [row[~np.isnan(row)] for row in points]

    def region(self, level=0.9) -> list[np.ndarray]:
        """Highest-density region: the smallest set that holds `level` of the probability. One output.

        Returns
        -------
        list of n arrays (j, 2)
            Disjoint intervals in ascending order.

        Raises
        ------
        ValueError
            Unless 0 < level < 1.
        """
        arguments.level(level)
        self._require_one_output("region")
        self._require_complete("region")
        lower, upper = shape.highest_density_region(self._log_weights, self._means, self._factors, float(level))
        return [
            np.column_stack([low[~np.isnan(low)], high[~np.isnan(low)]]) for low, high in zip(lower, upper, strict=True)
        ]

    def hpd_value(self, y) -> np.ndarray:
        """P(pdf(Y) ≥ pdf(y)): the level of the smallest highest-density region that holds y. One output.

        Uniform on [0, 1] if y is drawn from self.
        """
        self._require_one_output("hpd_value")
        self._require_complete("hpd_value")
        return self._at_points(shape.hpd_value, y)

    def entropy(self) -> np.ndarray:
        """Differential entropy −∫ p log p in nats, (n,), by quadrature to 1e-10. One output."""
        self._require_one_output("entropy")
        self._require_complete("entropy")
        return shape.entropy(self._log_weights, self._means, self._factors)

    # ------------------------------------------------------------------------------------------------ scores
    def crps(self, y) -> np.ndarray:
        """Continuous ranked probability score at the points y, in units of y, lower is better; closed form. One output.

        Source: Grimit, Gneiting, Berrocal and Johnson (2006), QJRMS 132.
        """
        self._require_one_output("crps")
        self._require_complete("crps")
        return self._at_points(engines.mixture_crps, y)

    def energy_score(self, y) -> np.ndarray:
        """Energy score E‖Y − y‖ − ½ E‖Y − Y′‖ at the points y, lower is better; for one output, the CRPS.

        Exact to 1e-11 of E‖Y − y‖, by one-dimensional quadrature. Outputs enter in their own units: bring different ones to
        common units with `affine` first.
        """
        self._require_complete("energy_score")
        return self._at_points(engines.mixture_crps if self.n_outputs == 1 else energy.energy_score, y)

    # ------------------------------------------------------------------------------------------------ moments
    def mean(self) -> np.ndarray:
        """Mean, (n,) or (n, q)."""
        self._require_complete("mean")
        return _average(self.weights, self._means)

    def var(self) -> np.ndarray:
        """Variance, (n,) or (n, q), as Σ π (σ² + (μ − mean)²): no cancellation."""
        self._require_complete("var")
        return _average(self.weights, self.scales**2 + self._deviations() ** 2)

    def cov(self) -> np.ndarray:
        """Covariance matrices, (n, q, q), also for q = 1; as Σ π (Σ_k + (μ − mean)(μ − mean)ᵀ): no cancellation."""
        self._require_complete("cov")
        if self.n_outputs == 1:
            return self.var()[:, None, None]
        deviation = self._deviations()
        between = np.einsum("nk,nki,nkj->nij", self.weights, deviation, deviation, optimize=True)
        return _average(self.weights, self.covariances) + between

    def std(self) -> np.ndarray:
        """Standard deviation, (n,) or (n, q)."""
        self._require_complete("std")
        root_weights = np.exp(0.5 * self._log_weights)
        if self.n_outputs > 1:
            root_weights = root_weights[:, :, None]
        return np.hypot(_norm(root_weights * self.scales), _norm(root_weights * self._deviations()))

    def _deviations(self):
        """Component means less the mean, (n, K[, q]).

        The mean of a row at 1e9 is rounded by 1e-7, a tenth of a σ of 1e-6; its own deviations tell by how much.
        """
        deviation = self._means - self.mean()[:, None]
        return deviation - _average(self.weights, deviation)[:, None]

    # ------------------------------------------------------------------------------------------------ sampling
    def sample(self, n_samples=1, *, random_state=None) -> np.ndarray:
        """Draw from every row, (n, n_samples) or (n, n_samples, q); NaN with probability 1 − mass.

        Parameters
        ----------
        n_samples : int, default 1
        random_state : None, int, numpy Generator or RandomState
            An int gives the same draws each time; None gives new ones.
        """
        if not (isinstance(n_samples, (int, np.integer)) and n_samples >= 0):
            raise ValueError(f"n_samples must be an integer >= 0; got {n_samples!r}.")
        arguments.check_result_size("draws", len(self), int(n_samples) * self.n_outputs)
        generator = as_generator(random_state, "sample")
        if self.n_outputs > 1:
            return gaussian.draw(self._log_weights, self._means, self._factors, int(n_samples), generator)
        key = int(generator.integers(2**64, dtype=np.uint64))
        return engines.mixture_sample(self._log_weights, self._means, self._factors, int(n_samples), key)

    rvs = sample

    # ------------------------------------------------------------------------------------------------ algebra
    def marginal(self, outputs) -> "Mixture":
        """Distribution of some of the outputs, whatever the others are.

        Parameters
        ----------
        outputs : int, str or a sequence of them
            Positions or names, in the order that the result shall have. One of them makes a mixture over one output.

        Raises
        ------
        ValueError
            For outputs that are unknown, none, or named twice; and where mass is below 1.
        """
        self._require_complete("marginal")
        chosen = arguments.positions(outputs, self.n_outputs, self._output_names)
        if chosen == list(range(self.n_outputs)):
            return self
        means, factors = squeezed(*gaussian.marginal(self._means, self._factors, chosen))
        return Mixture._trusted(self._parameters._replace(means=means, factors=factors), self._names_of(chosen))

    def condition(self, given) -> "Mixture":
        """Distribution of the other outputs given values of some.

        Parameters
        ----------
        given : dict
            From positions or names of outputs to values, a number or (n,). NaN says that an output is not given in that row:
            the row is then conditioned on the rest, with that output integrated out.

        Returns
        -------
        Mixture
            Over the outputs that are not among the keys, in their order.

        Raises
        ------
        ValueError
            For outputs that are unknown or named twice, if none is left, for infinite values, and where mass is below 1.

        Examples
        --------
        >>> dist = Mixture(weights=[[1.0]], means=[[[0.0, 0.0]]], covariances=[[[[1.0, 0.6], [0.6, 1.0]]]])
        >>> dist.condition({0: 2.0}).mean(), dist.condition({0: 2.0}).std()
        (array([1.2]), array([0.8]))
        """
        self._require_complete("condition")
        keys, values = arguments.known_values(given, len(self), self.n_outputs, self._output_names)
        if not keys:
            return self
        rest = [j for j in range(self.n_outputs) if j not in keys]
        log_weights, means, factors = gaussian.condition_by_pattern(
            self._log_weights, self._means, self._factors, keys, rest, values
        )
        if not np.isfinite(means).all():
            raise ValueError("given lies too far from the components' means: the result leaves the range of float64.")
        parameters = Parameters(log_weights, self._mass, *squeezed(means, factors))
        return Mixture._trusted(parameters, self._names_of(rest))

    def _names_of(self, positions):
        return None if self._output_names is None else tuple(self._output_names[j] for j in positions)

    def affine(self, scale, shift) -> "Mixture":
        """Distribution of scale · Y + shift.

        Parameters
        ----------
        scale, shift : float or array-like
            (n,) for one output; (q,), (n, 1) or (n, q) for several. Finite; scale ≠ 0, and may be negative.
        """
        n, q = len(self), self.n_outputs
        scale, shift = (arguments.per_row(name, value, n, q) for name, value in (("scale", scale), ("shift", shift)))
        if (scale == 0).any():
            raise ValueError("scale must not be 0: the result would have no density.")
        with np.errstate(over="ignore", invalid="ignore"):
            means, factors = scale * self._means + shift, gaussian.rescaled(self._factors, scale)
        if not (np.isfinite(means).all() and np.isfinite(factors).all() and (gaussian.diagonal(factors) > 0).all()):
            raise ValueError(
                "The result leaves the range of float64: means or scales overflow, or scales underflow to 0."
            )
        return Mixture._trusted(self._parameters._replace(means=means, factors=factors), self._output_names)

    def named(self, output_names) -> "Mixture":
        """The same distribution, its outputs under other names: q different ones, or None."""
        return Mixture._trusted(self._parameters, arguments.names(output_names, self.n_outputs))

    def _gated(self, log_gate) -> "Mixture":
        """For models: every row's weights times g = exp(log_gate), (n,), the rest of its mass being unknown."""
        log_gate = np.where(log_gate > -MASS_TOLERANCE, 0.0, log_gate)
        log_weights = self._log_weights + log_gate[:, None]
        parameters = self._parameters._replace(log_weights=log_weights, mass=self._mass * np.exp(log_gate))
        return Mixture._trusted(parameters, self._output_names)

    def normalized(self) -> "Mixture":
        """The known part alone, with weights that sum to one.

        Raises
        ------
        ValueError
            Where a row's mass is 0: nothing is known there.
        """
        if (self._mass == 0).any():
            raise ValueError(
                f"Row {int(np.argmin(self._mass))} has mass 0, so it cannot be normalised; select rows by mass first."
            )
        log_weights = self._log_weights - logsumexp(self._log_weights, axis=1, keepdims=True)
        parameters = self._parameters._replace(log_weights=log_weights, mass=np.ones(len(self)))
        return Mixture._trusted(parameters, self._output_names)

    def to_frame(self):
        """A pandas DataFrame with one line for each row, component and, if there are several, output.

        Columns row, component, output (name or position), weight, mean and scale. Correlations are in `covariances` only.

        Raises
        ------
        ImportError
            Where pandas is not installed.
        """
        return conversion.to_frame(self)

    def to_scipy(self, row):
        """One row as a `scipy.stats.Mixture` of `scipy.stats.Normal`. One output.

        Parameters
        ----------
        row : int

        Raises
        ------
        ImportError
            For scipy below 1.15, which has neither class.
        """
        self._require_one_output("to_scipy")
        self._require_complete("to_scipy")
        return conversion.to_scipy(self[int(row)])

    @staticmethod
    def concatenate(parts: "Sequence[Mixture]") -> "Mixture":
        """Rows of all parts, one after the other. Parts with fewer components get empty ones (weight 0)."""
        parts, names = _mixtures("parts", parts)
        return Mixture._trusted(stacked([part._parameters for part in parts]), names)

    @staticmethod
    def mix(parts: "Sequence[Mixture]", weights=None) -> "Mixture":
        """Mixture of mixtures: same rows, components side by side (ensembles, stacks).

        Parameters
        ----------
        parts : sequence of Mixture
            All with the same number of rows, over the same outputs.
        weights : array-like (parts,) or (n, parts), optional
            Non-negative, summing to one; equal by default.
        """
        parts, names = _mixtures("parts", parts)
        lengths = [len(part) for part in parts]
        if len(set(lengths)) > 1:
            raise ValueError(f"parts must have the same number of rows; got {lengths}.")
        share = np.full(len(parts), 1.0 / len(parts)) if weights is None else arguments.real("weights", weights)
        if share.shape not in {(len(parts),), (lengths[0], len(parts))}:
            raise ValueError(
                f"weights must have shape ({len(parts)},) or ({lengths[0]}, {len(parts)}); got {share.shape}."
            )
        total = share.sum(axis=-1, keepdims=True)
        if not ((share >= 0).all() and np.allclose(total, 1.0, rtol=0, atol=MASS_TOLERANCE)):
            raise ValueError("weights must be >= 0 and sum to 1.")
        share = np.broadcast_to(share / total, (lengths[0], len(parts)))
        return Mixture._trusted(side_by_side([part._parameters for part in parts], share), names)

    def __len__(self) -> int:
        return self._means.shape[0]

    def __getitem__(self, rows) -> "Mixture":
        """Rows by integer, slice, boolean mask or index array; always a Mixture, also for one row."""
        if isinstance(rows, (tuple, bool, np.bool_)) or rows is None or rows is Ellipsis:
            raise TypeError(f"A Mixture is indexed by rows only; got {rows!r}.")
        if isinstance(rows, (int, np.integer)):
            rows = [range(len(self))[rows]]
        elif not isinstance(rows, slice):
            rows = np.atleast_1d(np.arange(len(self))[rows])
            if rows.ndim > 1:
                raise IndexError(f"rows must be one-dimensional; the index selects an array of shape {rows.shape}.")
        return Mixture._trusted(Parameters(*(array[rows] for array in self._parameters)), self._output_names)

    # ------------------------------------------------------------------------------------------------ shapes
    def _is_complete(self) -> bool:
        return bool((self._mass == 1.0).all())

    def _require_complete(self, method):
        if not self._is_complete():
            raise ValueError(
                f"{method} needs every row's mass to be 1; the smallest is {self._mass.min():.6g}, the rest being unknown. "
                f"Call normalized().{method} to ask about the known part alone."
            )

    def _require_one_output(self, method):
        if self.n_outputs > 1:
            raise ValueError(
                f"{method} is for one output, and this mixture has {self.n_outputs}. Choose output j with "
                f".marginal(j).{method}, or fix the others with .condition(...).{method}."
            )

    def _at_points(self, kernel, y):
        """Bring y to a grid (n, g[, q]), call the kernel, and give back the caller's shape."""
        grid, flat = arguments.points(y, len(self), self.n_outputs)
        arguments.check_result_size("points", len(self), grid.shape[1])
        result = kernel(self._log_weights, self._means, self._factors, grid)
        return result[:, 0] if flat else result

    def _quantile(self, method, p, *, upper):
        self._require_one_output(method)
        self._require_complete(method)
        n = len(self)
        levels, flat = arguments.levels(p, n)
        arguments.check_result_size("levels", n, levels.shape[1])
        with np.errstate(divide="ignore"):
            log_p, log_rest = np.log(levels), np.log1p(-levels)
        # Broadcast, not copied: a million rows share one list of levels.
        log_p, log_rest = (np.broadcast_to(tail, (n, tail.shape[1])) for tail in (log_p, log_rest))
        tails = (log_rest, log_p) if upper else (log_p, log_rest)
        result = engines.mixture_quantile(self._log_weights, self._means, self._factors, *tails)
        return result[:, 0] if flat else result


def _read_only(array):
    array.setflags(write=False)
    return array


def _average(weights, values):
    """Σ_k weights (n, K) · values (n, K, …)."""
    return np.einsum("nk,nk...->n...", weights, values)


def _norm(array):
    """Euclidean norm over the components, (n, K, …) to (n, …), safe from overflow and underflow."""
    largest = np.abs(array).max(axis=1, keepdims=True)
    scale = np.where(largest > 0, largest, 1.0)
    return np.linalg.norm(array / scale, axis=1) * scale[:, 0]


def _mixtures(name, parts):
    """The parts as a list, and the names of their outputs; an error where they do not fit together."""
    parts = [] if isinstance(parts, Mixture) else list(parts)  # a lone Mixture would fall apart into its rows
    if not parts or not all(isinstance(part, Mixture) for part in parts):
        raise ValueError(
            f"{name} must be a non-empty sequence of Mixture; got {[type(part).__name__ for part in parts]}."
        )
    outputs = [part.n_outputs for part in parts]
    names = {part._output_names for part in parts} - {None}
    if len(set(outputs)) > 1 or len(names) > 1:
        raise ValueError(f"{name} must be over the same outputs; got {sorted(names) if len(names) > 1 else outputs}.")
    return parts, next(iter(names), None)
