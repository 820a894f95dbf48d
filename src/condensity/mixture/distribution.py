"""`Mixture`: n rows, each a mixture of K normal components. THE distribution object of condensity."""

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from condensity import kernels
from condensity.kernels.rng import as_generator
from condensity.mixture import shape

#: Weights that sum to one within this (relative) are taken to sum to one exactly; float64 softmaxes miss by ~1e-16·K.
MASS_TOLERANCE = 1e-9


class Mixture:
    """n rows, each a mixture of K normal components over one output. Immutable.

    The closed type of the library: models return it, and slicing, concatenating, mixing and rescaling it give another.
    Everything is float64, in data units, computed in log space.

    Parameters
    ----------
    weights, log_weights : array-like (n, K)
        Exactly one of the two. Rows sum to 1 or, for a gated mixture, to less; see `mass`.
    means : array-like (n, K)
    scales : array-like (n, K)
        Standard deviations, > 0.
    covariances : None
        Reserved for several outputs, which arrive in a later version.

    Attributes
    ----------
    weights, log_weights, means, scales : ndarray (n, K), read-only
    mass : ndarray (n,)
        Sum of the weights. Where it is below 1, the rest means 'unknown': `pdf`, `logpdf`, `cdf`, `logcdf` are those of
        the known part, `sample` draws NaN with probability 1 − mass, and all else asks for `normalized()`.
    n_outputs, n_components : int

    Raises
    ------
    ValueError
        For shapes that differ, weights that are negative or sum to more than one, and anything not finite.

    Notes
    -----
    Points y: a scalar gives (n,); (n,) is row-wise and gives (n,); 2-D, (1, g) or (n, g), is a grid and gives (n, g).
    Levels p: a scalar gives (n,); (m,) is always a list of levels and gives (n, m), also when m = n; (n, m) is row-wise.

    Examples
    --------
    >>> from condensity import Mixture
    >>> dist = Mixture(weights=[[0.5, 0.5]], means=[[-2.0, 2.0]], scales=[[1.0, 1.0]])
    >>> dist.ppf(0.5).round(12) + 0.0
    array([0.])
    """

    __slots__ = ("_log_weights", "_mass", "_means", "_scales")

    _log_weights: np.ndarray
    _mass: np.ndarray
    _means: np.ndarray
    _scales: np.ndarray

    def __init__(self, *, weights=None, log_weights=None, means, scales=None, covariances=None):
        if (weights is None) == (log_weights is None):
            raise ValueError(
                "Give exactly one of weights and log_weights; got " + ("both." if weights is not None else "none.")
            )
        if covariances is not None or scales is None:
            raise ValueError("Give scales (n, K): this version has one output; covariances are for several outputs.")
        means, scales = _parameter("means", means), _parameter("scales", scales)
        name = "weights" if log_weights is None else "log_weights"
        given = _parameter(name, weights if log_weights is None else log_weights, log=log_weights is not None)
        if not (means.shape == scales.shape == given.shape):
            raise ValueError(
                f"{name}, means and scales must have the same shape (n, K); got {given.shape}, {means.shape}, {scales.shape}."
            )
        if (scales <= 0).any():
            raise ValueError(f"scales must be > 0; the smallest is {scales.min()!r}.")
        if log_weights is None:
            if (given < 0).any():
                raise ValueError(f"weights must be >= 0; the smallest is {given.min()!r}.")
            with np.errstate(divide="ignore"):
                given = np.log(given)
        log_weights, mass = _settle_mass(given)
        self._set(log_weights, mass, means, scales)

    def _set(self, log_weights, mass, means, scales):
        for name, value in (
            ("_log_weights", log_weights),
            ("_mass", mass),
            ("_means", means),
            ("_scales", scales),
        ):
            value = np.ascontiguousarray(value)
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @classmethod
    def _trusted(cls, log_weights, mass, means, scales) -> "Mixture":
        """Build from parts of other mixtures, which need no second validation."""
        self = cls.__new__(cls)
        self._set(log_weights, mass, means, scales)
        return self

    def __setattr__(self, name, value):
        raise AttributeError(f"Mixture is immutable; {name!r} cannot be set.")

    def __delattr__(self, name):
        raise AttributeError(f"Mixture is immutable; {name!r} cannot be deleted.")

    def __reduce__(self):
        return Mixture._trusted, (self._log_weights, self._mass, self._means, self._scales)

    def __repr__(self):
        gated = "" if self._is_complete() else f", mass {self._mass.min():.3g} to {self._mass.max():.3g}"
        return f"<Mixture: {len(self)} rows, {self.n_components} components, {self.n_outputs} output{gated}>"

    # ------------------------------------------------------------------------------------------------ parameters
    @property
    def log_weights(self) -> np.ndarray:
        """Log weights, (n, K)."""
        return self._log_weights

    @property
    def weights(self) -> np.ndarray:
        """Weights, (n, K)."""
        weights = np.exp(self._log_weights)
        weights.setflags(write=False)
        return weights

    @property
    def means(self) -> np.ndarray:
        """Component means, (n, K)."""
        return self._means

    @property
    def scales(self) -> np.ndarray:
        """Component standard deviations, (n, K)."""
        return self._scales

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
        """q, the number of outputs: 1 in this version."""
        return 1

    # ------------------------------------------------------------------------------------------------ densities
    def logpdf(self, y) -> np.ndarray:
        """Log density at the points y, in nats per data unit; finite for every finite y within float64's range of z²."""
        return self._at_points(kernels.mixture_logpdf, y)

    log_prob = logpdf

    def pdf(self, y) -> np.ndarray:
        """Density at the points y."""
        return np.exp(self.logpdf(y))

    def logcdf(self, y) -> np.ndarray:
        """Log of P(Y ≤ y)."""
        return self._at_points(kernels.mixture_logcdf, y)

    def cdf(self, y) -> np.ndarray:
        """P(Y ≤ y)."""
        return np.exp(self.logcdf(y))

    def logsf(self, y) -> np.ndarray:
        """Log of P(Y > y), to full relative accuracy: never 1 − cdf."""
        self._require_complete("logsf")
        return self._at_points(kernels.mixture_logsf, y)

    def sf(self, y) -> np.ndarray:
        """P(Y > y)."""
        self._require_complete("sf")
        return np.exp(self.logsf(y))

    # ------------------------------------------------------------------------------------------------ quantiles
    def ppf(self, p) -> np.ndarray:
        """Quantiles, the exact inverse of `cdf` by bracketed root finding in log space.

        ppf(0) = −inf, ppf(1) = inf, ppf(nan) = nan.

        Raises
        ------
        ValueError
            For levels outside [0, 1].
        """
        return self._quantile("ppf", p, upper=False)

    quantile = ppf

    def isf(self, p) -> np.ndarray:
        """The y with sf(y) = p: `ppf(1 − p)` without its cancellation for small p."""
        return self._quantile("isf", p, upper=True)

    def median(self) -> np.ndarray:
        """Median, (n,)."""
        self._require_complete("median")
        return self.ppf(0.5)

    def interval(self, level=0.9) -> np.ndarray:
        """Central interval, (n, 2): (1 − level)/2 of the mass on either side.

        Raises
        ------
        ValueError
            Unless 0 < level < 1.
        """
        _require_level(level)
        self._require_complete("interval")
        tail = 0.5 * (1.0 - level)
        return np.stack([self.ppf(tail), self.isf(tail)], axis=1)

    # ------------------------------------------------------------------------------------------------ shape
    def mode(self) -> np.ndarray:
        """The densest point of every row, (n,)."""
        self._require_complete("mode")
        return shape.find_modes(self._log_weights, self._means, self._scales)[0][:, 0]

    def modes(self) -> list[np.ndarray]:
        """All modes of every row: n arrays (j,), densest first. Certified by bounds on derivatives, not found on a grid."""
        self._require_complete("modes")
        points, _ = shape.find_modes(self._log_weights, self._means, self._scales)
        return [row[~np.isnan(row)] for row in points]

    def region(self, level=0.9) -> list[np.ndarray]:
        """Highest-density region: the smallest set that holds `level` of the probability.

        Returns
        -------
        list of n arrays (j, 2)
            Disjoint intervals in ascending order.

        Raises
        ------
        ValueError
            Unless 0 < level < 1.
        """
        _require_level(level)
        self._require_complete("region")
        lower, upper = shape.highest_density_region(self._log_weights, self._means, self._scales, float(level))
        return [
            np.column_stack([low[~np.isnan(low)], high[~np.isnan(low)]]) for low, high in zip(lower, upper, strict=True)
        ]

    def hpd_value(self, y) -> np.ndarray:
        """P(pdf(Y) ≥ pdf(y)): the level of the smallest highest-density region that holds y; uniform if Y is drawn from self."""
        self._require_complete("hpd_value")
        return self._at_points(shape.hpd_value, y)

    def entropy(self) -> np.ndarray:
        """Differential entropy −∫ p log p in nats, (n,), by quadrature to 1e-10."""
        self._require_complete("entropy")
        return shape.entropy(self._log_weights, self._means, self._scales)

    # ------------------------------------------------------------------------------------------------ scores
    def crps(self, y) -> np.ndarray:
        """Continuous ranked probability score at the points y, in units of y, lower is better; closed form.

        Source: Grimit, Gneiting, Berrocal and Johnson (2006), QJRMS 132.
        """
        self._require_complete("crps")
        return self._at_points(kernels.mixture_crps, y)

    def energy_score(self, y) -> np.ndarray:
        """Energy score E|Y − y| − ½ E|Y − Y′| at the points y; for one output, the continuous ranked probability score."""
        self._require_complete("energy_score")
        return self._at_points(kernels.mixture_crps, y)

    # ------------------------------------------------------------------------------------------------ moments
    def mean(self) -> np.ndarray:
        """Mean, (n,)."""
        self._require_complete("mean")
        return np.einsum("nk,nk->n", self.weights, self._means)

    def var(self) -> np.ndarray:
        """Variance, (n,), as Σ π (σ² + (μ − mean)²): no cancellation."""
        self._require_complete("var")
        return np.einsum("nk,nk->n", self.weights, self._scales**2 + self._deviations() ** 2)

    def cov(self) -> np.ndarray:
        """Covariance matrices, (n, 1, 1) for one output: the variance."""
        self._require_complete("cov")
        return self.var()[:, None, None]

    def std(self) -> np.ndarray:
        """Standard deviation, (n,)."""
        self._require_complete("std")
        root_weights = np.exp(0.5 * self._log_weights)
        return np.hypot(_norm(root_weights * self._scales), _norm(root_weights * self._deviations()))

    def _deviations(self):
        """Component means less the mean, (n, K).

        The mean of a row at 1e9 is rounded by 1e-7, a tenth of a σ of 1e-6; its own deviations tell by how much.
        """
        deviation = self._means - self.mean()[:, None]
        return deviation - np.einsum("nk,nk->n", self.weights, deviation)[:, None]

    # ------------------------------------------------------------------------------------------------ sampling
    def sample(self, n_samples=1, *, random_state=None) -> np.ndarray:
        """Draw from every row, (n, n_samples); NaN with probability 1 − mass.

        Parameters
        ----------
        n_samples : int, default 1
        random_state : None, int, numpy Generator or RandomState
            An int gives the same draws each time; None gives new ones.
        """
        if not (isinstance(n_samples, (int, np.integer)) and n_samples >= 0):
            raise ValueError(f"n_samples must be an integer >= 0; got {n_samples!r}.")
        key = int(as_generator(random_state, "sample").integers(2**64, dtype=np.uint64))
        return kernels.mixture_sample(self._log_weights, self._means, self._scales, int(n_samples), key)

    rvs = sample

    # ------------------------------------------------------------------------------------------------ algebra
    def affine(self, scale, shift) -> "Mixture":
        """Distribution of scale · Y + shift.

        Parameters
        ----------
        scale, shift : float or array-like (n,)
            Finite; scale ≠ 0, and may be negative.
        """
        scale, shift = (self._per_row(name, value) for name, value in (("scale", scale), ("shift", shift)))
        if (scale == 0).any():
            raise ValueError("scale must not be 0: the result would have no density.")
        with np.errstate(over="ignore", invalid="ignore"):
            means, scales = scale * self._means + shift, np.abs(scale) * self._scales
        if not (np.isfinite(means).all() and np.isfinite(scales).all() and (scales > 0).all()):
            raise ValueError(
                "The result leaves the range of float64: means or scales overflow, or scales underflow to 0."
            )
        return Mixture._trusted(self._log_weights, self._mass, means, scales)

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
        return Mixture._trusted(log_weights, np.ones(len(self)), self._means, self._scales)

    def to_frame(self):
        """A pandas DataFrame with one line for each row and component: row, component, weight, mean, scale.

        Raises
        ------
        ImportError
            Where pandas is not installed.
        """
        try:
            import pandas  # optional, never required
        except ImportError as error:
            raise ImportError("to_frame needs pandas; install it with `pip install pandas`.") from error
        row, component = np.indices(self._means.shape)
        columns = {
            "row": row,
            "component": component,
            "weight": self.weights,
            "mean": self._means,
            "scale": self._scales,
        }
        return pandas.DataFrame({name: np.asarray(values).ravel() for name, values in columns.items()})

    def to_scipy(self, row):
        """One row as a `scipy.stats.Mixture` of `scipy.stats.Normal`.

        Parameters
        ----------
        row : int

        Raises
        ------
        ImportError
            For scipy below 1.15, which has neither class.
        """
        self._require_complete("to_scipy")
        try:
            from scipy.stats import Mixture as ScipyMixture
            from scipy.stats import Normal
        except ImportError as error:
            raise ImportError("to_scipy needs scipy >= 1.15; install it with `pip install -U scipy`.") from error
        one = self[int(row)]
        present = one.weights[0] > 0
        components = [
            Normal(mu=mean, sigma=scale)
            for mean, scale in zip(one.means[0, present], one.scales[0, present], strict=True)
        ]
        return ScipyMixture(components, weights=one.weights[0, present])

    @staticmethod
    def concatenate(parts: "Sequence[Mixture]") -> "Mixture":
        """Rows of all parts, one after the other. Parts with fewer components get empty ones (weight 0)."""
        parts = _mixtures("parts", parts)
        widest = max(part.n_components for part in parts)
        arrays = [_pad_components(part, widest) for part in parts]
        log_weights, means, scales = (np.concatenate(group) for group in zip(*arrays, strict=True))
        return Mixture._trusted(log_weights, np.concatenate([part.mass for part in parts]), means, scales)

    @staticmethod
    def mix(parts: "Sequence[Mixture]", weights=None) -> "Mixture":
        """Mixture of mixtures: same rows, components side by side (ensembles, stacks).

        Parameters
        ----------
        parts : sequence of Mixture
            All with the same number of rows.
        weights : array-like (parts,) or (n, parts), optional
            Non-negative, summing to one; equal by default.
        """
        parts = _mixtures("parts", parts)
        lengths = [len(part) for part in parts]
        if len(set(lengths)) > 1:
            raise ValueError(f"parts must have the same number of rows; got {lengths}.")
        share = np.full(len(parts), 1.0 / len(parts)) if weights is None else _real("weights", weights)
        if share.shape not in {(len(parts),), (lengths[0], len(parts))}:
            raise ValueError(
                f"weights must have shape ({len(parts)},) or ({lengths[0]}, {len(parts)}); got {share.shape}."
            )
        total = share.sum(axis=-1, keepdims=True)
        if not ((share >= 0).all() and np.allclose(total, 1.0, rtol=0, atol=MASS_TOLERANCE)):
            raise ValueError("weights must be >= 0 and sum to 1.")
        share = np.broadcast_to(share / total, (lengths[0], len(parts)))
        with np.errstate(divide="ignore"):
            log_weights = np.concatenate(
                [np.log(share[:, [j]]) + part.log_weights for j, part in enumerate(parts)], axis=1
            )
        means, scales = (
            np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("means", "scales")
        )
        log_weights, mass = _settle_mass(log_weights)
        return Mixture._trusted(log_weights, mass, means, scales)

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
        return Mixture._trusted(self._log_weights[rows], self._mass[rows], self._means[rows], self._scales[rows])

    # ------------------------------------------------------------------------------------------------ shapes
    def _is_complete(self) -> bool:
        return bool((self._mass == 1.0).all())

    def _require_complete(self, method):
        if not self._is_complete():
            raise ValueError(
                f"{method} needs every row's mass to be 1; the smallest is {self._mass.min():.6g}, the rest being unknown. "
                f"Call normalized().{method} to ask about the known part alone."
            )

    def _at_points(self, kernel, y):
        """Bring y to a grid (n, g), call the kernel, and give back the caller's shape."""
        y = _real("y", y)
        n = len(self)
        if y.ndim == 0:
            grid, flat = np.broadcast_to(y, (n, 1)), True
        elif y.shape == (n,):
            grid, flat = y[:, None], True
        elif y.ndim == 2 and y.shape[0] in {1, n}:
            grid, flat = np.broadcast_to(y, (n, y.shape[1])), False
        else:
            raise ValueError(f"y must be a scalar, ({n},) row-wise, or a grid (1, g) or ({n}, g); got shape {y.shape}.")
        result = kernel(self._log_weights, self._means, self._scales, grid)
        return result[:, 0] if flat else result

    def _quantile(self, method, p, *, upper):
        self._require_complete(method)
        p = _real("p", p)
        n = len(self)
        if p.ndim <= 1:
            levels = p.reshape(1, p.size)
        elif p.ndim == 2 and p.shape[0] == n:
            levels = p
        else:
            raise ValueError(f"p must be a scalar, a list of levels (m,), or row-wise ({n}, m); got shape {p.shape}.")
        if ((levels < 0) | (levels > 1)).any():
            raise ValueError(f"p must lie in [0, 1]; got values from {np.nanmin(levels)!r} to {np.nanmax(levels)!r}.")
        with np.errstate(divide="ignore"):
            log_p, log_rest = np.log(levels), np.log1p(-levels)
        # Broadcast, not copied: a million rows share one list of levels.
        log_p, log_rest = (np.broadcast_to(tail, (n, tail.shape[1])) for tail in (log_p, log_rest))
        tails = (log_rest, log_p) if upper else (log_p, log_rest)
        result = kernels.mixture_quantile(self._log_weights, self._means, self._scales, *tails)
        return result[:, 0] if p.ndim == 0 else result

    def _per_row(self, name, value):
        value = _real(name, value)
        if value.shape not in {(), (len(self),)}:
            raise ValueError(f"{name} must be a finite number or have shape ({len(self)},); got shape {value.shape}.")
        if not np.isfinite(value).all():
            raise ValueError(f"{name} must be a finite number in every row; got {value[~np.isfinite(value)][0]!r}.")
        return np.broadcast_to(value, (len(self),))[:, None]


def _require_level(level):
    if not (np.ndim(level) == 0 and 0.0 < level < 1.0):
        raise ValueError(f"level must be a number between 0 and 1, both excluded; got {level!r}.")


def _real(name, value) -> np.ndarray:
    """Float64 array of real numbers, or an error that names the argument."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be real numbers in an array; got rows of unequal length.") from error
    objects = array.dtype.kind == "O" and array.size and not any(item is None for item in array.flat)
    if array.dtype.kind not in "biuf" and not objects:
        raise ValueError(f"{name} must be real numbers; got {array.dtype} of shape {array.shape}.")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must be real numbers; got {array.dtype} of shape {array.shape}.") from error


def _parameter(name, value, *, log=False) -> np.ndarray:
    """A validated copy (n, K) of one constructor argument."""
    array = _real(name, value)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"{name} must have shape (n, K) with K >= 1; got {array.shape}.")
    finite = np.isfinite(array) | np.isneginf(array) if log else np.isfinite(array)
    if not finite.all():
        row, component = np.argwhere(~finite)[0]
        raise ValueError(f"{name} must be finite; row {row}, component {component} is {array[row, component]!r}.")
    return array


def _settle_mass(log_weights):
    """Log weights and mass of every row; rows that sum to one within rounding are made to sum to one."""
    log_mass = logsumexp(log_weights, axis=1)
    if (log_mass > MASS_TOLERANCE).any():
        row = int(np.argmax(log_mass))
        raise ValueError(f"The weights of a row must sum to at most 1; row {row} sums to {np.exp(log_mass[row]):.12g}.")
    complete = np.abs(log_mass) <= MASS_TOLERANCE
    log_weights = log_weights - np.where(complete, log_mass, 0.0)[:, None]
    return log_weights, np.where(complete, 1.0, np.exp(log_mass))


def _norm(array):
    """Euclidean norm of every row, safe from overflow and underflow."""
    largest = np.abs(array).max(axis=1, keepdims=True)
    scale = np.where(largest > 0, largest, 1.0)
    return np.linalg.norm(array / scale, axis=1) * scale[:, 0]


def _mixtures(name, parts):
    parts = [] if isinstance(parts, Mixture) else list(parts)  # a lone Mixture would fall apart into its rows
    if not parts or not all(isinstance(part, Mixture) for part in parts):
        raise ValueError(
            f"{name} must be a non-empty sequence of Mixture; got {[type(part).__name__ for part in parts]}."
        )
    return parts


def _pad_components(part, n_components):
    """Arrays of a mixture with empty components appended (weight 0, a copy of the first component's mean and scale)."""
    missing = n_components - part.n_components
    padding = np.repeat([[0]], missing, axis=1)[0]
    log_weights = np.pad(part.log_weights, ((0, 0), (0, missing)), constant_values=-np.inf)
    means, scales = (np.concatenate([array, array[:, padding]], axis=1) for array in (part.means, part.scales))
    return log_weights, means, scales
