"""Verbs of fitted estimators that need the density of the inputs too: support, p(x), p(x, y) and p(x | y)."""

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from condensity.distributions import Mixture
from condensity.estimators import reading
from condensity.estimators.blocks import Rows, in_blocks
from condensity.estimators.fitted import FittedDensity
from condensity.inverse import InverseModel, WeightedDraws, draw_joint
from condensity.random import RandomState, as_generator
from condensity.support import SupportModel, density_of
from condensity.warning import warn_user


class FittedJoint(FittedDensity):
    """Answers of a fitted p(y | x) together with a density of its inputs."""

    # -------------------------------------------------------------------------------------- is there data near x?
    @property
    def has_support(self) -> bool:
        """Whether there is a support model: `support`, `in_support`, `outside=`."""
        return isinstance(getattr(self, "support_", None), SupportModel)

    def support(self, X: Any) -> np.ndarray:
        """Conformal p-values of the rows of X among the inputs that the model was fitted to.

        Small values mean that no row like this one was in the training table. For in-distribution rows, P(support ≤ α) ≤ α;
        the smallest possible value is 1 / (m + 1) with m calibration rows: all training rows below 5000, a fifth of them above,
        or those of X_val. They are exact for held-out rows and approximate for the cross-fits of short tables.

        >>> from condensity import JointGMMRegressor
        >>> model = JointGMMRegressor(2, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0.1, 0.9, 2.2, 2.9])
        >>> model.support([[1.5], [40.0]]).round(1)
        array([1. , 0.2])

        Parameters
        ----------
        X : array-like or data frame (n, d)

        Returns
        -------
        ndarray (n,)
            In (0, 1].

        Raises
        ------
        ValueError
            Where the model was fitted without a support model.
        """
        inputs = self._inputs_of(X)
        support, encoder, compute = self._support_for("support"), self.encoder_, self._compute

        def p_values(rows: Rows) -> np.ndarray:
            return support.p_values(encoder.standardize(inputs[rows]), encoder.departs(inputs[rows]), compute=compute)

        return in_blocks(p_values, inputs, lambda: 1)

    def in_support(self, X: Any, alpha: float = 0.01) -> np.ndarray:
        """Whether each row of X is in distribution: support(X) > alpha. A fraction alpha of in-distribution rows is not.

        >>> from condensity import JointGMMRegressor
        >>> model = JointGMMRegressor(2, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0.1, 0.9, 2.2, 2.9])
        >>> model.in_support([[1.5], [40.0]], alpha=0.25)
        array([ True, False])

        Parameters
        ----------
        X : array-like or data frame (n, d)
        alpha : float
            Between 0 and 1.

        Returns
        -------
        bool ndarray (n,)

        Warns
        -----
        UserWarning
            If there are too few calibration rows for any row to be outside at this alpha.
        """
        if not (np.ndim(alpha) == 0 and 0.0 < alpha < 1.0):
            raise ValueError(f"alpha must be a number between 0 and 1, both excluded; got {alpha!r}.")
        p_values = self.support(X)
        smallest = self._support_for("in_support").min_p_value
        if alpha < smallest:
            warn_user(
                f"alpha={alpha:g} needs {int(np.ceil(1 / alpha)) - 1} calibration rows or more, and the model has "
                f"{round(1 / smallest) - 1}: no row can be outside. Use alpha >= {smallest:.2g}, or more data."
            )
        return p_values > alpha

    # ------------------------------------------------------------------------------------------------- p(x) and p(x, y)
    def score_inputs(self, X: Any) -> np.ndarray:
        """Log p(x) of every row of X (n, d): (n,), in nats per unit of X; columns that were constant in training are left out.

        >>> from condensity import JointGMMRegressor
        >>> model = JointGMMRegressor(2, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0.1, 0.9, 2.2, 2.9])
        >>> model.score_inputs([[1.5], [4.0]]).round(1)
        array([-2.3, -5.5])
        """
        check_is_fitted(self)
        self.encoder_.require_numbers("score_inputs")
        density, inputs, compute = density_of(self.support_, "score_inputs"), self._inputs_of(X), self._compute

        def log_density(rows: Rows) -> np.ndarray:
            x = self.encoder_.standardize(inputs[rows])
            return density.log_density(x, compute=compute) - self.encoder_.log_units(x, density.columns)

        return in_blocks(log_density, inputs, lambda: 1)

    def score_joint(self, X: Any, y: Any) -> np.ndarray:
        """Log p(x, y) = log p(x) + log p(y | x) of all rows of X (n, d) and y (n,) or (n, q): (n,), in nats per unit of both."""
        return self.score_inputs(X) + self.score_samples(X, y)

    def sample_joint(self, n_samples: int = 1, *, random_state: RandomState = None) -> tuple[np.ndarray, np.ndarray]:
        """Draws from p(x, y): X (n_samples, d) and y (n_samples,) or, of several outputs, (n_samples, q), in data units.

        x is drawn from p(x) and y from p(y | x), so no row lies where there is no data. An integer `random_state` repeats them.

        >>> from condensity import JointGMMRegressor
        >>> model = JointGMMRegressor(2, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0.1, 0.9, 2.2, 2.9])
        >>> X, y = model.sample_joint(5, random_state=0)
        >>> X.shape, y.shape
        ((5, 1), (5,))
        """
        check_is_fitted(self)
        self.encoder_.require_numbers("sample_joint")
        density, rng = density_of(self.support_, "sample_joint"), as_generator(random_state, "sample_joint")
        x, y = draw_joint(self._conditional, density, n_samples, rng, compute=self._compute)
        return self.encoder_.decode(x), self.target_.in_shape(self.target_.decode(y))

    def predict_inputs(
        self, y: npt.ArrayLike, *, n_draws: int = 4096, random_state: RandomState = 0
    ) -> "WeightedDraws | Mixture":
        """The distribution of the inputs given outputs y (n,) or (n, q): p(x | y) ∝ p(x) p(y | x).

        One input: quantiles from an adaptive grid, exact to about 1e-5. Up to 15: Pareto-smoothed importance sampling, its
        proposal a joint mixture of draws from the model, conditioned on y.

        Parameters
        ----------
        y : float or array-like (n,), or (n, q) for several outputs
            Finite, in data units.
        n_draws : int
        random_state : int, numpy Generator or RandomState
            Of the draws for several inputs.

        Returns
        -------
        WeightedDraws
            n rows of draws with weights, a density, and a diagnosis.

        Raises
        ------
        ValueError
            Without a support model, and for more than 15 inputs that vary.

        Warns
        -----
        UserWarning
            Where weights are too uneven for a row to be trusted.
        """
        check_is_fitted(self)
        self.encoder_.require_numbers("predict_inputs")
        z = self.target_.encode(reading.read_lone_target(y, self.target_.n_outputs))
        return self._inverse_model.predict(z, n_draws, random_state)

    @cached_property
    def _inverse_model(self) -> InverseModel:
        density = density_of(self.support_, "predict_inputs")
        support = self.support_ if isinstance(self.support_, SupportModel) else None
        return InverseModel(self._conditional, density, self.encoder_, self.target_, self._compute, support)
