"""`PointwiseVerbs`: verbs at points or levels, with the two broadcasting rules of the library."""

from abc import abstractmethod
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from condensity.distributions import arguments, guards
from condensity.distributions.algebra import DistributionAlgebra
from condensity.distributions.formulas import DistributionFormulas


class PointwiseVerbs(DistributionAlgebra):
    """Densities, probabilities, quantiles and scores.

    The notes of `Distribution` give the shapes of points, levels and results.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def formulas(self) -> DistributionFormulas:
        """Formulas of this kind, on grids and without checks: for other kinds to build on."""

    # ------------------------------------------------------------------------------------------------ densities
    def logpdf(self, y: npt.ArrayLike) -> np.ndarray:
        """Log density in nats per data unit, finite within float64's range of z².

        Parameters
        ----------
        y : array-like (n,), (1, g) or (n, g), or a scalar; (q,), (n, q), (1, g, q) or (n, g, q) for several outputs
            Points in data units.

        Returns
        -------
        ndarray (n,) or (n, g)

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]).logpdf([[0.0, 40.0]]).round(3)
        array([[  -0.919, -800.919]])
        """
        return self._at_points("logpdf", self.formulas.logpdf, y)

    log_prob = logpdf

    def pdf(self, y: npt.ArrayLike) -> np.ndarray:
        """Density per data unit at points y, (n,) or (n, g), as `logpdf`; infinite where float64 has no number as large.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[0.5, 0.5]], means=[[-2.0, 2.0]], scales=[[1.0, 1.0]]).pdf(0.0).round(3)
        array([0.054])
        """
        with np.errstate(over="ignore"):
            return np.exp(self.logpdf(y))

    def logcdf(self, y: npt.ArrayLike) -> np.ndarray:
        """Log of P(Y ≤ y) at points y, (n,) or (n, g), as `logpdf`. One output.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]).logcdf(-40.0).round(2)
        array([-804.61])
        """
        return self._at_points("logcdf", self.formulas.logcdf, y)

    def cdf(self, y: npt.ArrayLike) -> np.ndarray:
        """P(Y ≤ y) at points y, (n,) or (n, g), as `logpdf`. One output.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]).cdf([[-1.0, 0.0, 1.0]]).round(3)
        array([[0.159, 0.5  , 0.841]])
        """
        return np.exp(self._at_points("cdf", self.formulas.logcdf, y))

    def logsf(self, y: npt.ArrayLike) -> np.ndarray:
        """Log of P(Y > y) at points y, (n,) or (n, g), as `logpdf`, to full relative accuracy: never 1 − cdf. One output.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]).logsf(40.0).round(2)
        array([-804.61])
        """
        return self._at_points("logsf", self.formulas.logsf, y)

    def sf(self, y: npt.ArrayLike) -> np.ndarray:
        """P(Y > y) at points y, (n,) or (n, g), as `logpdf`. One output.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]).sf(1.0).round(3)
        array([0.159])
        """
        return np.exp(self._at_points("sf", self.formulas.logsf, y))

    # ------------------------------------------------------------------------------------------------ quantiles
    def ppf(self, p: npt.ArrayLike) -> np.ndarray:
        """Quantiles in data units, the exact inverse of `cdf` by bracketed root finding in log space. One output.

        Where mass is below 1, those of the known part: nan for levels above its mass, and so for rows without any.

        Parameters
        ----------
        p : array-like (m,) or (n, m), or a scalar
            Levels in [0, 1]; 0 and 1 give the ends of the range of y, nan gives nan.

        Returns
        -------
        ndarray (n,) or (n, m)

        Raises
        ------
        ValueError
            For levels outside [0, 1].

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]).ppf([0.0, 0.025, 0.975]).round(2)
        array([[ -inf, -1.96,  1.96]])
        """
        self._check("ppf")
        return self._at_levels("ppf", p, upper=False) if guards.is_complete(self.mass) else self._defective_quantiles(p)

    quantile = ppf

    def isf(self, p: npt.ArrayLike) -> np.ndarray:
        """The y with sf(y) = p, levels p (m,) or (n, m) as in `ppf`, without the cancellation of ppf(1 − p). One output.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]).isf(1e-30).round(2)
        array([11.46])
        """
        return self._at_levels("isf", p, upper=True)

    def median(self) -> np.ndarray:
        """Median in data units, (n,). One output.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[3.0]], scales=[[1.0]]).median()
        array([3.])
        """
        return self._at_levels("median", 0.5, upper=False)

    def interval(self, level: float = 0.9) -> np.ndarray:
        """Central interval in data units, (n, 2): (1 − level)/2 of the probability on either side. One output.

        Parameters
        ----------
        level : float, default 0.9

        Raises
        ------
        ValueError
            Unless 0 < level < 1.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]).interval(0.95).round(2)
        array([[-1.96,  1.96]])
        """
        tail = 0.5 * (1.0 - arguments.level(level))
        ends = self._at_levels("interval", tail, upper=False), self._at_levels("interval", tail, upper=True)
        return np.stack(ends, axis=1)

    # ------------------------------------------------------------------------------------------------ scores
    def hpd_value(self, y: npt.ArrayLike) -> np.ndarray:
        """P(pdf(Y) ≥ pdf(y)) at points y, (n,) or (n, g), as `logpdf`. One output.

        The level of the smallest highest-density region that holds y. Uniform on [0, 1] if y is drawn from self.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]).hpd_value(1.96).round(3)
        array([0.95])
        """
        return self._at_points("hpd_value", self.formulas.hpd_value, y)

    def crps(self, y: npt.ArrayLike) -> np.ndarray:
        """Continuous ranked probability score in data units at points y, (n,) or (n, g), as `logpdf`. Closed form. One output.

        Lower is better.

        References
        ----------
        Grimit, Gneiting, Berrocal and Johnson (2006), "The continuous ranked probability score for circular variables and its
        application to mesoscale forecast ensemble verification", QJRMS 132.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]).crps([[0.0, 2.0]]).round(3)
        array([[0.234, 1.453]])
        """
        return self._at_points("crps", self.formulas.crps, y)

    def energy_score(self, y: npt.ArrayLike) -> np.ndarray:
        """Energy score E‖Y − y‖ − ½ E‖Y − Y′‖ at points y, (n, q) or (n, g, q), as `logpdf`. For one output, the CRPS.

        Lower is better. Exact to 1e-11 of E‖Y − y‖, by one-dimensional quadrature. Outputs enter in their own units: bring
        different ones to common units with `affine` first.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[[0.0, 0.0]]], scales=[[[1.0, 1.0]]]).energy_score([3.0, 4.0]).round(3)
        array([4.215])
        """
        return self._at_points("energy_score", self.formulas.energy_score, y)

    # ------------------------------------------------------------------------------------------------ shapes and refusals
    def _check(self, verb: str) -> None:
        guards.check(verb, self.formulas, self.n_outputs, self.mass)

    def _at_points(self, verb: str, formula: Callable[[np.ndarray], np.ndarray], y: npt.ArrayLike) -> np.ndarray:
        """Bring y to a grid (n, g[, q]), call the formula, and give back the caller's shape."""
        self._check(verb)
        grid, flat = arguments.points(y, len(self), self.n_outputs)
        arguments.check_result_size("points", len(self), grid.shape[1])
        result = formula(grid)
        return result[:, 0] if flat else result

    def _defective_quantiles(self, p: npt.ArrayLike) -> np.ndarray:
        """The y with cdf(y) = p where mass is below 1; nan for levels above the mass."""
        n = len(self)
        levels, flat = arguments.levels(p, n)
        known = self.mass > 0
        shares = np.broadcast_to(levels, (n, levels.shape[1]))[known] / self.mass[known, None]
        result = np.full((n, levels.shape[1]), np.nan)
        result[known] = self[known].normalized().ppf(np.where(shares <= 1.0, shares, np.nan))
        return result[:, 0] if flat else result

    def _at_levels(self, verb: str, p: npt.ArrayLike, *, upper: bool) -> np.ndarray:
        """Quantiles for which P(Y ≤ y), or P(Y > y) for the upper ones, is p."""
        self._check(verb)
        n = len(self)
        levels, flat = arguments.levels(p, n)
        arguments.check_result_size("levels", n, levels.shape[1])
        with np.errstate(divide="ignore"):
            log_p, log_rest = np.log(levels), np.log1p(-levels)
        # Broadcast, not copied: a million rows share one list of levels.
        log_p, log_rest = (np.broadcast_to(tail, (n, tail.shape[1])) for tail in (log_p, log_rest))
        tails = (log_rest, log_p) if upper else (log_p, log_rest)
        result = self.formulas.quantile(*tails)
        return result[:, 0] if flat else result
