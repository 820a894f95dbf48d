"""The columns of a table in a file by their part in a fit."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from condensity.cli.options import Columns
from condensity.io.errors import TableError
from condensity.io.options import NO_OPTIONS, ReadingOptions
from condensity.io.read import feature_names, numeric_column, require_column
from condensity.io.stream import TableReader, display_name, on_disk


class TrainingTable(NamedTuple):
    """What a model is fitted to.

    Attributes
    ----------
    X, y : pyarrow.Table (n, d), (n, q)
    weight : ndarray (n,) or None
        Sample weights.
    groups : list (n,) or None
        Labels of rows that belong together.
    decisions : str
        What was found out about a text file, in one line; '' for other files.
    """

    X: Any
    y: Any
    weight: np.ndarray | None
    groups: list[Any] | None
    decisions: str


def read_training_table(data: str, columns: Columns, reading: ReadingOptions = NO_OPTIONS) -> TrainingTable:
    """The parts that `columns` names of a table at the path `data`, or '-' for stdin; a text file is read as `reading` says.

    Raises
    ------
    TableError
        For whatever is wrong with the file or its columns.
    """
    weights, groups = ([] if name is None else [name] for name in (columns.weights, columns.groups))
    with on_disk(data) as path:
        reader = TableReader(path, reading, display_name(data))
        others = [*weights, *groups, *_excluded(reader.names, columns)]
        features = feature_names(reader.names, columns.targets, columns.features, others)
        table = reader.read(
            [*features, *columns.targets, *weights, *groups],
            texts=[*(columns.categories or ()), *groups],
            numbers=[*columns.targets, *weights],
        )
    if not table.num_rows:
        raise TableError("the table has a header but no rows.")
    return TrainingTable(
        table.select(features),
        table.select(columns.targets),
        numeric_column(table, weights[0]) if weights else None,
        _labels(table.column(groups[0]).to_pylist()) if groups else None,
        reader.decisions,
    )


def _excluded(names: Sequence[str], columns: Columns) -> list[str]:
    """The columns to exclude from those of a table, which have no other part."""
    for name in columns.exclude or ():
        require_column(names, name)
        if name in (*columns.targets, *(columns.features or ())):
            raise TableError(f"column {name!r} is excluded, so it can be neither target nor feature; name it once.")
    return list(columns.exclude or ())


def _labels(labels: list[Any]) -> list[Any]:
    """Labels of groups; whole numbers that a text file holds as numbers, so that groups have the order they have elsewhere."""
    is_whole = all(isinstance(label, str) and label.isdecimal() and str(int(label)) == label for label in labels)
    return [int(label) for label in labels] if is_whole else labels
