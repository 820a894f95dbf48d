"""What every estimator can be asked about its inputs: is there data like x, p(x) and p(x, y)."""

from abc import abstractmethod
from collections.abc import Callable

import numpy as np
from sklearn.utils.validation import check_is_fitted

from condensity import em, support
from condensity.compute import Compute
from condensity.data import Schema
from condensity.data.scaling import Standardizer
from condensity.distributions import Mixture
from condensity.em.sweep import ROWS_PER_COMPONENT
from condensity.inverse import WeightedDraws
from condensity.random import as_generator
from condensity.warning import warn_user

#: What `predict_dist` can do where X has no data.
OUTSIDE = ("ignore", "deficient", "prior", "warn", "raise")

#: σ of the prior that outside='prior' reverts to, in those of the marginal of y.
PRIOR_WIDENING = 2.0

#: The marginal of y: components at most, iterations of EM (it is a fallback, not an estimate), and rows that it is fitted to.
PRIOR_COMPONENTS, PRIOR_ITERATIONS, PRIOR_ROWS = 4, 5, 5000


class InputVerbs:
    """Questions about X, for estimators that have fitted `_inputs` and, with a support model, `_support` and `_prior`."""

    engine: str
    n_jobs: int | None
    random_state: object
    support_model: str | None
    _x_scaler: Standardizer
    _y_scaler: Standardizer
    _y_shape: tuple[int, ...]
    _inputs: support.InputDensity | None  # p̂(x)
    _support: support.Support | None
    _prior: em.GaussianMixtureParameters | None  # of y alone
    _no_support: str  # why there is none
    _schema: Schema
    _check_inputs: Callable
    _standardised_inputs: Callable
    _standardised_outputs: Callable
    _restored_outputs: Callable
    _log_units_of_y: Callable
    _predict_standardised: Callable[..., Mixture]
    score_samples: Callable

    @abstractmethod
    def predict_inputs(self, y) -> "Mixture | WeightedDraws":
        """The distribution of the inputs given outputs, p(x | y)."""

    # --------------------------------------------------------------------------------------------- is there data like x?
    @property
    def has_support(self) -> bool:
        """Whether the fitted model can tell where there is data: `support`, `in_support`, `outside=`."""
        return getattr(self, "_support", None) is not None

    def support(self, X):
        """How usual each row of X is among the inputs that the model was fitted to: conformal p-values.

        Small means that nothing like this row was seen. For rows like the training rows, P(support ≤ α) ≤ α; the smallest value
        there can be is 1 / (m + 1) with m calibration rows: all training rows below 5000, a fifth of them above, or those of
        X_val. They are exact for held-out rows and approximate for the cross-fits of short tables.

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
        x, departs = self._look_at(X)
        return self._p_values(x, departs, self._calibrated("support"))

    def in_support(self, X, alpha=0.01):
        """Whether there is data like each row of X: support(X) > alpha. Of rows like the training rows, a share alpha is not.

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
        smallest = self._calibrated("in_support").smallest
        if alpha < smallest:
            warn_user(
                f"alpha={alpha:g} needs {int(np.ceil(1 / alpha)) - 1} calibration rows or more, and the model has "
                f"{round(1 / smallest) - 1}: no row can be outside. Use alpha >= {smallest:.2g}, or more data."
            )
        return p_values > alpha

    def _beyond_data(self, dist, X, x, outside) -> Mixture:
        """The prediction (standardised) for rows X (standardised: x) with what was asked for where there is no data."""
        if outside not in OUTSIDE:
            raise ValueError(f"outside must be one of {', '.join(map(repr, OUTSIDE))}; got {outside!r}.")
        known = self._calibrated(f"outside={outside!r}")
        departs = self._x_scaler.departs(X)
        if outside in ("warn", "raise"):
            self._complain(self._p_values(x, departs, known), known.smallest, outside)
            return dist
        log_gate = np.where(departs, support.LOG_NOTHING, known.log_gate(x))
        if outside == "deficient":
            return dist.gated(log_gate)
        gate = np.exp(log_gate)
        return Mixture.mix([dist, _widened(self._prior, len(dist))], np.column_stack([gate, 1.0 - gate]))

    @staticmethod
    def _p_values(x, departs, known):
        """P-values of standardised rows; the smallest one where a row departs from what was constant in training."""
        return np.where(departs, known.smallest, known.p_values(x))

    def _complain(self, p_values, smallest, outside):
        strange = np.flatnonzero(p_values <= smallest)
        if not len(strange):
            return
        message = (
            f"{len(strange)} of {len(p_values)} rows of X, the first of them row {strange[0]}, are rarer than every one of the "
            f"{round(1 / smallest) - 1} calibration rows; {len(p_values) * smallest:.2g} would be by chance. What the model says "
            "of them is extrapolation; see support(X)."
        )
        if outside == "raise":
            raise ValueError(message)
        warn_user(message)

    # ------------------------------------------------------------------------------------------------- p(x) and p(x, y)
    def score_inputs(self, X):
        """Log p(x) of every row, (n,), in nats per unit of X; columns that were constant in training are left out."""
        check_is_fitted(self)
        density = self._density_over_columns("score_inputs")
        x, _ = self._look_at(X)
        return density.log_density(x) - self._log_units(x)

    def score_joint(self, X, y):
        """Log p(x, y) = log p(x) + log p(y | x) of every row, (n,), in nats per unit of X and y."""
        return self.score_inputs(X) + self.score_samples(X, y)

    def sample_joint(self, n_samples=1, *, random_state=None):
        """Draw rows from p(x, y): X (n_samples, d) and y (n_samples,) or, of several outputs, (n_samples, q).

        x is drawn from p(x) and y from p(y | x), so no row lies where there is no data.
        """
        check_is_fitted(self)
        self._density_over_columns("sample_joint")
        x, y = self._draw_joint(n_samples, as_generator(random_state, "sample_joint"))
        y = self._restored_outputs(y)
        return x * self._x_scaler.scale + self._x_scaler.center, y.reshape(len(y), *self._y_shape)

    def _draw_joint(self, n_samples, rng):
        """Standardised rows x (n_samples, d) and y (n_samples, q)."""
        density = self._input_density("sample_joint")
        drawn = density.draw(n_samples, rng)
        x = np.zeros((n_samples, self._x_scaler.scale.size))
        x[:, density.columns] = drawn
        y = self._predict_standardised(x).sample(1, random_state=rng)[:, 0]
        return x, y.reshape(n_samples, -1)

    def _log_units(self, x):
        """What data units take from the log density of standardised rows x: log scale of the columns that they know, (n,)."""
        columns = self._input_density("score_inputs").columns
        return (~np.isnan(x[:, columns])) @ np.log(self._x_scaler.scale[columns])

    # ------------------------------------------------------------------------------------------------ what was fitted
    def _rows_for_inputs(self, rows):
        """Rows that the density of the inputs will be fitted to: a copy, since a network limits its inputs in place."""
        n = len(rows.y)
        if self.support_model is None or support.why_unavailable(rows.x.shape[1]):
            return rows
        if n <= support.MOST_ROWS:
            return rows._replace(x=rows.x.copy())
        return rows.take(np.random.default_rng(0).choice(n, support.MOST_ROWS, replace=False))

    def _learn_inputs(self, rows, validation):
        """The density of the inputs with its calibration, and the marginal of y, where they are asked for."""
        self._forget_inputs()
        self._inputs = self._inputs_of_model()
        self._no_support = "the model was fitted with support_model=None; fit it with support_model='auto'"
        if self.support_model is None:
            return
        reason = support.why_unavailable(rows.x.shape[1])
        if reason is not None:
            self._no_support = reason + "; leave columns out, for example by sklearn.decomposition.PCA"
            return
        rng = as_generator(self.random_state, "support")
        try:
            self._support, self._prior = self._fit_support(rows, rng, validation)
        except KeyboardInterrupt:
            self._no_support = "the fit was interrupted before it"
            warn_user("Interrupted while the density of the inputs was fitted: support(X) is not available.")
            return
        self._inputs = self._support.density

    def _inputs_of_model(self):
        """p̂(x) of a model that has one itself."""
        return

    def _forget_inputs(self):
        self._inputs = self._support = self._prior = None
        self._no_support = "the model was fitted by partial_fit alone; call fit"

    def _fit_support(self, rows, rng, validation):
        """`Support` and marginal of y of standardised training rows."""
        compute = self._compute()
        known = support.fit_support(
            rows.x,
            rows.weight,
            ~self._x_scaler.constant,
            rng,
            held_out=None if validation is None else validation.x,
            compute=compute,
        )
        some = slice(None, None, -(-len(rows.y) // PRIOR_ROWS))
        y = np.asarray(rows.y[some], dtype=float)
        size = max(1, min(PRIOR_COMPONENTS, len(y) // ROWS_PER_COMPONENT))
        fit = em.fit_gmm(y, size, rng, sample_weight=rows.weight[some], max_iter=PRIOR_ITERATIONS, compute=compute)
        return known, fit.parameters

    def _compute(self) -> Compute:
        """Engine and threads."""
        return Compute.of(self.engine, self.n_jobs)

    def _input_density(self, what):
        check_is_fitted(self)
        if self._inputs is None:
            raise ValueError(f"{what} needs a density of the inputs: {self._no_support}.")
        return self._inputs

    def _density_over_columns(self, what):
        """The density of the inputs where it is one over the columns of X themselves."""
        self._require_plain_columns(what)
        return self._input_density(what)

    def _require_plain_columns(self, what):
        schema = self._schema
        if schema.categories:
            label = schema.label(schema.categories[0].column)
            raise ValueError(
                f"{what} needs X to be numbers alone, and {label} is a category; there is no density over those."
            )
        if schema.gaps:
            raise ValueError(
                f"{what} needs X without gaps, and {schema.label(schema.gaps[0])} has some; JointGMMRegressor integrates "
                "them out."
            )

    def _calibrated(self, what):
        check_is_fitted(self)
        if self._support is None:
            raise ValueError(f"{what} needs a support model: {self._no_support}.")
        return self._support

    def _look_at(self, X):
        """Standardised rows, and whether they depart from what was constant in training."""
        check_is_fitted(self)
        X = self._check_inputs(X)
        return self._standardised_inputs(X), self._x_scaler.departs(X)

    def _check_lone_outputs(self, y, *, missing_allowed=False):
        """Outputs that come without inputs: (n, q), from a number, (n,), (q,) or (n, q)."""
        q = self._y_scaler.scale.size
        y = np.asarray(y, dtype=float)
        if y.ndim < 2:
            y = y.reshape(-1, 1) if q == 1 else y[None]
        if y.ndim != 2 or y.shape[1] != q:
            raise ValueError(f"y must have shape (n,) or (n, 1), or (n, q) for q = {q} outputs; got {y.shape}.")
        if (np.isinf(y) if missing_allowed else ~np.isfinite(y)).any():
            rest = ", or NaN where it is not known" if missing_allowed else ""
            raise ValueError(f"y must be finite{rest}; got {y[~np.isfinite(y)][0]}.")
        return y


def _widened(prior, n):
    """The marginal of y with wider components, in n rows, in standardised units."""
    factors = PRIOR_WIDENING * em.factors_of(prior)
    parts = (np.log(prior.weights), prior.means, factors)
    return Mixture.from_factors(*(np.broadcast_to(part, (n, *part.shape)) for part in parts))
