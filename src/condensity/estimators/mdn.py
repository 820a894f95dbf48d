"""`MDNRegressor`: a mixture density network."""

from dataclasses import fields
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from condensity import kernels, training
from condensity.estimators.base import AbstractDensityRegressor
from condensity.kernels.reference.network import ACTIVATIONS
from condensity.kernels.reference.optimizer import SOLVERS
from condensity.table import warn_user


class MDNRegressor(AbstractDensityRegressor):
    """Mixture density network (Bishop 1994): a neural network whose outputs are a mixture of normals for each x.

    Trained by maximum likelihood with a prior on every component's σ, by schedule-free AdamW, stopped on held-out
    likelihood with the best parameters kept. The defaults are meant to need no tuning.

    Parameters
    ----------
    n_components : int or 'auto'
        K. Auto: 10, or 20 from 5000 rows on.
    hidden_layer_sizes : tuple of int or 'auto'
        Auto: (32, 32).
    activation : {'silu', 'tanh', 'relu'}
    solver : {'auto', 'schedule_free_adamw', 'adam', 'rmsprop'}
        Auto: schedule-free AdamW (Defazio et al. 2024).
    learning_rate_init : float or 'auto'
    batch_size : int, 'full' or 'auto'
    max_iter : int or 'auto'
        Epochs at most.
    early_stopping : bool
        Stop on held-out likelihood and keep the best parameters. Below 300 rows, K-fold chooses the number of steps and
        all rows are used; below 20, one normal with a linear mean is fitted.
    validation_fraction : float
        Share of the rows held out; 50 rows at least.
    n_iter_no_change : int
        Checks (one every 25 steps) without improvement before stopping.
    tol : float
        What counts as an improvement, in nats per row.
    weight_decay : float
        On weight matrices. Decoupled for AdamW; an L2 penalty in the gradient for 'adam' and 'rmsprop'.
    scale_prior : float
        Multiplies both penalties on σ, which act on every component whatever its weight; 0 switches them off.
    scale_bounds : (float, float), 'auto' or None
        Smallest and largest σ in units of y's scale, by a smooth clamp. Auto: 0.001, or half of y's resolution if that is
        coarser, to e². None is a plain exponential.
    init : {'quantile', 'xavier'}
        'quantile' spreads the component means over y; 'xavier' is the blog post's uniform start.
    engine : {'auto', 'native', 'reference'}
    random_state : None, int, numpy Generator or RandomState

    See Also
    --------
    JointGMMRegressor : fits p(x, y) and conditions it.

    Examples
    --------
    >>> from condensity import MDNRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> problem = make_cross(500, random_state=0)
    >>> model = MDNRegressor(random_state=0).fit(problem.X, problem.y)
    >>> model.predict_quantiles([[1.0]], levels=[0.05, 0.95]).shape
    (1, 2)
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions({"auto", *SOLVERS})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto", "full"})],
        "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "scale_prior": [Interval(Real, 0, None, closed="left")],
        "scale_bounds": ["array-like", StrOptions({"auto"}), None],
        "init": [StrOptions({"quantile", "xavier"})],
        "engine": [StrOptions({"auto", "native", "reference"})],
        "random_state": ["random_state", np.random.Generator],
    }

    def __init__(
        self,
        n_components="auto",
        *,
        hidden_layer_sizes="auto",
        activation="silu",
        solver="auto",
        learning_rate_init="auto",
        batch_size="auto",
        max_iter="auto",
        early_stopping=True,
        validation_fraction=0.15,
        n_iter_no_change=8,
        tol=1e-4,
        weight_decay=0.01,
        scale_prior=1.0,
        scale_bounds="auto",
        init="quantile",
        engine="auto",
        random_state=None,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.weight_decay = weight_decay
        self.scale_prior = scale_prior
        self.scale_bounds = scale_bounds
        self.init = init
        self.engine = engine
        self.random_state = random_state

    @classmethod
    def from_blog(cls, *, regularised=False, **overrides):
        """The network of Warmerdam's *Feed Forward Posteriors* (2017), so that its figures can be reproduced.

        tanh (25, 10), K = 10, Xavier-uniform weights and zero biases, σ = exp without bounds, full-batch RMSProp at 0.01
        for 2000 epochs; no priors, no decay, no early stopping. The likelihood is the correct normal one: the post's
        listed density integrates to .886.

        Parameters
        ----------
        regularised : bool
            Add L2 on the weights, as the post tried.
        **overrides
            Any constructor parameter.
        """
        blog = {
            "n_components": 10,
            "hidden_layer_sizes": (25, 10),
            "activation": "tanh",
            "solver": "rmsprop",
            "learning_rate_init": 0.01,
            "batch_size": "full",
            "max_iter": 2000,
            "early_stopping": False,
            "weight_decay": BLOG_L2 if regularised else 0.0,
            "scale_prior": 0.0,
            "scale_bounds": None,
            "init": "xavier",
        }
        return cls(**{**blog, **overrides})

    def _check_size(self, n, d):
        kernels.resolve_engine(self.engine, operation="train")
        self._check_sequences()
        if self.n_components != "auto" and self.n_components > n:
            warn_user(
                f"n_components={self.n_components} exceeds the number of rows, {n}; most components cannot be learned."
            )

    def _check_sequences(self):
        """Ranges that scikit-learn's declarations cannot express."""
        sizes = self.hidden_layer_sizes
        if not isinstance(sizes, str):
            listed = np.atleast_1d(np.asarray(sizes))
            if listed.ndim != 1 or (listed.size and listed.dtype.kind not in "iu") or (listed < 1).any():
                raise ValueError(f"hidden_layer_sizes must be integers >= 1, such as (32, 32); got {sizes!r}.")
        bounds = self.scale_bounds
        if bounds is not None and not isinstance(bounds, str):
            low_high = np.asarray(bounds)
            numeric = low_high.shape == (2,) and low_high.dtype.kind in "iuf"
            if not numeric or not 0 < low_high[0] < low_high[1] < np.inf:
                raise ValueError(f"scale_bounds must be (low, high) with 0 < low < high; got {bounds!r}.")

    def _fit_standardised(self, rows, rng, validation):
        settings = training.Settings(**{field.name: getattr(self, field.name) for field in fields(training.Settings)})
        return training.fit_mdn(settings, rows, rng, validation, engine=self.engine)

    def _predict_standardised(self, x):
        return training.predict(self._fit, x)


#: Strength of the regularised variant's L2. The post gives no number; this one is large enough to be seen in its figures.
BLOG_L2 = 1e-3
