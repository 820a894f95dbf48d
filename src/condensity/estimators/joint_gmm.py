"""`JointGMMRegressor`: a Gaussian mixture of (x, y), conditioned on x."""

from dataclasses import fields, replace
from numbers import Integral, Real
from typing import ClassVar

import numpy as np

from condensity import em, engines
from condensity._sklearn_compat import Interval, StrOptions
from condensity.data.splitting import held_out_splits
from condensity.distributions import MonotoneMap
from condensity.em.component_search import ComponentSearch
from condensity.estimators.joint_base import AbstractJointRegressor


class JointGMMRegressor(AbstractJointRegressor):
    """Joint Gaussian mixture of inputs and target, fitted by EM; p(y | x) follows exactly by conditioning.

    Gaps (NaN) are welcome in every column of X and y, when fitting and when predicting: they are integrated out.

    Parameters
    ----------
    n_components : int or 'auto'
        K. Auto sweeps 1, 2, 4, … 48 and takes the best by `criterion`; see `selection_`.
    covariance_type : {'full', 'tied', 'diag', 'spherical'}
        As in scikit-learn: each component its own matrix; one for all; the columns of a component independent, with variances
        of their own; or with one.
    criterion : {'conditional', 'joint', 'bic'}
        What chooses K: log p(y | x) or log p(x, y) of held-out rows, or the Bayesian information criterion of all rows. Take
        'joint' where p(x), p(x, y) or p(x | y) matter as much as p(y | x).
    covariance_prior : float
        Scale of an inverse-Wishart prior on every covariance, in units of column variance; 0 is maximum likelihood.
    reg_covar : float
        Added to the diagonals, in units of column variance.
    max_iter : int
        EM iterations at most.
    tol : float
        EM stops when the objective changes by less, in nats per row.
    n_init : int
        Starts; the best objective is kept.
    validation_fraction : float
        Share of the rows held out in the sweep (50 at least; five folds below 300 rows). The final fit uses all rows.
    categorical_features : 'from_dtype' or array-like of str, int or bool
        Columns of X that are categories, beside those that say so themselves: 'category' and text of pandas, Categorical, Enum
        and String of polars, dictionary and text of Arrow. A missing value is a level of its own. A level unknown to `fit`
        is integrated out, with a warning.
    y_transform : None, 'log', 'logit', 'auto', MonotoneMap, or functions (forward, inverse) or (forward, inverse, derivative)
        Fit u = t(y), strictly monotone, for targets that are positive, bounded or skewed; distributions are `TransformedMixture`,
        and every density has the Jacobian. 'auto' takes logarithms where y > 0 and a lognormal is clearly likelier than a normal.
        Models with functions of your own cannot be saved.
    support_model : 'auto' or None
        Calibrate the density of the inputs by cross-fits, for `support`, `in_support` and `outside=` of `predict_dist`. None
        leaves these out; p(x) and p(x, y) are there in any case.
    engine : 'auto', 'native', 'reference', or the name of an engine of your own (`condensity.engines.register`)
    random_state : None, int, numpy Generator or RandomState
    n_jobs : int or None
        Threads, over numbers of components, starts, and rows of long tables; as in scikit-learn. Changes no bit of the result.
    warm_start : bool
        Begin the next `fit` where the last one ended, with its number of components and its units.
    callback : callable, optional
        Called about ten times a second with a `condensity.monitor.Progress`; returning True ends the fit, which keeps what it
        has.
    verbose : int
        Lines on the terminal about every 1/verbose seconds.

    Attributes
    ----------
    joint_ : Mixture
        One row over all columns of (x, y), in data units; `condition`, `marginal` and `predict_inputs` ask it.
    selection_ : dict of lists or None
        'n_components' and 'score' of every size tried: held-out nats a row or, for 'bic', −BIC/2n; None when K was given.

    See Also
    --------
    MDNRegressor : a neural network for p(y | x) alone.
    condensity.em.sweep.select_n_components : the same sweep for any estimator.

    Examples
    --------
    >>> from condensity import JointGMMRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> problem = make_cross(500, random_state=0)
    >>> model = JointGMMRegressor(n_components=8, random_state=0).fit(problem.X, problem.y)
    >>> model.predict_dist([[0.0], [1.0]])
    <Mixture: 2 rows, 8 components, 1 output>
    >>> model.predict_inputs([1.5])
    <Mixture: 1 rows, 8 components, 1 output (x0)>
    """

    _handles_missing = True

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "covariance_type": [StrOptions(set(em.COVARIANCE_TYPES))],
        "criterion": [StrOptions({"conditional", "joint", "bic"})],
        "covariance_prior": [Interval(Real, 0, None, closed="left")],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "categorical_features": ["array-like", StrOptions({"from_dtype"})],
        "y_transform": [StrOptions({"log", "logit", "auto"}), MonotoneMap, tuple, list, None],
        "support_model": [StrOptions({"auto"}), None],
        "engine": [str],
        "random_state": ["random_state", np.random.Generator],
        "n_jobs": [Integral, None],
        "warm_start": ["boolean"],
        "callback": [callable, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components="auto",
        *,
        covariance_type="full",
        criterion="conditional",
        covariance_prior=0.01,
        reg_covar=1e-6,
        max_iter=200,
        tol=1e-4,
        n_init=1,
        validation_fraction=0.15,
        categorical_features="from_dtype",
        y_transform=None,
        support_model="auto",
        engine="auto",
        random_state=None,
        n_jobs=None,
        warm_start=False,
        callback=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.criterion = criterion
        self.covariance_prior = covariance_prior
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.tol = tol
        self.n_init = n_init
        self.validation_fraction = validation_fraction
        self.categorical_features = categorical_features
        self.y_transform = y_transform
        self.support_model = support_model
        self.engine = engine
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.callback = callback
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
        """Fit the joint density of X and y; as `AbstractDensityRegressor.fit`, with NaN allowed wherever a value is missing."""
        super().fit(X, y, sample_weight, X_val=X_val, y_val=y_val)
        self.joint_ = self._describe_joint()
        return self

    def _check_loaded(self):
        super()._check_loaded()
        self.joint_ = self._describe_joint()

    def _check_size(self, n, d):
        engines.resolve("gaussian_sums", self.engine)
        needed = em.covariance_bytes(1 if self.n_components == "auto" else self.n_components, d + 1)
        if needed > em.MAX_COVARIANCE_BYTES:
            raise ValueError(
                f"X has {d} columns, whose full covariances would take {needed / 2**30:,.1f} GiB (at most "
                f"{em.MAX_COVARIANCE_BYTES / 2**30:g} are allowed, as EM needs about eight times as much); use fewer columns, "
                "for example by sklearn.decomposition.PCA, or fewer components, or MDNRegressor."
            )
        if self.n_components != "auto" and self.n_components > n:
            raise ValueError(
                f"n_components={self.n_components} must not exceed the number of rows, n_samples={n}; "
                "use fewer components or 'auto'."
            )

    def _fit_standardised(self, rows, rng, validation, goes_on):
        z, n_inputs = np.column_stack([rows.x, rows.y]), rows.x.shape[1]
        monitor = self._monitor()
        settings = self._settings()
        held_out = None if validation is None else np.column_stack([validation.x, validation.y])
        self.selection_ = None
        if goes_on:
            start = self._start_again(z.shape[1])
            n_components, log_density = len(start.weights), None
        elif self.n_components != "auto":
            start, n_components, log_density = None, self.n_components, None
        else:
            search = ComponentSearch(
                settings, z, rows.weight, n_inputs, criterion=self.criterion, monitor=monitor, compute=self._compute()
            )
            splits = self._splits(len(z), held_out, rng)
            n_components, start, log_density, self.selection_ = search.best_size(splits, held_out, rng)
        fit = em.fit_joint(
            settings, z, rows.weight, n_components, rng, start=start, monitor=monitor, compute=self._compute()
        )
        return fit if log_density is None else replace(fit, held_out_log_density=log_density)

    def _settings(self):
        return em.Settings(**{field.name: getattr(self, field.name) for field in fields(em.Settings)})

    def _spec(self):
        return self._settings().spec

    def _splits(self, n, held_out, rng):
        """Pairs (kept, held-out) of row indices; all rows are kept where nothing is to be held out of them."""
        if held_out is not None or self.criterion == "bic":
            return [(np.arange(n), np.arange(0))]
        return held_out_splits(n, self.validation_fraction, rng)

    def _start_again(self, n_columns):
        start = self._fit.parameters
        if start.means.shape[1] != n_columns or self.n_components not in ("auto", len(start.weights)):
            raise ValueError(
                f"warm_start goes on with {len(start.weights)} components over {start.means.shape[1]} columns; got "
                f"n_components={self.n_components!r} and {n_columns} columns. Set warm_start=False to begin anew."
            )
        return start

    def _predict_standardised(self, x):
        d = x.shape[1]
        target = list(range(d, d + self._y_scaler.scale.size))
        return em.conditional(self._fit.parameters, range(d), target, x, compute=self._compute())
