"""`JointGMMRegressor`: a Gaussian mixture of (x, y), conditioned on x."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from condensity import em, engines
from condensity._sklearn_compat import Interval, StrOptions, validate_params
from condensity.data.decades import limits_of_decades
from condensity.data.encoders import InputEncoder
from condensity.data.splitting import RowSplit, held_out_splits
from condensity.distributions import Mixture, arguments
from condensity.engines.types import TrainingRows, all_rows
from condensity.estimators import reading
from condensity.estimators.base import AbstractDensityRegressor
from condensity.estimators.blocks import Rows, in_blocks
from condensity.estimators.constraints import COMMON
from condensity.estimators.given import read_given
from condensity.inverse import InputMixture, inputs_of_joint
from condensity.models import FitReport, FitTask, JointModel
from condensity.monitor import Progress
from condensity.persistence import saveable
from condensity.random import RandomState, as_generator
from condensity.support import NoSupport, SupportModel, calibrated, calibration_scores
from condensity.warning import warn_user


@saveable("JointGMMRegressor")
class JointGMMRegressor(AbstractDensityRegressor):
    """Joint Gaussian mixture of inputs and target, fitted by EM; p(y | x) follows exactly by conditioning.

    Missing values (NaN) are allowed in every column of X and y, when fitting and when predicting: they are integrated out.

    Parameters
    ----------
    n_components : int or 'auto'
        K. Auto sweeps 1, 2, 4, … 48 and takes the best by `criterion`; see `selection_`.
    covariance_type : {'auto', 'full', 'tied', 'diag', 'spherical'}
        As in scikit-learn: each component its own matrix; one for all; the columns of a component independent, with variances
        of their own; or with one. Auto is 'full', but with fewer than 20 rows for each column of X and y it takes the best of
        'full', 'tied' and 'diag' and of shrinkages to the diagonal by `criterion`, for a given K too.
    criterion : {'conditional', 'joint', 'bic'}
        Criterion that chooses K and covariances: log p(y | x) or log p(x, y) of held-out rows, or the Bayesian information
        criterion of all rows. Choose 'joint' where p(x), p(x, y) or p(x | y) matter as much as p(y | x): with 'conditional',
        inputs without which held-out y are likelier are one linear regression on the others, and do not shape components.
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
        Share of the rows held out in the sweep (50 at least; five folds below 1000 rows). The final fit uses all rows.
    cv : int, splitter of scikit-learn, iterable of (train, test), or None
        Splits in place of the built-in ones, such as `TimeSeriesSplit()` for rows in order of time; an int is a number of folds
        in row order, or of the `groups` of `fit`.
    categorical_features : 'from_dtype' or array-like (c,) of str, int or bool
        Columns of X that are categories, in addition to those with a categorical or text dtype: 'category' and text of pandas,
        Categorical, Enum and String of polars, dictionary and text of Arrow. A missing value is a level of its own. A level
        absent from the training table is integrated out, with a warning.
    y_transform : None, name, MonotoneMap, or functions (forward, inverse) or (forward, inverse, derivative)
        Fit u = t(y), strictly monotone, for targets that are positive, bounded or skewed; distributions are `TransformedMixture`,
        with the Jacobian. Names: 'log', 'log1p', 'logit', 'sqrt'; 'box-cox' and 'yeo-johnson', whose exponents are the likeliest
        for y; 'auto', logarithms where a lognormal is clearly likelier than a normal. NumPy's and SciPy's ufuncs can be saved.
    support_model : 'auto' or None
        Calibrate the density of the inputs by cross-fits, for `support`, `in_support` and `outside=` of `predict_dist`. None
        leaves these out; p(x) and p(x, y) are there in any case.
    fallback : 'auto' or None
        Mix simple distributions into p(y | x) where held-out rows ask for them; see `condensity.fallback`. `joint_`, `condition`
        and p(x, y) are those of the joint mixture alone.
    engine : {'auto', 'native', 'reference'} or the name of a registered engine
    random_state : None, int, numpy Generator or RandomState
    n_jobs : int or None
        Threads, over numbers of components, starts, and rows of long tables; as in scikit-learn. Changes no bit of the result.
    warm_start : bool
        Start the next `fit` from the parameters of the last one, with its number of components and its units.
    callback : callable, optional
        Called about ten times a second with a `condensity.monitor.Progress`; returning True ends the fit, which keeps its
        current parameters.
    verbose : int
        Lines on the terminal about every 1/verbose seconds.

    Attributes
    ----------
    joint_ : Mixture
        One row over all columns of (x, y), in data units; which `condition`, `marginal` and `predict_inputs` evaluate.
    selection_ : dict of lists or None
        'n_components', 'score' (held-out nats per row or, for 'bic', −BIC/2n) and, where rows are few for the columns,
        'covariance_type' and 'shrinkage' of every candidate; None where nothing was to be chosen.

    See Also
    --------
    MDNRegressor : a neural network for p(y | x) alone.
    condensity.selection.select_n_components : the same sweep for any estimator.

    Examples
    --------
    >>> from condensity import JointGMMRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> problem = make_cross(500, random_state=0)
    >>> model = JointGMMRegressor(n_components=8, random_state=0).fit(problem.X, problem.y)
    >>> model.predict_dist([[0.0], [1.0]])
    <Mixture: 2 rows, 8 components, 1 output>
    >>> model.predict_inputs([1.5]).trusted
    array([ True])
    """

    handles_missing = True

    model_: JointModel

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **COMMON,
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "covariance_type": [StrOptions({"auto", *em.COVARIANCE_TYPES})],
        "criterion": [StrOptions({"conditional", "joint", "bic"})],
        "covariance_prior": [Interval(Real, 0, None, closed="left")],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        covariance_type: str = "auto",
        criterion: str = "conditional",
        covariance_prior: float = 0.01,
        reg_covar: float = 1e-6,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_init: int = 1,
        validation_fraction: float = 0.15,
        cv: Any = None,
        categorical_features: Any = "from_dtype",
        y_transform: Any = None,
        support_model: str | None = "auto",
        fallback: str | None = "auto",
        engine: str = "auto",
        random_state: RandomState = None,
        n_jobs: int | None = None,
        warm_start: bool = False,
        callback: Callable[[Progress], object] | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.criterion = criterion
        self.covariance_prior = covariance_prior
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.tol = tol
        self.n_init = n_init
        self.validation_fraction = validation_fraction
        self.cv = cv
        self.categorical_features = categorical_features
        self.y_transform = y_transform
        self.support_model = support_model
        self.fallback = fallback
        self.engine = engine
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.callback = callback
        self.verbose = verbose

    @cached_property
    def joint_(self) -> Mixture:
        """One row over all columns of (x, y), in data units; outputs with `y_transform` are on its scale."""
        check_is_fitted(self)
        center, scale = self._units()
        return self.model_.mixture().affine(scale, center).named(self._column_names())

    @property
    def selection_(self) -> dict[str, list[Any]] | None:
        """A list for each of 'n_components', 'score' and so on, of every candidate; None where nothing was to be chosen."""
        candidates = self.report_.candidates
        return {key: [each[key] for each in candidates] for key in candidates[0]} if candidates else None

    def marginal(self, columns: int | str | Sequence[int | str]) -> Mixture:
        """Joint distribution of some columns, with nothing given: one row, in data units.

        >>> from condensity import JointGMMRegressor
        >>> JointGMMRegressor(1).fit([[0.0], [1.0], [2.0]], [0.0, 1.1, 1.9]).marginal("y")
        <Mixture: 1 rows, 1 components, 1 output (y)>
        """
        return self.joint_.marginal(columns)

    def condition(self, given: Any) -> Mixture:
        """Distribution of all other columns given values of some: exact.

        Columns are known by name or position: the inputs first (names of X's columns, else 'x0', 'x1', …), then the outputs
        (names of y's columns or of the series, else 'y', or 'y0', 'y1', …). With `y_transform`, outputs are on its scale here,
        and called 'log(y)' and similar.

        Parameters
        ----------
        given : dict or data frame
            From names or positions of columns to values in data units, a number or (n,). NaN in a row: the column is missing
            there, and integrated out. A category is given by name, its values by level; positions count the columns of
            `joint_`, which has one for each level.

        Returns
        -------
        Mixture
            n rows over the columns that are not among the keys, in their order, by name.

        Raises
        ------
        ValueError
            For columns that are unknown or named twice, if none is left, and for infinite values.

        Examples
        --------
        >>> import numpy as np
        >>> from condensity import JointGMMRegressor
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(500, 1))
        >>> model = JointGMMRegressor(1).fit(x, 2.0 * x[:, 0] + rng.normal(size=500))
        >>> model.condition({"y": [0.0, 5.0]}).mean().round(1) + 0.0
        array([0. , 2.1])
        """
        given = read_given(given, self._schema.all_names, self._output_names())
        given = self._schema.expand(given)
        sizes = {np.size(value) for value in given.values() if np.ndim(value)}
        d = self.joint_.n_outputs
        n = max(sizes, default=1)
        keys, values = arguments.given_values(given, n, d, self.joint_.output_names)
        return self._condition(keys, values, [j for j in range(d) if j not in keys])

    def predict_inputs(self, y: npt.ArrayLike) -> InputMixture:  # type: ignore[override]
        """Exact p(x | y), n rows over the inputs that are numbers, for y (n,) or (n, q); NaN, categories are integrated out."""
        check_is_fitted(self)
        d, q = self.encoder_.n_inputs, self.target_.n_outputs
        u = self.target_.transformed(reading.read_lone_target(y, q, missing_allowed=True))
        dist = self._condition(list(range(d, d + q)), u, list(range(d)))
        return inputs_of_joint(dist, self.encoder_, self.support_, self._compute)

    @validate_params({"how": [StrOptions({"mean", "mode", "draw"})]}, prefer_skip_nested_validation=True)
    def impute(
        self, X: Any, *, how: Literal["mean", "mode", "draw"] = "mean", random_state: RandomState = None
    ) -> np.ndarray:
        """Impute missing inputs from their conditional distribution given the observed ones.

        >>> from condensity import JointGMMRegressor
        >>> model = JointGMMRegressor(1).fit([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]], [0.0, 1.1, 1.9])
        >>> model.impute([[1.0, float("nan")]]).round(1)
        array([[1., 2.]])

        Parameters
        ----------
        X : array-like or data frame (n, d), NaN where a value is missing
        how : {'mean', 'mode', 'draw'}
            The conditional mean, the densest point, or a random draw (what keeps the spread of a column).
        random_state : None, int, numpy Generator or RandomState, for draws

        Returns
        -------
        ndarray (n, d), observed values unchanged
        """
        check_is_fitted(self)
        self.encoder_.require_numbers("impute")
        inputs, rng = self._inputs_of(X), as_generator(random_state, "impute")
        x = self.model_.impute(self.encoder_.standardize(inputs), how, rng, compute=self._compute)
        return np.where(np.isnan(inputs), self.encoder_.decode(x), inputs)

    def score_joint(self, X: Any, y: Any) -> np.ndarray:
        """Log p(x, y) of the observed values of every row of X (n, d) and y (n,) or (n, q): (n,), in nats per unit of both."""
        check_is_fitted(self)
        self.encoder_.require_numbers("score_joint")
        inputs = self._inputs_of(X)
        targets = reading.read_known_target(y, self.target_, "y", missing_allowed=True)
        reading.require_same_length("X", inputs, "y", targets)
        columns = self.encoder_.varying
        both = [*columns, *range(inputs.shape[1], inputs.shape[1] + targets.shape[1])]

        def log_density(rows: Rows) -> np.ndarray:
            x, z = self.encoder_.standardize(inputs[rows]), self.target_.encode(targets[rows])
            log_joint = self.model_.log_density(np.column_stack([x[:, columns], z]), both, compute=self._compute)
            return log_joint - self.encoder_.log_units(x, columns) - self.target_.log_units(z)

        return in_blocks(log_density, inputs, lambda: 1)

    def sample_joint(self, n_samples: int = 1, *, random_state: RandomState = None) -> tuple[np.ndarray, np.ndarray]:
        """Draws from p(x, y) by `random_state`: X (n_samples, d) and y (n_samples,) or (n_samples, q), in data units."""
        check_is_fitted(self)
        self.encoder_.require_numbers("sample_joint")
        draws = self.joint_.sample(n_samples, random_state=random_state)[0]
        d = self.encoder_.n_inputs
        return draws[:, :d], self.target_.in_shape(self.target_.untransformed(draws[:, d:]))

    def _condition(self, keys: Sequence[int], values: np.ndarray, target: list[int]) -> Mixture:
        """Mixture of the columns `target` in data units, given values (n, a) in data units."""
        center, scale = self._units()
        constant = np.concatenate([self.encoder_.scaler.constant, self.target_.scaler.constant])
        z = np.where(constant[keys], 0.0, (values - center[keys]) / scale[keys])
        dist = self.model_.condition(keys, z, target, compute=self._compute)
        one = len(target) == 1
        dist = dist.affine(scale[target[0]] if one else scale[target], center[target[0]] if one else center[target])
        names = self.joint_.output_names
        return dist if names is None else dist.named([names[j] for j in target])

    def _units(self) -> tuple[np.ndarray, np.ndarray]:
        """Center and scale of all columns, the inputs first."""
        pairs = (self.encoder_.scaler, self.target_.scaler)
        return np.concatenate([pair.center for pair in pairs]), np.concatenate([pair.scale for pair in pairs])

    def _column_names(self) -> list[str] | None:
        """Names of all columns; None where two are the same, which leaves positions."""
        names = [*self.encoder_.schema.encoded_names, *self._output_names()]
        return names if len(set(names)) == len(names) else None

    def _output_names(self) -> list[str]:
        """Names of the outputs on the scale of the transform."""
        names, transform = self.target_.output_names, self.target_.transform
        return names if transform is None else [f"{transform.name}({name})" for name in names]

    def fit_model(self, rows: TrainingRows, task: FitTask) -> tuple[JointModel, FitReport]:
        """Fit standardised rows with the settings of a task; see `AbstractDensityRegressor.fit_model`."""
        z, d = np.column_stack([rows.x, rows.y]), rows.x.shape[1]
        choice = self._choose(z, rows, task)
        fit = em.fit_joint(
            choice.settings, z, rows.weight, choice.n_components, task.rng,
            start=choice.start, aside=choice.aside, compute=task.compute, monitor=task.monitor,
        )  # fmt: skip
        report = FitReport(
            fit.converged, fit.outcome, fit.n_iter, fit.history, choice.candidates, validation_log_density=choice.log_density
        )  # fmt: skip
        limits = limits_of_decades(rows.x, rows.weight)
        model = JointModel(fit.parameters, d, choice.settings.spec, limits, choice.columns_aside)
        if self.fallback is None or not em.can_repeat(choice.n_components, z.shape[1]):
            return model, report
        if choice.partial_fits is None or self.criterion == "bic":
            rng = as_generator(self.random_state, "fallback")
            splits = held_out_splits(len(z), self.validation_fraction, rng, rows.splitter, min_rows=em.FOLDS_BELOW)
            return model, replace(report, cross_fits=model.cross_fits(rows, splits, task))
        return model, replace(report, cross_fits=[model.cross_fit(rows, *each, task) for each in choice.partial_fits])

    def fit_support(self, model: JointModel, encoder: InputEncoder, rows: TrainingRows, task: FitTask) -> SupportModel:
        """Calibrate the model's own p(x), over the columns that vary for the encoder, on training rows by the task of the fit."""
        refit = model.refit_of_inputs(rows, encoder.varying, compute=task.compute.one_thread)
        density, held_out = model.input_density(encoder.varying), None if task.validation is None else task.validation.x
        scores, weight = calibration_scores(density, refit, rows, task.rng, held_out=held_out, compute=task.compute)
        return calibrated(density, scores, weight, model.output_marginal())

    def without_support(self, model: JointModel, encoder: InputEncoder, reason: str) -> NoSupport:
        """No calibration, for a reason; the marginal of the model is still a density of the encoder's inputs."""
        return NoSupport(reason, model.input_density(encoder.varying))

    def check_hyperparameters(self, n: int, d: int) -> None:
        """Refuse hyper-parameters that n rows of d inputs cannot carry."""
        engines.resolve("gaussian_sums", self.engine)
        needed = em.covariance_bytes(1 if isinstance(self.n_components, str) else self.n_components, d + 1)
        if needed > em.MAX_COVARIANCE_BYTES:
            raise ValueError(
                f"X has {d} columns, whose full covariances would take {needed / 2**30:,.1f} GiB (at most "
                f"{em.MAX_COVARIANCE_BYTES / 2**30:g} are allowed, as EM needs about eight times as much); use fewer columns, "
                "for example by sklearn.decomposition.PCA, or fewer components, or MDNRegressor."
            )
        if self.covariance_type in ("full", "tied") and n <= d:
            warn_user(
                f"X has {n} rows for {d} columns: {self.covariance_type!r} covariances follow them exactly, and other rows get "
                "far too narrow densities. Use covariance_type='auto', which shrinks covariances, or 'diag'."
            )
        if not isinstance(self.n_components, str) and self.n_components > n:
            raise ValueError(
                f"n_components={self.n_components} must not exceed the number of rows, n_samples={n}; "
                "use fewer components or 'auto'."
            )

    def _choose(self, z: np.ndarray, rows: TrainingRows, task: FitTask) -> em.Choice:
        """Covariances and number of components, as in an earlier fit or, where they are 'auto', chosen on held-out rows."""
        settings = em.Settings.of(self)
        if task.earlier is not None:
            return task.earlier.choice_again(settings, z, rows.weight, self.n_components)
        held_out = None if task.validation is None else np.column_stack([task.validation.x, task.validation.y])

        def splits() -> list[RowSplit]:
            if held_out is not None or self.criterion == "bic":
                return [all_rows(len(z))]
            return held_out_splits(len(z), self.validation_fraction, task.rng, rows.splitter, min_rows=em.FOLDS_BELOW)

        return em.InputScreen(
            settings, z, rows.weight, rows.x.shape[1], self.n_components, task.rng,
            draw_splits=splits, held_out=held_out,
            criterion=self.criterion, compute=task.compute, monitor=task.monitor,
        ).choose()  # fmt: skip
