"""`JointGMMRegressor`: a Gaussian mixture of (x, y), conditioned on x."""

from dataclasses import fields
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from condensity import em, kernels
from condensity.estimators.base import AbstractDensityRegressor
from condensity.selection import candidate_sizes, sweep
from condensity.splitting import held_out_splits


class JointGMMRegressor(AbstractDensityRegressor):
    """Joint Gaussian mixture of inputs and target, fitted by EM; p(y | x) follows exactly by conditioning.

    Parameters
    ----------
    n_components : int or 'auto'
        K. Auto sweeps 1, 2, 4, … 48 and takes the best held-out conditional log density; see `selection_`.
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
    engine : {'auto', 'native', 'reference'}
    random_state : None, int, numpy Generator or RandomState

    Attributes
    ----------
    selection_ : dict of lists or None
        'n_components' and 'score' (held-out mean of log p(y | x)) of every size tried; None when K was given.

    See Also
    --------
    MDNRegressor : a neural network for p(y | x) alone.

    Examples
    --------
    >>> from condensity import JointGMMRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> problem = make_cross(500, random_state=0)
    >>> model = JointGMMRegressor(n_components=8, random_state=0).fit(problem.X, problem.y)
    >>> model.predict_dist([[0.0], [1.0]])
    <Mixture: 2 rows, 8 components, 1 output>
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "covariance_prior": [Interval(Real, 0, None, closed="left")],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "engine": [StrOptions({"auto", "native", "reference"})],
        "random_state": ["random_state", np.random.Generator],
    }

    def __init__(
        self,
        n_components="auto",
        *,
        covariance_prior=0.01,
        reg_covar=1e-6,
        max_iter=200,
        tol=1e-4,
        n_init=1,
        validation_fraction=0.15,
        engine="auto",
        random_state=None,
    ):
        self.n_components = n_components
        self.covariance_prior = covariance_prior
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.tol = tol
        self.n_init = n_init
        self.validation_fraction = validation_fraction
        self.engine = engine
        self.random_state = random_state

    def _check_size(self, n, d):
        kernels.resolve_engine(self.engine, operation="fit_gmm")
        needed = em.covariance_bytes(1 if self.n_components == "auto" else self.n_components, d)
        if needed > em.LARGEST_COVARIANCES:
            raise ValueError(
                f"X has {d} columns, whose full covariances would take {needed / 2**30:,.1f} GiB (at most "
                f"{em.LARGEST_COVARIANCES / 2**30:g} are allowed, as EM needs about eight times as much); use fewer columns, "
                "for example by sklearn.decomposition.PCA, or fewer components, or MDNRegressor."
            )
        if self.n_components != "auto" and self.n_components > n:
            raise ValueError(
                f"n_components={self.n_components} must not exceed the number of rows, n_samples={n}; "
                "use fewer components or 'auto'."
            )

    def _fit_standardised(self, rows, rng, validation, goes_on):
        settings = em.Settings(**{field.name: getattr(self, field.name) for field in fields(em.Settings)})
        if self.n_components != "auto":
            self.selection_ = None
            return em.fit_joint(settings, rows, self.n_components, rng)
        n_components, start, self.selection_ = self._choose_size(settings, rows, rng, validation)
        return em.fit_joint(settings, rows, n_components, rng, start)

    def _choose_size(self, settings, rows, rng, validation):
        """Sweep the number of components by held-out conditional log density: the best, its parameters, the table.

        The final fit starts from the parameters that won: a fresh start may end in a worse optimum than the one scored.
        """
        if validation is None:
            splits = held_out_splits(len(rows.y), self.validation_fraction, rng)
            pairs = [(rows.take(kept), rows.take(held_out)) for kept, held_out in splits]
        else:
            pairs = [(rows, validation)]

        starts = {}

        def score(size):
            fits = [em.fit_joint(settings, kept, size, rng) for kept, _ in pairs]
            scores = [em.held_out_score(fit, held_out) for fit, (_, held_out) in zip(fits, pairs, strict=True)]
            starts[size] = fits[int(np.argmax(scores))].parameters
            return np.mean(scores)

        sizes = candidate_sizes(min(len(kept.y) for kept, _ in pairs))
        fitting = [k for k in sizes if em.covariance_bytes(k, rows.x.shape[1]) <= em.LARGEST_COVARIANCES]
        best, table = sweep(score, fitting)
        return best, starts[best], table

    def _predict_standardised(self, x):
        return em.predict(self._fit.parameters, x)
