"""Classes that model files may hold, by the names that files use for them."""

from collections.abc import Callable
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)

#: Name in files → class. A class that is renamed keeps its name here.
SAVEABLE: dict[str, type] = {}


def saveable(name: str) -> Callable[[Class], Class]:
    """Register a class under a name that files use for it.

    Its state is its fields if it is a dataclass or a named tuple. Any other class, or one whose state is not its fields, has
    `saved_state(self) -> dict` and the class method `from_saved_state(cls, **state)`. After loading, `check_loaded()` is
    called, if there is one; it raises ValueError where shapes or ranges are wrong.

    Parameters
    ----------
    name : str
        Unique and permanent.

    Raises
    ------
    ValueError
        If another class has that name.
    """

    def register(cls: Class) -> Class:
        known = SAVEABLE.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"model files know {name!r} as {known.__qualname__}; choose another name.")
        SAVEABLE[name] = cls
        return cls

    return register


def name_in_files(value: Any) -> str | None:
    """Name under which files know the class of a value; None where it is not registered."""
    cls = type(value)
    return next((name for name, known in SAVEABLE.items() if known is cls), None)
