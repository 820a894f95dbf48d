"""`Distribution`: every public verb, with its broadcasting rule and its refusals, exactly once."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from condensity.distributions import arguments, conversion, guards
from condensity.distributions.formulas import ComponentSummary
from condensity.distributions.pointwise import PointwiseVerbs
from condensity.random import as_generator

if TYPE_CHECKING:  # optional, never required
    from pandas import DataFrame


class Distribution(PointwiseVerbs):
    """n rows, each the distribution of q outputs. Immutable; everything is float64, in data units, computed in log space.

    Notes
    -----
    Points y of one output: a scalar gives (n,); (n,) is row-wise and gives (n,); 2-D, (1, g) or (n, g), is a grid and gives
    (n, g). Of several: (q,) gives (n,); (n, q) is row-wise and gives (n,); (1, g, q) or (n, g, q) is a grid and gives (n, g).
    Levels p: a scalar gives (n,); (m,) is always a list of levels and gives (n, m), also when m = n; (n, m) is row-wise.

    Where `mass` is below 1, the rest means 'unknown': `pdf`, `logpdf`, `cdf`, `logcdf`, `ppf` are of the known part, `sample`
    draws NaN with probability 1 − mass, and all other numbers need `normalized()`. A verb without an exact result raises
    `ValueError`; `has` tells beforehand.

    Examples
    --------
    >>> from condensity import Mixture
    >>> from condensity.distributions import Distribution
    >>> isinstance(Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]), Distribution)
    True
    """

    __slots__ = ()

    #: Names of centers and widths in `to_frame`.
    component_columns: ClassVar[tuple[str, str]] = ("center", "width")

    def has(self, verb: str) -> bool:
        """Whether a verb has an exact result for this kind, transform and number of outputs, where mass is 1.

        Parameters
        ----------
        verb : str
            Such as "crps".

        Raises
        ------
        ValueError
            For a word that is no verb.

        Examples
        --------
        >>> from condensity import Mixture
        >>> dist = Mixture(weights=[[1.0]], means=[[[0.0, 3.0]]], scales=[[[1.0, 2.0]]])
        >>> dist.has("energy_score"), dist.has("crps"), dist.marginal(0).has("crps")
        (True, False, True)
        """
        if verb not in guards.VERBS:
            raise ValueError(f"verb must be one of {', '.join(sorted(guards.VERBS))}; got {verb!r}.")
        return guards.refusal(verb, self.formulas, self.n_outputs) is None

    # ------------------------------------------------------------------------------------------------ moments
    def mean(self) -> np.ndarray:
        """Mean in data units, (n,) or (n, q).

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[0.25, 0.75]], means=[[0.0, 4.0]], scales=[[1.0, 1.0]]).mean()
        array([3.])
        """
        self._check("mean")
        return self.formulas.mean()

    def var(self) -> np.ndarray:
        """Variance in squared data units, (n,) or (n, q), without cancellation.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[0.5, 0.5]], means=[[-2.0, 2.0]], scales=[[1.0, 1.0]]).var()
        array([5.])
        """
        self._check("var")
        return self.formulas.var()

    def std(self) -> np.ndarray:
        """Standard deviation in data units, (n,) or (n, q).

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[0.0]], scales=[[3.0]]).std()
        array([3.])
        """
        self._check("std")
        return self.formulas.std()

    def cov(self) -> np.ndarray:
        """Covariance matrices in products of data units, (n, q, q), also for q = 1; without cancellation.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[[0.0, 3.0]]], scales=[[[1.0, 2.0]]]).cov()
        array([[[1., 0.],
                [0., 4.]]])
        """
        self._check("cov")
        return self.formulas.cov()

    # ------------------------------------------------------------------------------------------------ shape
    def mode(self) -> np.ndarray:
        """The densest point of every row in data units, (n,) or (n, q).

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[0.3, 0.7]], means=[[-5.0, 5.0]], scales=[[1.0, 1.0]]).mode().round(6)
        array([5.])
        """
        self._check("mode")
        return self.formulas.mode()

    def modes(self) -> list[np.ndarray]:
        """All modes of every row in data units: n arrays (j,) or (j, q), densest first.

        Of one output they are certified by bounds on derivatives, not found on a grid. Of several they are found by ascent from
        many starts: each is a mode, but about two of 1000 modes of random mixtures are missed (`normal_shape/modes.py`).

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[0.3, 0.7]], means=[[-5.0, 5.0]], scales=[[1.0, 1.0]]).modes()[0].round(6)
        array([ 5., -5.])
        """
        self._check("modes")
        return self.formulas.modes()

    def region(self, level: float = 0.9) -> list[np.ndarray]:
        """Highest-density region: the smallest set that holds `level` of the probability. One output.

        Parameters
        ----------
        level : float, default 0.9

        Returns
        -------
        list of n arrays (j, 2)
            Disjoint intervals in data units, in ascending order.

        Raises
        ------
        ValueError
            Unless 0 < level < 1.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[0.5, 0.5]], means=[[-5.0, 5.0]], scales=[[1.0, 1.0]]).region(0.5)[0].round(2)
        array([[-5.67, -4.33],
               [ 4.33,  5.67]])
        """
        level = arguments.level(level)
        self._check("region")
        return self.formulas.region(level)

    def entropy(self) -> np.ndarray:
        """Differential entropy −∫ p log p in nats, (n,), by quadrature to 1e-10. One output.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]).entropy().round(4)
        array([1.4189])
        """
        self._check("entropy")
        return self.formulas.entropy()

    # ------------------------------------------------------------------------------------------------ draws and components
    def sample(
        self,
        n_samples: int = 1,
        *,
        random_state: int | np.random.Generator | np.random.RandomState | None = None,
    ) -> np.ndarray:
        """Draw from every row, (n, n_samples) or (n, n_samples, q), in data units; NaN with probability 1 − mass.

        Parameters
        ----------
        n_samples : int, default 1
        random_state : None, int, numpy Generator or RandomState
            An int gives the same draws each time; None gives new ones.

        Examples
        --------
        >>> from condensity import Mixture
        >>> draws = Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]).sample(1000, random_state=0)
        >>> draws.shape, bool(abs(draws.mean()) < 0.1)
        ((1, 1000), True)
        """
        n_samples = arguments.sample_size(n_samples)
        arguments.check_result_size("draws", len(self), n_samples * self.n_outputs)
        return self.formulas.sample(n_samples, as_generator(random_state, "sample"))

    rvs = sample

    def component_summary(self) -> ComponentSummary:
        """Weights (n, K), and centers and widths (n, K) or (n, K, q) in data units, of the components of any kind.

        Examples
        --------
        >>> from condensity import Mixture
        >>> Mixture(weights=[[1.0]], means=[[2.0]], scales=[[3.0]]).component_summary().widths
        array([[3.]])
        """
        return self.formulas.component_summary()

    def to_frame(self) -> "DataFrame":
        """A pandas DataFrame with one line for each row, component and, if there are several, output.

        Columns row, component, output (name or position), weight, and mean and scale, or center and width (see
        `component_summary`) of transformed components. Correlations are in `covariances` only.

        Raises
        ------
        ImportError
            Where pandas is not installed.

        Examples
        --------
        >>> from condensity import Mixture
        >>> dist = Mixture(weights=[[0.25, 0.75]], means=[[0.0, 4.0]], scales=[[1.0, 2.0]])
        >>> list(dist.to_frame().columns)
        ['row', 'component', 'weight', 'mean', 'scale']
        """
        return conversion.to_frame(self.component_summary(), self.output_names, self.component_columns)

    def to_scipy(self, row: int) -> object:
        """One row as a `scipy.stats.Mixture` of `scipy.stats.Normal`. One output.

        Parameters
        ----------
        row : int

        Raises
        ------
        ImportError
            For scipy below 1.15, which has neither class.

        Examples
        --------
        >>> from condensity import Mixture
        >>> dist = Mixture(weights=[[0.25, 0.75]], means=[[0.0, 4.0]], scales=[[1.0, 2.0]])
        >>> float(dist.to_scipy(0).mean())
        3.0
        """
        self._check("to_scipy")
        return conversion.to_scipy(self[int(row)].component_summary())
