"""Columns of a table by their part in a saved model: inputs, targets, text."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from condensity.data import read_target, require_finite
from condensity.io.read import TableError, require_column


class ModelColumns:
    """The columns that a fitted model takes from a table, and their values as the model takes them.

    Parameters
    ----------
    model : fitted estimator
    """

    def __init__(self, model: Any):
        self.model = model
        self.targets: list[str] = list(model.target_names_)
        names, schema = getattr(model, "feature_names_in_", None), model.encoder_.schema
        self.names: list[str] | None = None if names is None else list(names)
        self._categories = [category.column for category in schema.categories]

    def texts(self, features: Sequence[str]) -> list[str]:
        """Those of the model's `features`, in its order, that are read as text from a text file: the categories."""
        return [features[column] for column in self._categories]

    def features(self, columns: Sequence[str]) -> list[str]:
        """Names of the model's inputs among the columns of a table; all but the targets for a model without names.

        Raises
        ------
        TableError
            If one is missing, or, for a model without names, their number is not that of the fit.
        """
        if self.names is not None:
            for name in self.names:
                require_column(columns, name)
            return self.names
        d = self.model.n_features_in_
        others = [name for name in columns if name not in self.targets]
        if len(others) != d:
            raise TableError(
                f"the model was fitted on {d} columns without names, and the table has {len(others)}; "
                "fit it on a table with names."
            )
        return others

    def require_targets(self, columns: Sequence[str]) -> list[str]:
        """Names of the model's targets.

        Raises
        ------
        TableError
            If one is not among the columns of the table.
        """
        for name in self.targets:
            require_column(columns, name)
        return self.targets

    def inputs(self, table: Any) -> Any:
        """Features, a table (pyarrow.Table (n, d)), as the model takes them: an array for a model without names."""
        if self.names is None:
            return np.column_stack([column.to_numpy() for column in table.columns])
        return table

    def outputs(self, table: Any) -> np.ndarray:
        """Targets in a table (pyarrow.Table) as float64, (n,) for one and (n, q) for several.

        Raises
        ------
        ValueError
            For missing or infinite values, and for columns that are not numbers.
        """
        y = np.asarray(read_target("y", table.select(self.targets)), dtype=float)
        y = y[:, 0] if y.shape[1] == 1 else y
        require_finite("y", y, self.targets)
        return y
