"""`MDNRegressor`: a mixture density network."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from numbers import Integral, Real
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from condensity import engines, training
from condensity._sklearn_compat import Interval, StrOptions, check_parameters
from condensity.engines import ACTIVATIONS, SOLVERS, TrainingRows
from condensity.estimators.base import AbstractDensityRegressor
from condensity.estimators.blog import BLOG, BLOG_L2
from condensity.estimators.constraints import COMMON, PATH, require_layer_widths, require_scale_bounds
from condensity.models import FitReport, FitTask, MDNModel
from condensity.models.mdn import gaussian_init_fitter, model_and_report, resumable_fit
from condensity.monitor import Progress
from condensity.persistence import saveable
from condensity.random import RandomState, as_generator
from condensity.support import NoSupport
from condensity.warning import warn_user


@saveable("MDNRegressor")
class MDNRegressor(AbstractDensityRegressor):
    """Mixture density network (Bishop 1994): a neural network whose outputs are a mixture of normals for each x.

    Trained by maximum likelihood with a prior on every component's σ, stopped on held-out likelihood, then trained on all
    rows for as long as was best. The defaults are meant to need no tuning; `n_members=10` is slower and better.

    Parameters
    ----------
    n_components : int or 'auto'
        K, of each member. Auto: 10; 20 for one input, one output and 5000 rows or more; for more than three outputs 5, or 1 where
        `covariance_type='auto'` finds that better on held-out rows.
    hidden_layer_sizes : tuple of int or 'auto'
        Auto: (32, 32) for one input; else (128, 128) with the piecewise encoding and (128, 128, 128) without.
    activation : {'silu', 'tanh', 'relu'}
    covariance_type : {'auto', 'full', 'tied', 'diag'}
        How the outputs of a component depend on each other: by regressions that the network learns, by the same ones in every
        component and at every x (those of a linear model's residuals), or not. Auto: 'full' up to three outputs; of more, 'full'
        (if there are 5 rows for each of its regression coefficients) and 'tied' are compared on held-out rows.
    solver : {'auto', 'adamw', 'schedule_free_adamw', 'adam', 'rmsprop'}
        'adamw' (Loshchilov & Hutter 2019) with warm-up, a cosine to 0 over `max_iter`, and a running average of its steps as
        the model; 'schedule_free_adamw' (Defazio et al. 2024) needs no horizon. Auto: the latter for one input.
    numeric_encoding : {'auto', 'piecewise'} or None
        'piecewise' adds a piecewise-linear encoding over quantile bins to every standardised column (Gorishniy et al. 2022).
        Auto compares both on held-out rows where X has several columns, at most 256, and 150 rows, and keeps the better one.
    learning_rate_init : float or 'auto'
    batch_size : int, 'full' or 'auto'
    max_iter : int or 'auto'
        Epochs at most.
    early_stopping : bool
        Stop on held-out likelihood and keep the best parameters. Below 300 rows the number of epochs is chosen by five-fold
        cross-validation; below 20, one normal with a linear mean is fitted.
    validation_fraction : float
        Share of the rows held out; 50 rows at least.
    cv : int, splitter of scikit-learn, iterable of (train, test), or None
        Splits in place of the built-in ones, such as `TimeSeriesSplit()` for rows in order of time; an int is a number of folds
        in row order, or of the `groups` of `fit`. Members of an ensemble take splits in turn.
    n_iter_no_change : int
        Checks without improvement before stopping; the cosine's first quarter is always run.
    tol : float
        Smallest improvement that counts, in nats per row.
    weight_decay : float or 'auto'
        On weight matrices, times the learning rate a step; an L2 penalty in the gradient for 'adam' and 'rmsprop'. Auto: 0.1
        for 'adamw', 0.01 for 'schedule_free_adamw', else 0.
    scale_prior : float
        Multiplies both penalties on σ, which act on every component whatever its weight; 0 switches them off.
    scale_bounds : (float, float), 'auto' or None
        Smallest and largest σ in units of y's scale, by a smooth clamp. Auto: 0.001, or half of y's resolution if that is
        coarser, to e², or more where many rows are far. None is a plain exponential.
    noise : float
        Add noise to inputs and targets that fades to nothing at 70 % of the steps; 1 is 0.2 and 0.1 times
        n^(−1/(4 + d + q)) standard deviations (Rothfuss et al. 2019).
    init : {'quantile', 'xavier', 'gmm'}
        'quantile' spreads the component means over y; 'xavier' is the blog post's uniform start. 'gmm' fits a joint Gaussian
        mixture to the same rows first, as `JointGMMRegressor` does (K from its sweep if 'auto'); the network learns an additive
        correction to its logits, means and log scales, so training starts at the mixture's likelihood.
    n_members : int
        Above 1, an ensemble: networks that each leave out one fold are trained in step, and stop together when the mean
        out-of-fold log density is best. The components of all members form one mixture.
    refit : bool
        Train a single network once more, on all rows, for as many epochs as were best. Of no effect on ensembles, whose
        members are trained on all rows between them, nor with X_val, nor above 200 000 rows, of which few are held out.
    categorical_features : 'from_dtype' or array-like (c,) of str, int or bool
        Columns of X that are categories, in addition to those with a categorical or text dtype: 'category' and text of pandas,
        Categorical, Enum and String of polars, dictionary and text of Arrow. A missing value is a level of its own. A level
        absent from the training table is treated as missing, with a warning.
    y_transform : None, name, MonotoneMap, or functions (forward, inverse) or (forward, inverse, derivative)
        Fit u = t(y), strictly monotone, for targets that are positive, bounded or skewed; distributions are `TransformedMixture`,
        with the Jacobian. Names: 'log', 'log1p', 'logit', 'sqrt'; 'box-cox' and 'yeo-johnson', whose exponents are the likeliest
        for y; 'auto', logarithms where a lognormal is clearly likelier than a normal. NumPy's and SciPy's ufuncs can be saved.
    support_model : 'auto' or None
        Fit a Gaussian mixture to the inputs as well, for out-of-distribution rows (`support`, `in_support`, `outside=` of
        `predict_dist`) and for p(x), p(x, y), p(x | y). None leaves these out.
    fallback : 'auto' or None
        Mix simple distributions into p(y | x) where held-out rows ask for them; see `condensity.fallback`.
    engine : {'auto', 'native', 'reference'} or the name of a registered engine
    random_state : None, int, numpy Generator or RandomState
    n_jobs : int or None
        Members that train at a time, as in scikit-learn: None is 1 unless in `joblib.parallel_config`, −1 all cores. The
        result is the same to the bit.
    warm_start : bool
        Start from the parameters, units and encoding of the last fit.
    checkpoint : path-like or None
        A file in which the fit keeps its state about once a second. If it exists, a fit of the same data and
        hyper-parameters resumes it bit for bit; at the end the file is removed.
    callback : callable or None
        Called about ten times a second with a `condensity.monitor.Progress`; returning True ends the fit, which keeps the
        best so far.
    verbose : int
        1 prints a line of progress a second, higher values more often.

    Attributes
    ----------
    oof_score_samples_ : ndarray (n,)
        Log p(y | x) of every training row under the members fitted without it, in nats per unit of y: an out-of-fold score.
        NaN for rows that all members were trained on, or whose weight is 0. Not saved.
    candidates_ : list of dict
        Recipes tried: 'numeric_encoding', 'covariance_type', 'n_components', 'n_steps', 'held_out_nll' (standardised), 'dropped'
        (early, by successive halving).

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

    model_: MDNModel
    _solver_state: training.SolverState | None = None  # from which `partial_fit` continues; not saved
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **COMMON,
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "covariance_type": [StrOptions({"auto", "full", "tied", "diag"})],
        "solver": [StrOptions({"auto", *SOLVERS})],
        "numeric_encoding": [StrOptions({"auto", "piecewise"}), None],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto", "full"})],
        "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "scale_prior": [Interval(Real, 0, None, closed="left")],
        "scale_bounds": ["array-like", StrOptions({"auto"}), None],
        "noise": [Interval(Real, 0, None, closed="left")],
        "init": [StrOptions({"quantile", "xavier", "gmm"})],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "refit": ["boolean"],
        "checkpoint": PATH,
    }

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        hidden_layer_sizes: int | Sequence[int] | str = "auto",
        activation: str = "silu",
        covariance_type: str = "auto",
        solver: str = "auto",
        numeric_encoding: str | None = "auto",
        learning_rate_init: float | str = "auto",
        batch_size: int | str = "auto",
        max_iter: int | str = "auto",
        early_stopping: bool = True,
        validation_fraction: float = 0.15,
        cv: Any = None,
        n_iter_no_change: int = 8,
        tol: float = 1e-4,
        weight_decay: float | str = "auto",
        scale_prior: float = 1.0,
        scale_bounds: tuple[float, float] | str | None = "auto",
        noise: float = 0.0,
        init: str = "quantile",
        n_members: int = 1,
        refit: bool = True,
        categorical_features: Any = "from_dtype",
        y_transform: Any = None,
        support_model: str | None = "auto",
        fallback: str | None = "auto",
        engine: str = "auto",
        random_state: RandomState = None,
        n_jobs: int | None = None,
        warm_start: bool = False,
        checkpoint: str | PathLike[str] | None = None,
        callback: Callable[[Progress], object] | None = None,
        verbose: int = 0,
    ) -> None:
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
        self.cv = cv
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
        self.fallback = fallback
        self.engine = engine
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.callback = callback
        self.verbose = verbose

    @classmethod
    def from_blog(cls, *, regularised: bool = False, **overrides: Any) -> Self:
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
        decay = {"weight_decay": BLOG_L2} if regularised else {}
        return cls(**{**BLOG, **decay, **overrides})

    def predict_variance_parts(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Aleatoric and epistemic parts of the conditional variance, in squared units of y.

        >>> from condensity import MDNRegressor
        >>> model = MDNRegressor(2, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0.1, 0.9, 2.2, 2.9])
        >>> aleatoric, epistemic = model.predict_variance_parts([[1.0], [2.0]])
        >>> aleatoric.shape, epistemic
        ((2,), array([0., 0.]))

        Parameters
        ----------
        X : array-like or data frame (n, d)

        Returns
        -------
        aleatoric : ndarray (n,) or (n, q)
            Mean of the members' variances: noise that no amount of data removes.
        epistemic : ndarray (n,) or (n, q)
            Variance of the members' means: uncertainty that more data would reduce. 0 for a single network.
        """
        inputs = self._inputs_of(X)
        return self._in_blocks(inputs, lambda rows: self._variance_parts(self.encoder_.standardize(inputs[rows])))

    def _variance_parts(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`predict_variance_parts` of standardised x (n, d)."""
        members = self.model_.predict_members(x, compute=self._compute)
        if self.fallback_ is not None:
            members = [self.fallback_.apply(member, x, compute=self._compute) for member in members]
        parts = [self.target_.restore(member) for member in members]
        means, variances = (np.array([getattr(part, verb)() for part in parts]) for verb in ("mean", "var"))
        return variances.mean(axis=0), means.var(axis=0)

    @property
    def candidates_(self) -> list[dict[str, Any]]:
        """Encodings that were compared."""
        return self.report_.candidates

    @property
    def oof_score_samples_(self) -> np.ndarray:
        """Log p(y | x) of every training row under the members fitted without it, in nats per unit of y, (n,)."""
        if self.report_.validation_log_density is None:
            raise AttributeError("oof_score_samples_ is not saved; a model loaded from a file has none.")
        return self.report_.validation_log_density

    # ----------------------------------------------------------------------------------------------------- fitting
    def fit_model(self, rows: TrainingRows, task: FitTask) -> tuple[MDNModel, FitReport]:
        """Fit standardised rows with the settings of a task; see `AbstractDensityRegressor.fit_model`."""
        if task.validation is not None and not self.early_stopping:
            raise ValueError(
                "X_val and y_val have no use with early_stopping=False; leave them out, or set it to True."
            )
        if self.checkpoint is not None:
            start = None if task.earlier is None else task.earlier.parameters
            tables = (rows, *(() if task.validation is None else (task.validation,)))
            fingerprint = training.fingerprint(engines.resolve("train", self.engine), self._settings(), tables, start)
            task.monitor.checkpoint = training.Checkpoint(self.checkpoint, fingerprint)
        fit = training.fit_mdn(
            self._settings(),
            rows,
            task.rng,
            task.validation,
            compute=task.compute,
            monitor=task.monitor,
            earlier=task.earlier,
            fit_gaussian_init=self._gaussian_init_fitter(),
            cross_fit=self.fallback is not None,
        )
        self._solver_state = None
        return model_and_report(fit, fit.candidates)

    def partial_fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Train for one epoch on rows X (n, d), y (n,) or (n, q) and sample_weight (n,), continuing from the last call or `fit`.

        Units, the network's shape and the solver's state are those of the first call, so its rows should be typical. There
        is no validation check: when to stop is the caller's decision, for example by `score` on rows of their own.

        >>> from condensity import MDNRegressor
        >>> model = MDNRegressor(2, random_state=0)
        >>> for _ in range(2):
        ...     model = model.partial_fit([[0.0], [1.0], [2.0], [3.0]], [0.1, 0.9, 2.2, 2.9])
        >>> model.predict([[1.0]]).shape
        (1,)
        """
        earlier = self._learned() if self.__sklearn_is_fitted__() else None
        state = None if earlier is None else self._solver_state
        if earlier is None:
            self._forget()
        check_parameters(self)
        encoder, target, rows, weights = self._encode_training_data(X, y, sample_weight, earlier)
        fit, self._solver_state = training.train_one_epoch(
            self._settings(),
            rows,
            as_generator(self.random_state, "fit" if state is None else f"fit {state[0]}"),
            None if earlier is None else resumable_fit(**earlier),
            state,
            compute=self._compute,
            fit_gaussian_init=self._gaussian_init_fitter(),
        )
        model, report = model_and_report(fit, [])
        report = replace(report, converged=False, validation_log_density=weights.scatter(fit.held_out_log_density))
        support = (
            NoSupport("the model was fitted by partial_fit alone; call fit") if earlier is None else earlier["support"]
        )
        self._forget(keep_features=True)
        self._learn(encoder, target, model, None, support, report)
        return self

    def check_hyperparameters(self, n: int, d: int) -> None:
        """Refuse or warn of hyper-parameters that n rows of d inputs cannot carry."""
        engines.resolve("train", self.engine)
        require_layer_widths(self.hidden_layer_sizes)
        require_scale_bounds(self.scale_bounds)
        if not isinstance(self.n_components, str) and self.n_components > n:
            warn_user(
                f"n_components={self.n_components} exceeds the number of rows, {n}; most components cannot be learned."
            )

    def row_dtype(self) -> npt.DTypeLike:
        """Floating type in which the engine trains."""
        return engines.resolve("train", self.engine).row_dtype

    def _gaussian_init_fitter(self) -> training.GaussianInitFitter | None:
        if self.init != "gmm":
            return None
        return gaussian_init_fitter(self.n_components, self.validation_fraction, self._compute)

    def _settings(self) -> training.Settings:
        return training.Settings(**{field.name: getattr(self, field.name) for field in fields(training.Settings)})
