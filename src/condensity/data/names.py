"""Names of columns: of any type, known by their text, and held to those of the fit in number and order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from condensity.data.refusals import decoded
from condensity.warning import warn_user

#: Names that a message about other columns lists at most.
MAX_LISTED = 5


def name_text(name: Any) -> str:
    """Text by which a column is known, the same for 1, 1.0 and '1' and for whatever type its library gives a name.

    Parameters
    ----------
    name : object

    Examples
    --------
    >>> name_text("size"), name_text(np.int64(7)), name_text(("mean", np.int64(7)))
    ('size', '7', "('mean', 7)")
    """
    if isinstance(name, str):
        return str(name)
    if isinstance(name, tuple):
        return str(tuple(part.item() if isinstance(part, np.generic) else part for part in name))
    if isinstance(name, bytes):
        return decoded("A name of a column", name)
    if isinstance(name, (float, np.floating)) and float(name).is_integer():
        name = int(name)
    return str(name)


def label_of(names: Sequence[Any] | None, j: int, *, capital: bool = False) -> str:
    """Column j as messages call it, by its name if it has one.

    Parameters
    ----------
    names : sequence or None
    j : int
    capital : bool
        For the beginning of a sentence.
    """
    return f"{'Column' if capital else 'column'} {j if names is None else repr(names[j])}"


def are_positions(names: Sequence[str] | None) -> bool:
    """Whether columns have no names, or are merely numbered, as pandas numbers those without names.

    Parameters
    ----------
    names : sequence of str or None

    Examples
    --------
    >>> are_positions(None), are_positions(["0", "1"]), are_positions(["1", "0"])
    (True, True, False)
    """
    return names is None or all(name == str(j) for j, name in enumerate(names))


def require_same_columns(
    names: Sequence[str] | None, d: int, fitted: Sequence[str] | None, n_fitted: int, estimator: str
) -> None:
    """Refuse columns that are not those of the fit, by name, order and number.

    Parameters
    ----------
    names, fitted : sequence of str or None
        Names of the columns now and in fit.
    d, n_fitted : int
        Number of columns now and in fit.
    estimator : str
        Its class, for messages, which are those of scikit-learn.

    Raises
    ------
    ValueError

    Warns
    -----
    UserWarning
        Where only one of the two has names, so that order is all that there is to go by.
    """
    if names is not None and fitted is not None:
        if list(names) != list(fitted):
            raise ValueError(_difference(names, fitted))
        return
    if not are_positions(names):
        warn_user(f"X has feature names, but {estimator} was fitted without feature names")
    if not are_positions(fitted):
        warn_user(f"X does not have valid feature names, but {estimator} was fitted with feature names")
    if d != n_fitted:
        raise ValueError(f"X has {d} features, but {estimator} is expecting {n_fitted} features as input.")


def _difference(names: Sequence[str], fitted: Sequence[str]) -> str:
    unseen, missing = sorted(set(names) - set(fitted)), sorted(set(fitted) - set(names))
    message = "The feature names should match those that were passed during fit.\n"
    if unseen:
        message += f"Feature names unseen at fit time:\n{_bullets(unseen)}"
    if missing:
        message += f"Feature names seen at fit time, yet now missing:\n{_bullets(missing)}"
    if not (unseen or missing):
        message += "Feature names must be in the same order as they were in fit.\n"
    return message


def _bullets(names: Sequence[str]) -> str:
    more = ["..."] if len(names) > MAX_LISTED else []
    return "".join(f"- {name}\n" for name in [*names[:MAX_LISTED], *more])


def chosen_columns(categorical_features: npt.ArrayLike, d: int, names: Sequence[Any] | None) -> set[int]:
    """Positions of the columns that were named as categories.

    Parameters
    ----------
    categorical_features : 'from_dtype' or array-like (c,) of names, positions or flags
        A name comes before a position where both would do.
    d : int
    names : sequence (d,) or None
        Names of the columns, of any type.

    Raises
    ------
    ValueError
        For columns that are not there.
    """
    if isinstance(categorical_features, str):
        if categorical_features != "from_dtype":
            raise ValueError(
                f"categorical_features must be 'from_dtype' or a list of columns; got {categorical_features!r}. "
                f"For one column, write [{categorical_features!r}]."
            )
        return set()
    listed = _as_list(categorical_features)
    if listed and all(isinstance(value, (bool, np.bool_)) for value in listed):
        if len(listed) != d:
            raise ValueError(f"categorical_features has {len(listed)} flags for the {d} columns of X.")
        return set(np.flatnonzero(listed).tolist())
    places: dict[Any, int] = {}
    for j, name in enumerate(names or ()):
        places.setdefault(name_text(name), j)
        places[name] = j
    return {_position(value, d, names, places) for value in listed}


def _as_list(values: npt.ArrayLike) -> list[Any]:
    """Entries of an array or list; a name that is a tuple stays one."""
    if hasattr(values, "ravel"):
        return list(values.ravel().tolist())
    return list(values) if isinstance(values, (list, tuple, set, frozenset)) else list(np.ravel(values))


def _position(value: Any, d: int, names: Sequence[Any] | None, places: dict[Any, int]) -> int:
    if value in places:
        return places[value]
    if isinstance(value, (int, np.integer)) and -d <= value < d:
        return int(value) % d
    if name_text(value) in places:
        return places[name_text(value)]
    columns = f"0 to {d - 1}" if names is None else ", ".join(map(repr, names[:12]))
    raise ValueError(f"categorical_features names {value!r}, which is not a column of X; the columns are {columns}.")
