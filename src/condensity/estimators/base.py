"""Fitting of conditional density estimators: read, encode, fit the model, fit the support, report."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags

from condensity._sklearn_compat import CallbackSupportMixin, check_parameters, with_callbacks
from condensity.data import Schema, warn_about_dependence, warn_about_oddities, warn_about_outliers
from condensity.data.encoders import InputEncoder, TargetEncoder, transformed
from condensity.data.noise import warn_about_missing_noise
from condensity.data.scaling import Standardizer
from condensity.distributions.transforms import make_transform
from condensity.engines.types import TrainingRows
from condensity.estimators import reading
from condensity.estimators.callbacks import begin_fit, progress_hook
from condensity.estimators.fitted_joint import FittedJoint
from condensity.estimators.row_splits import read_splitter
from condensity.evaluation.diagnostics import gather_evidence
from condensity.fallback import Fallback, fit_fallback
from condensity.models import ConditionalModel, FitReport, FitTask
from condensity.monitor import Monitor, Progress
from condensity.persistence import matches, require_annotated
from condensity.random import RandomState, as_generator
from condensity.support import NoSupport, SupportModel, fit_support, rows_for_support, why_unavailable
from condensity.warning import warn_user

#: Hyper-parameters that belong to a session and not to a model; a loaded model has their defaults.
OF_THE_SESSION = ("callback", "checkpoint", "cv")

#: Threads that a file may ask for, at most.
MAX_JOBS = 1024

#: Learned parts of a model, as files hold them → attributes of the estimator.
PARTS = {part: f"{part}_" for part in ("encoder", "target", "model", "fallback", "support", "report")}


class AbstractDensityRegressor(FittedJoint, CallbackSupportMixin, RegressorMixin, BaseEstimator, metaclass=ABCMeta):
    """Fits p(y | x) and predicts a `Distribution` per row. A subclass supplies `fit_model`, and hooks where it needs them.

    Attributes
    ----------
    encoder_, target_, model_, fallback_, support_, report_
        See `condensity.estimators.fitted.FittedDensity`.
    converged_ : bool
        Whether the fit converged; `outcome_` describes how it ended.
    outcome_ : str
        In a sentence with numbers.
    n_iter_ : int
        Epochs or iterations.
    history_ : dict of lists
        Losses along the fit.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.
    """

    #: Whether missing values, those of y too, are integrated out. Else those of X are imputed with column means, beside a
    #: missing-value indicator.
    handles_missing: ClassVar[bool] = False

    cv: Any = None
    callback: Callable[[Progress], object] | None
    categorical_features: Any
    fallback: str | None = None
    random_state: RandomState
    support_model: str | None
    verbose: int
    y_transform: Any

    # ---------------------------------------------------------------------------------------------- for subclasses
    @abstractmethod
    def fit_model(self, rows: TrainingRows, task: FitTask) -> tuple[ConditionalModel, FitReport]:
        """Fit standardised training rows.

        Parameters
        ----------
        rows : TrainingRows
            x (n, d), y (n, q), weights (n,) with mean one. x may be changed in place.
        task : FitTask

        Returns
        -------
        model : ConditionalModel
        report : FitReport
            Its validation_log_density (n,) in standardised units.
        """

    def check_hyperparameters(self, n: int, d: int) -> None:
        """Refuse or warn of hyper-parameters that n rows of d inputs cannot carry."""

    def row_dtype(self) -> npt.DTypeLike:
        """Floating type of standardised inputs and weights: that of the fit."""
        return np.float64

    def fit_support(self, model: Any, encoder: InputEncoder, rows: TrainingRows, task: FitTask) -> SupportModel:
        """Fit and calibrate p(x) on standardised training rows, for a fitted model, its encoder and the task of the fit."""
        held_out = None if task.validation is None else task.validation.x
        return fit_support(rows, ~encoder.scaler.constant, task.rng, held_out=held_out, compute=task.compute)

    def without_support(self, model: Any, encoder: InputEncoder, reason: str) -> NoSupport:
        """The absence of a support model for a fitted model and its encoder, with the reason that errors give."""
        return NoSupport(reason)

    # ----------------------------------------------------------------------------------------------------- fitting
    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: npt.ArrayLike | None = None,
        *,
        groups: Any = None,
        X_val: Any = None,
        y_val: Any = None,
    ) -> Self:
        """Fit the conditional density of y given X.

        Parameters
        ----------
        X : array-like (n, d), or pandas, polars or Arrow table
            Numbers, finite or NaN where a value is missing, and categories (see `categorical_features`).
        y : array-like (n,), (n, 1) or, for several outputs, (n, q)
            Finite numbers; predictions take its shape, and column names, if any, name the outputs of distributions.
        sample_weight : array-like (n,), optional
            Not negative; a weight of 0 is the same as an absent row.
        groups : array-like (n,) of hashable labels, optional
            Rows that belong together, such as the visits of a patient, where predictions are for other patients: rows of the
            same label are never on both sides of a split. Splits are of groups, in five folds if there are fewer than 300.
        X_val, y_val : array-like (v, d), (v,) or (v, q), optional
            Your own validation rows: they replace the splits that choose by held-out rows, and calibrate `support`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad hyper-parameters and bad data, naming the argument and the column; for `cv` with X_val and y_val; for splits
            of `cv` that have rows of a group on both sides.

        Warns
        -----
        ConvergenceWarning
            When the fit did not converge; at Ctrl-C too, which keeps the best model so far, if there is one.
        UserWarning
            For constant or repeated columns, a constant target or one without noise, mostly repeated rows, and targets far
            from the rest; and for rows that seem to belong together, where neither `groups`, `cv` nor X_val is given.
        """
        earlier = self._learned() if getattr(self, "warm_start", False) and self.__sklearn_is_fitted__() else None
        self._forget(keep_features=earlier is not None)
        check_parameters(self)
        context = begin_fit(self, X, y)
        encoder, target, rows, weights = self._encode_training_data(X, y, sample_weight, earlier)
        validation = self._encode_validation_data(X_val, y_val, encoder, target)
        rows = rows._replace(splitter=read_splitter(self.cv, X, y, groups, weights, validated=validation is not None))
        if rows.splitter is None and validation is None:
            warn_about_dependence(rows.x, rows.y, encoder.names)
        rows_of_support = self._rows_for_support(rows)
        task = FitTask(
            as_generator(self.random_state, "fit"),
            validation,
            None if earlier is None else earlier["model"],
            self._monitor(),
            self._compute,
        )
        model, report = self.fit_model(rows, task)
        standardised = report.log_density_of(rows)
        evidence = gather_evidence(rows, report.outcome, converged=report.converged, held_out_log_density=standardised)
        fallback, standardised = self._fit_fallback(rows, target, report, standardised.astype(float), task)
        log_density = weights.scatter(standardised - target.log_units(rows.y))
        support = self._fit_support(model, encoder, rows_of_support, task)
        self._learn(encoder, target, model, fallback, support, report.with_training_rows(evidence, log_density))
        serious = [each for each in evidence.findings if each.serious and each.name != "held-out rows"]
        if serious:
            said = [finding.sentence for finding in serious]
            said += [fallback.sentence] if fallback is not None and fallback.finding.serious else []
            warn_user(" ".join(said), ConvergenceWarning)
        if context is not None:
            context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def _encode_training_data(
        self, X: Any, y: Any, sample_weight: Any, earlier: dict[str, Any] | None
    ) -> tuple[InputEncoder, TargetEncoder, TrainingRows, reading.Weights]:
        """Encoders, learned or those of an earlier fit, and standardised training rows."""
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        schema = None if earlier is None else earlier["encoder"].schema
        categories = self.categorical_features if schema is None else schema.flags_of_categories
        table = reading.read_inputs(self, X, categories, schema=schema)
        schema = schema or Schema.fit(table, handles_missing=self.handles_missing)
        inputs = schema.encode(table)
        targets = reading.read_training_target(y, missing_allowed=self.handles_missing)
        weights = reading.read_weights(inputs, targets.values, sample_weight, handles_missing=self.handles_missing)
        inputs, values = weights.select(inputs), weights.select(targets.values)
        self.check_hyperparameters(*inputs.shape)
        if earlier is None:
            transform = make_transform(self.y_transform, values, weights.values)
            u = transformed(transform, values)
            encoder = InputEncoder.fit(schema, inputs, weights.values, linear=self.handles_missing)
            target = TargetEncoder(Standardizer.fit(u, weights.values), transform, targets.names, targets.shape)
        else:
            encoder = earlier["encoder"]
            target = earlier["target"].renamed(targets.names, targets.shape)
            if values.shape[1] != target.n_outputs:
                raise ValueError(f"y must have {target.n_outputs} columns, as before; got {values.shape[1]}.")
            u = target.transformed(values)
        warn_about_oddities(inputs, values, encoder.scaler.constant, encoder.names)
        dtype = self.row_dtype()
        rows = TrainingRows(
            encoder.standardize(inputs, dtype), target.scaler.transform(u), weights.values.astype(dtype, copy=False)
        )
        warn_about_outliers(rows.y)
        warn_about_missing_noise(rows.x, rows.y, target.output_names)
        return encoder, target, rows, weights

    def _encode_validation_data(
        self, X_val: Any, y_val: Any, encoder: InputEncoder, target: TargetEncoder
    ) -> TrainingRows | None:
        """Standardised rows of the caller's validation data, or None."""
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise ValueError(
                f"Give both X_val and y_val, or neither; {'X_val' if X_val is None else 'y_val'} is missing."
            )
        x = encoder.standardize(self._inputs_of(X_val, "X_val", encoder))
        y = reading.read_known_target(y_val, target, "y_val")
        reading.require_same_length("X_val", x, "y_val", y)
        return TrainingRows(x, target.encode(y), np.ones(len(y)))

    def _fit_fallback(
        self, rows: TrainingRows, target: TargetEncoder, report: FitReport, log_density: np.ndarray, task: FitTask
    ) -> tuple[Fallback | None, np.ndarray]:
        """The fallback, if held-out rows ask for one, and the log density (n,) of training rows under models without them."""
        cross_fits = [each for each in report.cross_fits if len(each.held_out.y)]
        if self.fallback is None or not cross_fits:
            return None, log_density
        rng = as_generator(self.random_state, "fallback")
        decode = None if target.transform is None else target.decode
        fallback, guarded = fit_fallback(rows, cross_fits, rng, decode=decode, compute=task.compute.one_thread)
        if fallback is None or cross_fits[0].rows is None:
            return fallback, log_density
        result = np.full(len(rows.y), np.nan)
        result[np.concatenate([each.rows for each in cross_fits])] = guarded
        return fallback, result

    def _rows_for_support(self, rows: TrainingRows) -> TrainingRows | None:
        """Copy of the rows that the support model is fitted to; None where there will be none."""
        if self.support_model is None or why_unavailable(rows.x.shape[1]):
            return None
        return rows_for_support(rows)

    def _fit_support(
        self, model: ConditionalModel, encoder: InputEncoder, rows: TrainingRows | None, task: FitTask
    ) -> SupportModel | NoSupport:
        """The support model, or the reason why there is none."""
        if self.support_model is None:
            reason = "the model was fitted with support_model=None; fit it with support_model='auto'"
            return self.without_support(model, encoder, reason)
        if rows is None:
            reason = f"{why_unavailable(encoder.n_inputs)}; leave columns out, for example by sklearn.decomposition.PCA"
            return self.without_support(model, encoder, reason)
        try:
            return self.fit_support(model, encoder, rows, task._replace(rng=as_generator(self.random_state, "support")))
        except KeyboardInterrupt:
            warn_user("Interrupted while the density of the inputs was fitted: support(X) is not available.")
            return self.without_support(model, encoder, "the fit was interrupted before it")

    def _monitor(self) -> Monitor:
        """Monitor of one fit: lines on the terminal, the callback, scikit-learn's callbacks."""
        return Monitor(self.callback, verbose=self.verbose, hook=progress_hook(self))

    def _learn(
        self,
        encoder: InputEncoder,
        target: TargetEncoder,
        model: ConditionalModel,
        fallback: Fallback | None,
        support: SupportModel | NoSupport,
        report: FitReport,
    ) -> None:
        self.encoder_, self.target_, self.model_, self.fallback_ = encoder, target, model, fallback
        self.support_, self.report_ = support, report

    def _learned(self) -> dict[str, Any]:
        """The learned parts, by the names that files use."""
        return {part: getattr(self, attribute) for part, attribute in PARTS.items()}

    def _forget(self, *, keep_features: bool = False) -> None:
        """Drop what an earlier fit learned, so that a failed fit leaves nothing half-fitted."""
        kept = {"n_features_in_", "feature_names_in_"} if keep_features else set()
        learned = [name for name in vars(self) if name.endswith("_") and not name.startswith("_") and name not in kept]
        for name in [*learned, "_inverse_model"]:
            self.__dict__.pop(name, None)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "report_")

    # --------------------------------------------------------------------------------------------------- the report
    @property
    def converged_(self) -> bool:
        """Whether the fit converged."""
        return self.report_.converged

    @property
    def outcome_(self) -> str:
        """How the fit ended, in a sentence with numbers."""
        return self.report_.outcome

    @property
    def n_iter_(self) -> int:
        """Epochs or iterations of the fit."""
        return self.report_.n_iter

    @property
    def history_(self) -> dict[str, list[Any]]:
        """Losses along the fit."""
        return self.report_.history

    # ------------------------------------------------------------------------------------------------------- files
    def saved_state(self) -> dict[str, Any]:
        """State that a file holds: hyper-parameters and, if fitted, the learned parts."""
        params = {name: value for name, value in self.get_params(deep=False).items() if name not in OF_THE_SESSION}
        if not (params.get("random_state") is None or isinstance(params["random_state"], (int, np.integer))):
            params["random_state"] = None  # a generator has moved on since
        if not self.__sklearn_is_fitted__():
            return {"params": params}
        names = getattr(self, "feature_names_in_", None)
        return {"params": params, "feature_names": None if names is None else tuple(names), **self._learned()}

    @classmethod
    def from_saved_state(
        cls, params: dict[str, Any], feature_names: tuple[str, ...] | None = None, **learned: Any
    ) -> Self:
        """An estimator from its saved state: hyper-parameters `params`, `feature_names` of X and the `learned` parts.

        Without learned parts the estimator is unfitted.

        Raises
        ------
        ValueError, TypeError
            For parts that are missing or do not belong together.
        """
        if smuggled := set(params) & set(OF_THE_SESSION):  # a checkpoint is a path that the next fit would write
            raise ValueError(f"{min(smuggled)} is a matter of the session and not of a file")
        estimator = cls(**params)
        check_parameters(estimator)
        if abs(params.get("n_jobs") or 1) > MAX_JOBS:
            raise ValueError(f"n_jobs must be at most {MAX_JOBS}")
        if not learned:
            return estimator
        if set(learned) != set(PARTS):
            raise ValueError("parts are missing")
        require_annotated(cls, {PARTS[part]: value for part, value in learned.items()})
        estimator._learn(**learned)
        estimator._require_matching_parts()
        estimator.n_features_in_ = estimator.encoder_.schema.n_features
        if feature_names is not None:
            if not matches(feature_names, tuple[str, ...]) or len(feature_names) != estimator.n_features_in_:
                raise ValueError("the columns of X and their names differ in number")
            estimator.feature_names_in_ = np.asarray(feature_names, dtype=object)
        return estimator

    def _require_matching_parts(self) -> None:
        """Refuse parts of different shapes."""
        d, q, density = self.encoder_.n_inputs, self.target_.n_outputs, self.support_.density
        if (self.model_.n_inputs, self.model_.n_outputs) != (d, q):
            raise ValueError("the model has other inputs or outputs than its encoders")
        if self.encoder_.handles_missing != self.handles_missing:
            raise ValueError("the encoder is that of another estimator")
        if q > reading.MAX_OUTPUTS:
            raise ValueError(f"there must be at most {reading.MAX_OUTPUTS} outputs")
        if self.fallback_ is not None and (self.fallback_.linear.n_inputs, self.fallback_.linear.n_outputs) != (d, q):
            raise ValueError("the fallback has other inputs or outputs")
        if density is not None and len(density.columns) and density.columns[-1] >= d:
            raise ValueError("the density of the inputs is over other columns")
        if isinstance(self.support_, SupportModel) and self.support_.prior.means.shape[1] != q:
            raise ValueError("the marginal of y is over other outputs")
        evidence = self.report_.evidence
        if evidence is not None and evidence.x.shape[1:] != (d,):
            raise ValueError("the evidence of the fit is about other inputs")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.regressor_tags.poor_score = True  # the score is a log density, where scikit-learn expects R²
        return tags
