"""Values read from a file, held against the annotations of the class that they are to be fields of."""

from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np


def require_annotated(cls: type, values: dict[str, Any]) -> None:
    """Refuse `values`, by name, that are not of the types that the annotations of the fields of `cls` ask for.

    Lists, tuples and dicts are looked into; an integer is a float, and a bool is neither. Annotations of other kinds, such as
    protocols that are not checked at run time, are left to `check_loaded`.

    Raises
    ------
    ValueError
    """
    annotations = _annotations(cls)
    for name, value in values.items():
        if not matches(value, annotations.get(name, Any)):
            raise ValueError(f"its {name} is of another type")


@lru_cache(maxsize=256)
def _annotations(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def matches(value: Any, annotation: Any) -> bool:
    """Whether a value is of the type that an annotation names.

    Examples
    --------
    >>> matches((1, 2), tuple[int, ...]), matches((1, 2.5), tuple[int, ...]), matches(None, str | None), matches(True, int)
    (True, False, True, False)
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return True
    if annotation in (None, NoneType):
        return value is None
    if origin in (Union, UnionType):
        return any(matches(value, each) for each in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and _tuple_matches(value, arguments)
    if origin is list:
        return isinstance(value, list) and all(matches(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(
            map(matches, (*value, *value.values()), _repeated(arguments, len(value)))
        )
    return _is_instance(value, origin or annotation)


def _repeated(arguments: tuple[Any, ...], n: int) -> list[Any]:
    """The annotation of a dict's n keys, n times, then that of its values."""
    return [arguments[0]] * n + [arguments[1]] * n


def _tuple_matches(value: tuple[Any, ...], arguments: tuple[Any, ...]) -> bool:
    if arguments[-1:] == (...,):
        return all(matches(item, arguments[0]) for item in value)
    return len(value) == len(arguments) and all(map(matches, value, arguments))


def _is_instance(value: Any, cls: Any) -> bool:
    if cls is float:
        return type(value) in (int, float)
    if cls in (bool, int, str, bytes):
        return type(value) is cls
    if cls is np.ndarray:
        return isinstance(value, np.ndarray) and value.dtype != object
    return isinstance(value, cls) if isinstance(cls, type) else True
