"""`MDNRegressor`: a mixture density network."""

import hashlib
from dataclasses import fields
from numbers import Integral, Real
from os import PathLike
from typing import ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from condensity import engines, training
from condensity._sklearn_compat import Interval, StrOptions, check_parameters
from condensity.distributions import MonotoneMap
from condensity.engines.types import ACTIVATIONS, SOLVERS
from condensity.estimators.base import AbstractDensityRegressor
from condensity.estimators.gmm_base import gaussian_init_fitter
from condensity.estimators.reverse import ReverseVerbs
from condensity.random import as_generator
from condensity.warning import warn_user


class MDNRegressor(ReverseVerbs, AbstractDensityRegressor):
    """Mixture density network (Bishop 1994): a neural network whose outputs are a mixture of normals for each x.

    Trained by maximum likelihood with a prior on every component's σ, stopped on held-out likelihood, then trained on all
    rows for as long as was best. The defaults are meant to need no tuning; `n_members=10` is slower and better.

    Parameters
    ----------
    n_components : int or 'auto'
        K, of each member. Auto: 10; 20 for one input, one output and 5000 rows or more; 5 for more than three outputs.
    hidden_layer_sizes : tuple of int or 'auto'
        Auto: (32, 32) for one input; else (128, 128) with the piecewise encoding and (128, 128, 128) without.
    activation : {'silu', 'tanh', 'relu'}
    covariance_type : {'full', 'diag'}
        Whether the outputs of a component may depend on each other. Of no effect with one output.
    solver : {'auto', 'adamw', 'schedule_free_adamw', 'adam', 'rmsprop'}
        'adamw' (Loshchilov & Hutter 2019) with warm-up, a cosine to 0 over `max_iter`, and a running average of its steps as
        the model; 'schedule_free_adamw' (Defazio et al. 2024) needs no horizon. Auto: the latter for one input.
    numeric_encoding : {'auto', 'piecewise'} or None
        'piecewise' shows the network quantile bins of every column beside its standardised value (Gorishniy et al. 2022).
        Auto tries both where X has several columns and 150 rows, and keeps what is better on held-out rows.
    learning_rate_init : float or 'auto'
    batch_size : int, 'full' or 'auto'
    max_iter : int or 'auto'
        Epochs at most.
    early_stopping : bool
        Stop on held-out likelihood and keep the best parameters. Below 300 rows five folds choose together when; below 20,
        one normal with a linear mean is fitted.
    validation_fraction : float
        Share of the rows held out; 50 rows at least.
    n_iter_no_change : int
        Checks without improvement before stopping; the cosine's first quarter is always run.
    tol : float
        What counts as an improvement, in nats per row.
    weight_decay : float or 'auto'
        On weight matrices, times the learning rate a step; an L2 penalty in the gradient for 'adam' and 'rmsprop'. Auto: 0.1
        for 'adamw', 0.01 for 'schedule_free_adamw', else 0.
    scale_prior : float
        Multiplies both penalties on σ, which act on every component whatever its weight; 0 switches them off.
    scale_bounds : (float, float), 'auto' or None
        Smallest and largest σ in units of y's scale, by a smooth clamp. Auto: 0.001, or half of y's resolution if that is
        coarser, to e². None is a plain exponential.
    noise : float
        Add noise to inputs and targets that fades to nothing at 70 % of the steps; 1 is 0.2 and 0.1 times
        n^(−1/(4 + d + q)) standard deviations (Rothfuss et al. 2019).
    init : {'quantile', 'xavier', 'gmm'}
        'quantile' spreads the component means over y; 'xavier' is the blog post's uniform start. 'gmm' fits a joint Gaussian
        mixture first, as `JointGMMRegressor` does (K from its sweep if 'auto'), and learns what that leaves: each network stands
        on a mixture of the rows that it is trained on, whose likelihood it has before the first step.
    n_members : int
        Above 1, an ensemble: networks that each leave out one fold are trained in step, and stop together when the density
        of the rows under those that did not see them is best. Its components stand side by side in one mixture.
    refit : bool
        Train a single network once more, on all rows, for as many epochs as were best. Of no effect on ensembles, whose
        members have seen all rows between them, nor with X_val.
    categorical_features : 'from_dtype' or array-like of str, int or bool
        Columns of X that are categories, beside those that say so themselves: 'category' and text of pandas, Categorical, Enum
        and String of polars, dictionary and text of Arrow. A missing value is a level of its own. A level unknown to `fit`
        counts as unknown, with a warning.
    y_transform : None, 'log', 'logit', 'auto', MonotoneMap, or functions (forward, inverse) or (forward, inverse, derivative)
        Fit u = t(y), strictly monotone, for targets that are positive, bounded or skewed; distributions are `TransformedMixture`,
        and every density has the Jacobian. 'auto' takes logarithms where y > 0 and a lognormal is clearly likelier than a normal.
        Models with functions of your own cannot be saved.
    support_model : 'auto' or None
        Fit a Gaussian mixture to the inputs as well, which knows where there is no data: `support`, `in_support`, `outside=` of
        `predict_dist`, and p(x), p(x, y), p(x | y). None leaves all that out.
    engine : 'auto', 'native', 'reference', or the name of an engine of your own (`condensity.engines.register`)
    random_state : None, int, numpy Generator or RandomState
    n_jobs : int or None
        Members that train at a time, as in scikit-learn: None is 1 unless in `joblib.parallel_config`, −1 all cores. The
        result is the same to the bit.
    warm_start : bool
        Start from the parameters, units and encoding of the last fit.
    checkpoint : path-like or None
        A file in which the fit keeps its state about once a second. If it exists, a fit of the same data and
        hyper-parameters goes on from it and ends with the bits it would have had; then the file is removed.
    callback : callable or None
        Called about ten times a second with a `condensity.monitor.Progress`; returning True ends the fit, which keeps the
        best so far.
    verbose : int
        1 prints a line of progress a second, higher values more often.

    Attributes
    ----------
    oof_score_samples_ : ndarray (n,)
        Log p(y | x) of every training row under the members that did not see it, in nats per unit of y: an honest score.
        NaN for rows that all have seen, or whose weight is 0.
    candidates_ : list of dict
        Encodings tried: 'numeric_encoding', 'n_steps', 'held_out_nll' (standardised), 'dropped' (fell behind early).

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

    _solver_state: tuple | None  # from which `partial_fit` goes on
    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "covariance_type": [StrOptions({"full", "diag"})],
        "solver": [StrOptions({"auto", *SOLVERS})],
        "numeric_encoding": [StrOptions({"auto", "piecewise"}), None],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto", "full"})],
        "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "scale_prior": [Interval(Real, 0, None, closed="left")],
        "scale_bounds": ["array-like", StrOptions({"auto"}), None],
        "noise": [Interval(Real, 0, None, closed="left")],
        "init": [StrOptions({"quantile", "xavier", "gmm"})],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "refit": ["boolean"],
        "categorical_features": ["array-like", StrOptions({"from_dtype"})],
        "y_transform": [StrOptions({"log", "logit", "auto"}), MonotoneMap, tuple, list, None],
        "support_model": [StrOptions({"auto"}), None],
        "engine": [str],
        "random_state": ["random_state", np.random.Generator],
        "n_jobs": [Integral, None],
        "warm_start": ["boolean"],
        "checkpoint": [str, PathLike, None],
        "callback": [callable, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components="auto",
        *,
        hidden_layer_sizes="auto",
        activation="silu",
        covariance_type="full",
        solver="auto",
        numeric_encoding="auto",
        learning_rate_init="auto",
        batch_size="auto",
        max_iter="auto",
        early_stopping=True,
        validation_fraction=0.15,
        n_iter_no_change=8,
        tol=1e-4,
        weight_decay="auto",
        scale_prior=1.0,
        scale_bounds="auto",
        noise=0.0,
        init="quantile",
        n_members=1,
        refit=True,
        categorical_features="from_dtype",
        y_transform=None,
        support_model="auto",
        engine="auto",
        random_state=None,
        n_jobs=None,
        warm_start=False,
        checkpoint=None,
        callback=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.covariance_type = covariance_type
        self.solver = solver
        self.numeric_encoding = numeric_encoding
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
        self.noise = noise
        self.init = init
        self.n_members = n_members
        self.refit = refit
        self.categorical_features = categorical_features
        self.y_transform = y_transform
        self.support_model = support_model
        self.engine = engine
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.callback = callback
        self.verbose = verbose

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
            "numeric_encoding": None,
            "init": "xavier",
            "refit": False,
            "support_model": None,
        }
        return cls(**{**blog, **overrides})

    def _check_size(self, n, d):
        engines.resolve("train", self.engine)
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

    def predict_variance_parts(self, X):
        """Aleatoric and epistemic parts of the conditional variance.

        Parameters
        ----------
        X : array-like or data frame (n, d)

        Returns
        -------
        aleatoric : ndarray (n,) or (n, q)
            Mean of the members' variances: what they agree cannot be known.
        epistemic : ndarray (n,) or (n, q)
            Variance of the members' means: what more data could settle. 0 for a single network.
        """
        check_is_fitted(self)
        x = self._standardised_inputs(self._check_inputs(X))
        parts = [
            self._restored(part)
            for part in training.predict_members(
                self._fit.parameters, self._fit.network, x, self._fit.gaussian_inits, compute=self._compute()
            )
        ]
        means, variances = (np.array([getattr(part, verb)() for part in parts]) for verb in ("mean", "var"))
        return variances.mean(axis=0), means.var(axis=0)

    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on these rows, going on where the last call, or `fit`, ended.

        Units, the network's shape and the solver's state are those of the first call, so its rows should be typical. There
        is no held-out check: when to stop is the caller's to judge, for example by `score` on rows of their own.

        Parameters
        ----------
        X, y, sample_weight : as in `fit`

        Returns
        -------
        self
        """
        first = not self.__sklearn_is_fitted__()
        if first:
            self._forget()
        check_parameters(self)
        rows = self._standardised_rows(X, y, sample_weight, keep_units=not first)
        earlier, state = (None, None) if first else (self._fit, self._solver_state)
        rng = as_generator(self.random_state, "fit" if state is None else f"fit {state[0]}")
        self._fit, self._solver_state = training.train_one_epoch(
            self._settings(),
            rows,
            rng,
            earlier,
            state,
            compute=self._compute(),
            fit_gaussian_init=self._gaussian_init_fitter(),
        )
        self.n_iter_, self.history_, self.outcome_ = self._fit.n_iter, self._fit.history, self._fit.outcome
        self._health, self._evidence, self.candidates_, self.converged_ = None, None, [], False
        self._proposal = None
        self.oof_score_samples_ = self._in_given_order(self._fit.held_out_log_density)
        return self

    def _fit_standardised(self, rows, rng, validation, goes_on):
        if validation is not None and not self.early_stopping:
            raise ValueError(
                "X_val and y_val have no use with early_stopping=False; leave them out, or set it to True."
            )
        earlier = self._fit if goes_on else None
        fingerprint = self._fingerprint(rows, validation, earlier)
        checkpoint = None if self.checkpoint is None else training.Checkpoint(self.checkpoint, fingerprint)
        fit = training.fit_mdn(
            self._settings(),
            rows,
            rng,
            validation,
            compute=self._compute(),
            monitor=self._monitor(checkpoint),
            earlier=earlier,
            fit_gaussian_init=self._gaussian_init_fitter(),
        )
        self._solver_state = None
        units = self._log_units_of_y(rows.y)
        self.oof_score_samples_ = self._in_given_order(fit.held_out_log_density.astype(np.float64) - units)
        self.candidates_ = fit.candidates
        return fit

    def _gaussian_init_fitter(self):
        if self.init != "gmm":
            return None
        return gaussian_init_fitter(self.n_components, self.validation_fraction, self._compute())

    def _row_dtype(self):
        return engines.resolve("train", self.engine).row_dtype

    def _settings(self):
        return training.Settings(**{field.name: getattr(self, field.name) for field in fields(training.Settings)})

    def _fingerprint(self, rows, validation, earlier):
        """Of everything that decides the bits of a fit, so that a checkpoint is never used for another."""
        if self.checkpoint is None:
            return ""
        engine = engines.resolve("train", self.engine)
        if engine.source_hash is None:
            raise ValueError(f"checkpoint needs the native engine; the {engine.name} engine cannot be resumed.")
        digest = hashlib.sha256(f"{engine.source_hash} {self._settings()}".encode())
        for part in (*rows, *(validation or ()), None if earlier is None else earlier.parameters):
            if part is not None:
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def _predict_standardised(self, x):
        return training.predict(
            self._fit.parameters, self._fit.network, x, self._fit.gaussian_inits, compute=self._compute()
        )


#: Strength of the regularised variant's L2. The post gives no number; this one is large enough to be seen in its figures.
BLOG_L2 = 1e-3
