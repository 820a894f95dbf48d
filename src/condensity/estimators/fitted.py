"""Verbs of fitted conditional density estimators: each is a few calls of encoder, model, support and target."""

from collections.abc import Callable
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from condensity._sklearn_compat import allow_in_cross_val_predict
from condensity.compute import Compute
from condensity.data import Schema
from condensity.data.encoders import InputEncoder, TargetEncoder
from condensity.distributions import Distribution
from condensity.estimators import reading
from condensity.estimators.blocks import Rows, in_blocks
from condensity.evaluation.diagnostics import Finding, examine
from condensity.fallback import Fallback, guarded
from condensity.models import ConditionalModel, FitReport
from condensity.persistence import save_model
from condensity.random import RandomState
from condensity.support import OUTSIDE, NoSupport, SupportModel

allow_in_cross_val_predict("predict_dist", "predict_quantiles", "predict_interval")


class FittedDensity:
    """Answers of a fitted p(y | x), from its learned attributes.

    Attributes
    ----------
    encoder_ : InputEncoder
        X ↔ standardised model inputs.
    target_ : TargetEncoder
        y ↔ standardised model outputs.
    model_ : ConditionalModel
        Standardised inputs → mixture of standardised outputs.
    fallback_ : Fallback or None
        Simple distributions that are mixed into its predictions.
    support_ : SupportModel or NoSupport
        Density of the inputs, p-values and gate.
    report_ : FitReport
        Convergence, history and candidates of the fit.
    """

    encoder_: InputEncoder
    target_: TargetEncoder
    model_: ConditionalModel
    fallback_: Fallback | None
    support_: SupportModel | NoSupport
    report_: FitReport
    engine: str
    n_jobs: int | None
    get_params: Callable[..., dict[str, Any]]

    # -------------------------------------------------------------------------------------------------- distributions
    def predict_dist(self, X: Any, *, outside: str = "ignore") -> Distribution:
        """The distribution of y given each row of X.

        Parameters
        ----------
        X : array-like or data frame (n, d)
        outside : {'ignore', 'deficient', 'prior', 'warn', 'raise'}
            Treatment of rows of X where there is no data. 'deficient' multiplies the weights by a gate g(x), so that
            `Distribution.mass` falls from 1 to 0 away from the data, and draws are NaN there; in-distribution rows keep 99 % of
            their mass on average. 'prior' fills the missing mass with the marginal of y, its components twice as wide. 'warn'
            and 'raise' test whether the rows of X, as a batch, are like the calibration rows: they tell of single rows far from
            all of them, and of batches with too many rare rows, in at most 5 % of batches by chance, and change nothing.

        Returns
        -------
        Distribution
            n rows, in data units: a `Mixture` or, with `y_transform`, a `TransformedMixture`.

        Raises
        ------
        sklearn.exceptions.NotFittedError, ValueError

        Examples
        --------
        >>> from condensity import JointGMMRegressor
        >>> from condensity.datasets.synthetic import make_cross
        >>> problem = make_cross(300, random_state=0)
        >>> model = JointGMMRegressor(3, random_state=0).fit(problem.X, problem.y)
        >>> model.predict_dist([[0.0], [1.0]])
        <Mixture: 2 rows, 3 components, 1 output>
        """
        inputs, compute = self._inputs_of(X), self._compute
        if outside == "ignore":
            return self._distribution(inputs)
        x, support = self.encoder_.standardize(inputs), self._support_for_outside(outside)
        dist = self._conditional.predict(x, compute=compute)
        dist = support.apply(dist, x, self.encoder_.departs(inputs), outside, compute=compute)
        return self.target_.restore(dist)

    def predict(self, X: Any) -> np.ndarray:
        """Conditional mean of y for rows X (n, d), in the shape of the fitted y: (n,), (n, 1) or (n, q), in units of y.

        >>> from condensity import JointGMMRegressor
        >>> model = JointGMMRegressor(2, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0.1, 0.9, 2.2, 2.9])
        >>> model.predict([[1.0], [2.0]]).round(1)
        array([1., 2.])
        """
        inputs = self._inputs_of(X)
        return self.target_.in_shape(self._in_blocks(inputs, lambda rows: self._distribution(inputs[rows]).mean()))

    def predict_quantiles(self, X: Any, levels: npt.ArrayLike = (0.05, 0.5, 0.95)) -> np.ndarray:
        """Conditional quantiles (n, m), exact and in units of y, for rows X (n, d) and levels (m,) in [0, 1].

        >>> from condensity import JointGMMRegressor
        >>> model = JointGMMRegressor(2, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0.1, 0.9, 2.2, 2.9])
        >>> model.predict_quantiles([[1.0], [2.0]], levels=[0.1, 0.5, 0.9]).shape
        (2, 3)
        """
        inputs, levels = self._inputs_of(X), np.atleast_1d(levels)
        if levels.ndim > 1:
            return self._distribution(inputs).ppf(levels)
        return self._in_blocks(inputs, lambda rows: self._distribution(inputs[rows]).ppf(levels), width=levels.size)

    def predict_interval(self, X: Any, level: float = 0.9) -> np.ndarray:
        """Central interval (n, 2) of probability `level`, in units of y, for rows X (n, d).

        >>> from condensity import JointGMMRegressor
        >>> model = JointGMMRegressor(2, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0.1, 0.9, 2.2, 2.9])
        >>> model.predict_interval([[1.0], [2.0]], level=0.8).shape
        (2, 2)
        """
        inputs = self._inputs_of(X)
        return self._in_blocks(inputs, lambda rows: self._distribution(inputs[rows]).interval(level), width=2)

    def predict_region(self, X: Any, level: float = 0.9) -> list[np.ndarray]:
        """Highest-density region of probability `level` for rows X (n, d): n arrays (j, 2) of intervals in units of y.

        >>> from condensity import JointGMMRegressor
        >>> model = JointGMMRegressor(2, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0.1, 0.9, 2.2, 2.9])
        >>> model.predict_region([[1.0]], level=0.8)[0].shape
        (1, 2)
        """
        return self.predict_dist(X).region(level)

    def sample(
        self, X: Any, n_samples: int = 1, *, random_state: RandomState = None, outside: str = "ignore"
    ) -> np.ndarray:
        """Draws from p(y | x) for each row of X, (n, n_samples) or, of several outputs, (n, n_samples, q), in units of y.

        An integer `random_state` gives the same draws every time; None gives new ones. `outside` is as for `predict_dist`: with
        'deficient', draws are NaN where there is no data.

        >>> from condensity import JointGMMRegressor
        >>> model = JointGMMRegressor(2, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0.1, 0.9, 2.2, 2.9])
        >>> model.sample([[1.0], [2.0]], 5, random_state=0).shape
        (2, 5)
        """
        return self.predict_dist(X, outside=outside).sample(n_samples, random_state=random_state)

    # --------------------------------------------------------------------------------------------------------- scores
    def score_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """Log p(y | x) of every row of X (n, d) and y (n,) or (n, q): (n,), in nats per unit of y.

        Without y, of the model's own point prediction, `predict(X)`: a measure of how sharp it is. (scikit-learn's contract
        calls every `score_samples` with X alone.)

        >>> from condensity import JointGMMRegressor
        >>> model = JointGMMRegressor(2, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0.1, 0.9, 2.2, 2.9])
        >>> model.score_samples([[1.0], [2.0]], [1.0, 2.5]).round(1)
        array([ 0.7, -2.6])
        """
        inputs = self._inputs_of(X)
        if y is None:
            return self._in_blocks(inputs, lambda rows: (dist := self._distribution(inputs[rows])).logpdf(dist.mean()))
        y = reading.read_known_target(y, self.target_, "y")
        reading.require_same_length("X", inputs, "y", y)
        points = y if y.shape[1] > 1 else y[:, 0]
        return self._in_blocks(inputs, lambda rows: self._distribution(inputs[rows]).logpdf(points[rows]))

    def score(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> float:
        """Mean log p(y | x) of X (n, d) and y (n,) or (n, q), weighted by sample_weight (n,), in nats: larger is better. Not R².

        >>> from condensity import JointGMMRegressor
        >>> model = JointGMMRegressor(2, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0.1, 0.9, 2.2, 2.9])
        >>> model.score([[1.0], [2.0]], [1.0, 2.0]) > model.score([[1.0], [2.0]], [2.0, 1.0])
        True
        """
        return reading.average(self.score_samples(X, y), sample_weight)

    # --------------------------------------------------------------------------------------------------- descriptions
    @cached_property
    def health_(self) -> list[Finding]:
        """Diagnosis of the fitted model, in words with numbers: a list of `condensity.evaluation.diagnostics.Finding`.

        Worked out when first asked for. Empty after `partial_fit`.
        """
        check_is_fitted(self)
        evidence = self.report_.evidence
        if evidence is None:
            return []
        findings = examine(
            evidence,
            lambda x: self.model_.predict(x, compute=self._compute),
            log_scale_bounds=self.model_.log_scale_bounds,
            columns=self.encoder_.names,
            parameters=self.get_params(deep=False),
        )
        return findings if self.fallback_ is None else [*findings, self.fallback_.finding]

    @property
    def target_names_(self) -> list[str]:
        """Names of the outputs: those of y's columns, else y, or y0, y1, …"""
        check_is_fitted(self)
        return self.target_.output_names

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the fitted model to one file, which `condensity.load` reads and which holds no code.

        Callback and checkpoint are left out, as is a random_state that is not an integer.

        Parameters
        ----------
        path : path-like
            Replaced only once the new file is whole and on the disk.

        Returns
        -------
        pathlib.Path
            Absolute.

        Raises
        ------
        sklearn.exceptions.NotFittedError
        OSError
            If the path cannot be written.
        TypeError
            For hyper-parameters that are functions.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> from condensity import JointGMMRegressor, load
        >>> model = JointGMMRegressor(1).fit([[0.0], [1.0], [2.0]], [0.0, 1.1, 1.9])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = model.save(pathlib.Path(folder) / "line.condensity")
        ...     load(path).predict([[1.0]]) == model.predict([[1.0]])
        array([ True])
        """
        check_is_fitted(self)
        return save_model(self, path)

    # --------------------------------------------------------------------------------------------------------- inside
    @property
    def _conditional(self) -> ConditionalModel:
        """The model, its fallback mixed in where there is one."""
        return guarded(self.model_, self.fallback_)

    def _distribution(self, inputs: np.ndarray) -> Distribution:
        """The distribution of y given each row of model inputs (n, e)."""
        return self.target_.restore(self._conditional.predict(self.encoder_.standardize(inputs), compute=self._compute))

    def _in_blocks(self, inputs: np.ndarray, verb: Callable[[Rows], Any], width: int = 1) -> Any:
        """Result (n, …) of a verb of distributions of model inputs (n, e), `width` numbers per row, worked out in blocks."""

        def numbers_per_row() -> int:
            one = self._conditional.predict(self.encoder_.standardize(inputs[:1]), compute=self._compute)
            return sum(part.size for part in one.parameters)

        return in_blocks(verb, inputs, numbers_per_row, width)

    @property
    def _compute(self) -> Compute:
        """Engine and threads of every prediction."""
        return Compute.of(self.engine, self.n_jobs)

    def _support_for(self, verb: str) -> SupportModel:
        """The support model, or the error that says why the verb has none."""
        if isinstance(self.support_, NoSupport):
            self.support_.require(verb)
        return self.support_

    def _support_for_outside(self, outside: str) -> SupportModel:
        """The support model that a value of `outside` other than 'ignore' needs."""
        if outside not in OUTSIDE:
            raise ValueError(f"outside must be one of {', '.join(map(repr, OUTSIDE))}; got {outside!r}.")
        return self._support_for(f"outside={outside!r}")

    @property
    def _schema(self) -> Schema:
        """Columns of X as the fit saw them."""
        check_is_fitted(self)
        return self.encoder_.schema

    def _inputs_of(self, X: Any, name: str = "X", encoder: InputEncoder | None = None) -> np.ndarray:
        """Model inputs (n, e) of a table with the columns of the fit, in data units; during a fit, by its new encoder."""
        schema = self._schema if encoder is None else encoder.schema
        try:
            table = reading.read_inputs(self, X, schema.flags_of_categories, name=name, schema=schema)
            return schema.encode(table)
        except ValueError as error:
            raise ValueError(str(error) if name in str(error) else f"{name}: {error}") from None
