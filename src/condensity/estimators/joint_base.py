"""What a joint mixture of (x, y) can be asked for beside p(y | x): any columns given any others."""

from collections.abc import Mapping

import numpy as np
from sklearn.utils.validation import check_is_fitted

from condensity import em, support
from condensity._sklearn_compat import StrOptions, validate_params
from condensity.compute import Compute
from condensity.distributions import Mixture, arguments
from condensity.estimators.base import AbstractDensityRegressor
from condensity.random import as_generator
from condensity.support import InputDensity


class AbstractJointRegressor(AbstractDensityRegressor):
    """Densities, draws, conditionals and imputations from a joint Gaussian mixture over the columns of (x, y).

    Columns are known by name or position: the inputs first (names of X's columns, else 'x0', 'x1', …), then the outputs (names
    of y's columns or of the series, else 'y', or 'y0', 'y1', …). With `y_transform`, outputs are on its scale here, and called
    'log(y)' and the like.
    """

    joint_: Mixture
    _inputs: InputDensity  # always known: the marginal of the joint mixture
    engine: str
    n_jobs: int | None

    # ------------------------------------------------------------------------------------------------ the joint itself
    def _describe_joint(self):
        """One row over all columns, in data units."""
        weights, means, _ = self._fit.parameters
        center, scale = self._joint_units()
        factors = em.factors_of(self._fit.parameters)
        joint = Mixture.from_factors(
            np.log(weights)[None], (means * scale + center)[None], (scale[:, None] * factors)[None]
        )
        return joint.named(self._joint_names())

    def _joint_units(self):
        pairs = ((getattr(self._x_scaler, part), getattr(self._y_scaler, part)) for part in ("center", "scale"))
        return tuple(np.concatenate(pair) for pair in pairs)

    def _joint_names(self):
        names = [*self._schema.encoded_names, *self.target_names_]
        if self._y_transform is not None:
            d = len(names) - len(self.target_names_)
            names[d:] = [f"{self._y_transform.name}({name})" for name in names[d:]]
        return names if len(set(names)) == len(names) else None  # then positions alone know them

    def marginal(self, columns) -> Mixture:
        """Joint distribution of some columns, with nothing given: one row, in data units."""
        check_is_fitted(self)
        return self.joint_.marginal(columns)

    # ------------------------------------------------------------------------------------------------ any given any
    def condition(self, given) -> Mixture:
        """Distribution of all other columns given values of some: exact.

        Parameters
        ----------
        given : dict or data frame
            From names or positions of columns to values in data units, a number or (n,). NaN says that a column is not known
            in that row, and is integrated out. A category is given by name, its values by level; positions count the columns
            of `joint_`, where it has one for each level.

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
        check_is_fitted(self)
        if not isinstance(given, Mapping) and hasattr(given, "columns"):
            given = {name: np.asarray(given[name]) for name in given.columns}
        if isinstance(given, Mapping):
            given = self._schema.expand(given)
        sizes = {np.size(value) for value in given.values() if np.ndim(value)} if isinstance(given, Mapping) else set()
        d = self.joint_.n_outputs
        n = max(sizes, default=1)
        keys, values = arguments.given_values(given, n, d, self.joint_.output_names)
        rest = [j for j in range(d) if j not in keys]
        return self._given(keys, values, rest)

    def predict_inputs(self, y) -> Mixture:
        """The distribution of the inputs given outputs, p(x | y): exact.

        Parameters
        ----------
        y : float or array-like (n,), or (n, q) for several outputs
            In data units; of several outputs some may be NaN, which are integrated out.

        Returns
        -------
        Mixture
            n rows over the d inputs.
        """
        check_is_fitted(self)
        d, q = self._x_scaler.scale.size, self._y_scaler.scale.size
        return self._given(
            list(range(d, d + q)), self._transformed(self._check_lone_outputs(y, missing_allowed=True)), list(range(d))
        )

    def _given(self, keys, values, rest):
        """Mixture of the columns `rest` in data units, given values (n, a) in data units."""
        center, scale = self._joint_units()
        constant = np.concatenate([self._x_scaler.constant, self._y_scaler.constant])
        z = np.where(constant[keys], 0.0, (values - center[keys]) / scale[keys])
        dist = em.conditional(self._fit.parameters, keys, rest, z, compute=self._compute())
        one = len(rest) == 1
        dist = dist.affine(scale[rest[0]] if one else scale[rest], center[rest[0]] if one else center[rest])
        names = self.joint_.output_names
        return dist.named(None if names is None else [names[j] for j in rest])

    @validate_params({"how": [StrOptions({"mean", "mode", "draw"})]}, prefer_skip_nested_validation=True)
    def impute(self, X, *, how="mean", random_state=None):
        """Fill the gaps of inputs from the distribution of what is missing given what is known.

        Parameters
        ----------
        X : array-like or data frame (n, d)
            NaN where there is a gap.
        how : {'mean', 'mode', 'draw'}
            The conditional mean, the densest point, or a random draw (what keeps the spread of a column).
        random_state : None, int, numpy Generator or RandomState
            For draws.

        Returns
        -------
        ndarray (n, d)
            Known values as they were.
        """
        check_is_fitted(self)
        self._require_plain_columns("impute")
        X = self._check_inputs(X)
        result, rng, d = X.copy(), as_generator(random_state, "impute"), X.shape[1]
        gaps = np.isnan(X)
        patterns, members = np.unique(gaps, axis=0, return_inverse=True)
        for number, missing in enumerate(patterns):
            if not missing.any():
                continue
            rows, known = np.flatnonzero(members.ravel() == number), np.flatnonzero(~missing)
            dist = self._given(list(known), X[np.ix_(rows, known)], [j for j in range(d) if missing[j]])
            fill = {"mean": dist.mean, "mode": dist.mode, "draw": lambda dist=dist: dist.sample(1, random_state=rng)}
            filled = fill[how]()
            result[np.ix_(rows, np.flatnonzero(missing))] = filled.reshape(len(rows), -1)
        return result

    # ------------------------------------------------------------------------------------------------ joint density
    def score_joint(self, X, y):
        """Log p(x, y) of every row, (n,), in nats per unit of X and y; of what a row knows, where it has gaps."""
        check_is_fitted(self)
        self._require_plain_columns("score_joint")
        x, _ = self._look_at(X)
        y = self._standardised_outputs(self._check_known_target(y, "y", missing_allowed=True))
        if len(x) != len(y):
            raise ValueError(f"X and y must have as many rows; got {len(x)} and {len(y)}.")
        columns = self._inputs.columns
        parameters = self._fit.parameters.over([*columns, *range(x.shape[1], x.shape[1] + y.shape[1])])
        log_joint = em.log_density(parameters, np.column_stack([x[:, columns], y]), compute=self._compute())
        return log_joint - self._log_units(x) - self._log_units_of_y(y)

    def sample_joint(self, n_samples=1, *, random_state=None):
        """Draw rows from p(x, y): X (n_samples, d) and y (n_samples,) or, of several outputs, (n_samples, q)."""
        check_is_fitted(self)
        self._require_plain_columns("sample_joint")
        draws = self.joint_.sample(n_samples, random_state=random_state)[0]
        d = self._x_scaler.scale.size
        y = draws[:, d:] if self._y_transform is None else self._y_transform.inverse(draws[:, d:])
        return draws[:, :d], y.reshape(n_samples, *self._y_shape)

    # --------------------------------------------------------------------------------------------- is there data like x?
    def _inputs_of_model(self):
        return self._inputs_under(self._fit.parameters)

    def _inputs_under(self, parameters):
        """The marginal of the inputs that vary."""
        columns, compute = np.flatnonzero(~self._x_scaler.constant), self._compute()
        return InputDensity(parameters.over(columns), columns, self._spec(), compute.engine, compute.n_threads)

    def _fit_support(self, rows, rng, validation):
        """The calibration of the model's own marginal of the inputs, and its marginal of y."""
        z, weight = np.column_stack([rows.x, rows.y]), rows.weight

        def refit(kept):
            start, spec = self._fit.parameters, self._spec()
            return self._inputs_under(
                support.fit_again(z[kept], weight[kept], start, spec, compute=Compute(self.engine))
            )

        known = support.calibrate(
            self._inputs, refit, rows.x, weight, rng,
            held_out=None if validation is None else validation.x, n_threads=self._compute().n_threads,
        )  # fmt: skip
        return known, self._fit.parameters.over(range(rows.x.shape[1], z.shape[1]))
