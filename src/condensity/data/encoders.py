"""Encoders between the user's units and standardised ones: a table to model inputs, targets to model outputs, and back."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from condensity.data.decades import SignedLogs
from condensity.data.scaling import Standardizer
from condensity.data.schema import Schema
from condensity.distributions import Distribution, Mixture, MonotoneMap, TransformedMixture
from condensity.persistence import require_positions, saveable


@saveable("InputEncoder")
@dataclass(frozen=True, eq=False)
class InputEncoder:
    """Encoder of tables as standardised model inputs.

    Attributes
    ----------
    schema : Schema
        Columns of X, and the model inputs that each becomes.
    scaler : Standardizer
        Of the model inputs, in the coordinates of `decades`.
    decades : SignedLogs or None
        Coordinates of model inputs that span decades.
    """

    schema: Schema
    scaler: Standardizer
    decades: SignedLogs | None = None

    @classmethod
    def fit(cls, schema: Schema, inputs: np.ndarray, weight: np.ndarray, *, linear: bool = False) -> "InputEncoder":
        """Encoder by a `schema`, with units learned from its model inputs (n, e) in rows of positive weight (n,).

        It is `linear` or else has logarithmic coordinates where a model input spans decades.
        """
        decades = None if linear else SignedLogs.fit(inputs, weight)
        coordinates = inputs if decades is None else decades.transform(inputs)
        return cls(schema, Standardizer.fit(coordinates, weight), decades)

    def check_loaded(self) -> None:
        """Refuse parts that do not belong together."""
        if self.n_inputs != self.schema.n_encoded:
            raise ValueError("the columns of X and their scales differ in number")
        if self.decades is not None:
            require_positions("columns that span decades", self.decades.columns, self.n_inputs)

    @property
    def n_inputs(self) -> int:
        """Number of model inputs, e."""
        return self.scaler.scale.size

    @property
    def handles_missing(self) -> bool:
        """Whether missing values stay NaN for a model that integrates them out; otherwise column means are imputed."""
        return self.schema.handles_missing

    @property
    def names(self) -> list[str] | None:
        """Names of the model inputs; None where these are the columns of X and have no names."""
        return None if self.schema.is_identity and self.schema.names is None else self.schema.encoded_names

    def standardize(self, inputs: np.ndarray, dtype: npt.DTypeLike = np.float64) -> np.ndarray:
        """Standardised copy, of this `dtype`, of model inputs (n, e); column means are imputed unless NaN is handled."""
        coordinates = inputs if self.decades is None else self.decades.transform(inputs)
        x = self.scaler.transform(coordinates, dtype)
        if not self.handles_missing:
            x[np.isnan(x)] = 0.0
        return x

    def decode(self, x: np.ndarray) -> np.ndarray:
        """Model inputs (…, e) in data units from standardised x (…, e)."""
        coordinates = x * self.scaler.scale + self.scaler.center
        return coordinates if self.decades is None else self.decades.inverse(coordinates)

    @property
    def varying(self) -> np.ndarray:
        """Positions of the model inputs that are not constant in training, (c,)."""
        return np.flatnonzero(~self.scaler.constant)

    def departs(self, inputs: np.ndarray) -> np.ndarray:
        """Rows (n,) of model inputs (n, e) that differ from training in a constant column, or have a level that it had not."""
        departs = self.scaler.departs(inputs)
        of_categories = self.positions_of_categories
        return departs | np.isnan(inputs[:, of_categories]).any(axis=1) if len(of_categories) else departs

    @cached_property
    def positions_of_categories(self) -> np.ndarray:
        """First of the model inputs (c,) of each category; NaN there is a level, or missing value, that fit never saw."""
        return np.array([columns.start for columns in self.schema.encoded_categories.values()], dtype=int)

    def log_units(self, x: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Log of dx/dz of every row of standardised x (n, e), over the observed ones of some columns: (n,).

        A log density per data unit is one per standardised unit less this.
        """
        units = (~np.isnan(x[:, columns])) @ np.log(self.scaler.scale[columns])
        if self.decades is None:
            return units
        return units + self.decades.log_units(x * self.scaler.scale + self.scaler.center, columns)

    def require_numbers(self, verb: str) -> None:
        """Refuse categories and missing-value indicators, over which the density that `verb` needs does not exist.

        Raises
        ------
        ValueError
        """
        schema = self.schema
        if schema.categories:
            label = schema.label(schema.categories[0].column)
            raise ValueError(
                f"{verb} needs X to be numbers alone, and {label} is a category; there is no density over those."
            )
        if schema.indicated:
            raise ValueError(
                f"{verb} needs X without missing values, and {schema.label(schema.indicated[0])} has some; "
                "JointGMMRegressor integrates them out."
            )


@saveable("TargetEncoder")
@dataclass(frozen=True, eq=False)
class TargetEncoder:
    """Encoder of targets as standardised model outputs.

    Attributes
    ----------
    scaler : Standardizer
        Of the targets on the scale of `transform`.
    transform : MonotoneMap or None
        u = t(y), the scale that is modelled.
    names : tuple of str or None
        Of the q outputs, where y has names.
    shape : tuple of int
        Of one row of y as the user gives it: (), (1,) or (q,).
    """

    scaler: Standardizer
    transform: MonotoneMap | None = None
    names: tuple[str, ...] | None = None
    shape: tuple[int, ...] = ()

    def check_loaded(self) -> None:
        """Refuse parts that do not belong together."""
        q = self.n_outputs
        if q < 1 or self.shape not in ((), (q,)) or (not self.shape and q != 1):
            raise ValueError("the shape of y and its scales differ")
        if self.names is not None and (len(self.names) != q or not all(isinstance(name, str) for name in self.names)):
            raise ValueError("the names of y's columns and its scales differ in number")
        if self.transform is not None and not isinstance(self.transform, MonotoneMap):
            raise ValueError("the transform of y is none")

    @property
    def n_outputs(self) -> int:
        """Number of outputs, q."""
        return self.scaler.scale.size

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs: those of y's columns, else y, or y0, y1, …"""
        q = self.n_outputs
        return list(self.names or (["y"] if q == 1 else [f"y{j}" for j in range(q)]))

    def renamed(self, names: tuple[str, ...] | None, shape: tuple[int, ...]) -> "TargetEncoder":
        """The same units for targets that came with other names or in another shape."""
        return replace(self, names=names, shape=shape)

    def transformed(self, y: np.ndarray) -> np.ndarray:
        """Targets y (n, q) on the scale of the transform.

        Raises
        ------
        ValueError
            For targets outside the transform's domain.
        """
        return transformed(self.transform, y)

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Standardised outputs of targets y (n, q) in data units."""
        return self.scaler.transform(self.transformed(y))

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Targets in data units from standardised outputs z (n, q)."""
        return self.untransformed(z * self.scaler.scale + self.scaler.center)

    def untransformed(self, u: np.ndarray) -> np.ndarray:
        """Targets (n, q) in data units from values u (n, q) on the scale of the transform."""
        return u if self.transform is None else self.transform.inverse(u)

    def log_units(self, z: np.ndarray) -> np.ndarray:
        """Log of dy/dz for standardised outputs z (n, q), over the observed ones: (n,).

        A log density per data unit is one per standardised unit less this.
        """
        units = (~np.isnan(z)) @ np.log(self.scaler.scale)
        if self.transform is None:
            return units
        return units - np.nansum(self.transform.log_derivative(self.decode(z)), axis=1)

    def restore(self, dist: Mixture) -> Distribution:
        """The distribution in data units of `dist`, a mixture in standardised units."""
        restored = self.scaler.restore(dist, self.names)
        return restored if self.transform is None else TransformedMixture(restored, self.transform)

    def in_shape(self, y: np.ndarray) -> np.ndarray:
        """Values y per row, (n, q) or (n,), in the shape of the targets that were fitted."""
        return y.reshape(len(y), *self.shape)


def transformed(transform: MonotoneMap | None, y: np.ndarray) -> np.ndarray:
    """Targets y (n, q) on the scale of a transform, after a check of its domain."""
    if transform is None:
        return y
    transform.check(y)
    return transform.forward(y)
