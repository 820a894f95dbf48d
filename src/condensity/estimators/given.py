"""Values that are given to a joint mixture, by columns of X and y."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from condensity.data.doors import open_table
from condensity.data.frame import column_names, is_frame, take_column
from condensity.data.names import name_text
from condensity.missing import unmasked

#: Names that a message lists at most.
MAX_LISTED = 12


def read_given(given: Any, inputs: Sequence[str], outputs: Sequence[str]) -> dict[Any, Any]:
    """Values by the text of a column's name, or its position; NaN where one is masked.

    Parameters
    ----------
    given : mapping, or table of any library
        From names or positions to values, a number or text or (n,) of them.
    inputs, outputs : sequence of str
        Names of the columns of X, and model inputs, and of y.

    Raises
    ------
    ValueError
        For anything else, for names that are unknown, and for any where a column of X and one of y have the same.
    """
    if not isinstance(given, Mapping):
        given = _columns_of(given)
    values = {_key(key, inputs): unmasked(value) for key, value in given.items()}
    names = [key for key in values if isinstance(key, str)]
    unknown = [key for key in names if key not in {*inputs, *outputs}]
    if unknown:
        listed, columns = ", ".join(map(repr, unknown)), ", ".join([*inputs, *outputs][:MAX_LISTED])
        raise ValueError(f"there is no output {listed}; known: {columns}.")
    shared = [name for name in outputs if name in set(inputs)]
    if shared and names:
        raise ValueError(
            f"X and y have a column of the same name, {shared[0]!r}, so names cannot tell which one is given; give positions, or "
            "fit with another name."
        )
    return values


def _columns_of(given: Any) -> dict[Any, Any]:
    table = open_table("given", given)
    if not is_frame(table):
        raise ValueError(f"given must be a mapping from outputs to values, such as {{0: 1.5}}; got {given!r:.80}.")
    return {name: np.asarray(take_column(table, j)) for j, name in enumerate(column_names(table))}


def _key(key: Any, inputs: Sequence[str]) -> Any:
    """A position as it is, unless columns are named by numbers; the text of any other name."""
    text = name_text(key)
    return key if isinstance(key, (int, np.integer)) and text not in set(inputs) else text
