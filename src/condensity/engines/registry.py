"""Engines by name, and the choice among them."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from condensity.compute import Compute, current
from condensity.engines.api import OPERATIONS, Engine
from condensity.engines.reference import ReferenceEngine

try:
    from condensity.engines.native import NativeEngine
except ModuleNotFoundError:  # a checkout that was never built; every operation has a reference
    NativeEngine = None  # type: ignore[assignment, misc]

#: The environment variable that names the engine where "auto" leaves the choice open.
ENGINE_VARIABLE = "CONDENSITY_ENGINE"

#: Engines that "auto" tries, the preferred one first.
AUTO_ORDER = ("native", "reference")

_ENGINES: dict[str, Engine] = {}


def register(engine: Engine) -> Engine:
    """Make an engine known by its name, for `engine=` of estimators and for CONDENSITY_ENGINE.

    Parameters
    ----------
    engine : Engine
        It may lack operations; asking for one of these by the engine's name is an error.

    Raises
    ------
    ValueError
        If the name is taken.

    Examples
    --------
    >>> from condensity.engines import ReferenceEngine, register, resolve, unregister
    >>> class Mine(ReferenceEngine):
    ...     name = "mine"
    >>> mine = register(Mine())
    >>> resolve("train", "mine") is mine
    True
    >>> unregister("mine")
    """
    if engine.name in (*_ENGINES, *AUTO_ORDER, "auto"):
        raise ValueError(f"there is an engine of the name {engine.name!r}; give yours another, or unregister that one.")
    _ENGINES[engine.name] = engine
    return engine


def unregister(name: str) -> None:
    """Forget the engine registered under `name`.

    Raises
    ------
    ValueError
        For the engines that are part of condensity, and names that are not registered.
    """
    if name in AUTO_ORDER or name not in _ENGINES:
        raise ValueError(f"{name!r} is not the name of a registered engine.")
    del _ENGINES[name]


def native_available() -> bool:
    """Whether the compiled extension can be imported."""
    return "native" in _ENGINES


def resolve(operation: str, engine: str = "auto") -> Engine:
    """The engine that runs an operation.

    Parameters
    ----------
    operation : str
        A method of `Engine`, such as "mixture_logpdf".
    engine : str
        A name. "auto" leaves the choice to the environment variable CONDENSITY_ENGINE; where that is unset or "auto", it is
        the native engine if that has the operation, else the reference.

    Raises
    ------
    ValueError
        If there is no engine of that name, if no engine has the operation, or if the named engine lacks it.

    Examples
    --------
    >>> resolve("mixture_logcdf", "reference").name
    'reference'
    """
    named_by_environment = os.environ.get(ENGINE_VARIABLE) if engine == "auto" else None
    if not named_by_environment:
        return _resolve(operation, engine)
    try:
        return _resolve(operation, named_by_environment)
    except ValueError as error:
        raise ValueError(f"{ENGINE_VARIABLE}={named_by_environment}: {error}") from None


def _resolve(operation: str, name: str) -> Engine:
    names = ["auto", *AUTO_ORDER, *(each for each in _ENGINES if each not in AUTO_ORDER)]
    if name not in names:
        listed = f"{', '.join(map(repr, names[:-1]))} or {names[-1]!r}"
        raise ValueError(f"engine must be {listed}; got {name!r}.")
    if operation not in OPERATIONS:
        raise ValueError(f"no engine has the operation {operation!r}; known: {', '.join(OPERATIONS)}.")
    capable = [each for each in AUTO_ORDER if hasattr(_ENGINES.get(each), operation)]
    if name == "auto":
        return _ENGINES[capable[0]]
    if name not in _ENGINES:
        raise ValueError(
            f"engine='native' was asked for {operation!r}, but the compiled extension is not installed; "
            "run `pip install .` with a C++17 compiler, or use engine='auto' or 'reference'."
        )
    if not hasattr(_ENGINES[name], operation):
        raise ValueError(f"engine={name!r} does not have {operation!r}; use engine='auto' or {capable[0]!r}.")
    return _ENGINES[name]


def operation(name: str, compute: Compute | None = None) -> Callable[..., Any]:
    """An operation such as "train", bound to its engine and its number of threads.

    Parameters
    ----------
    name : str
        A method of `Engine`.
    compute : Compute, optional
        `condensity.compute.current()` if left out.

    Raises
    ------
    ValueError
        As `resolve`.

    Examples
    --------
    >>> import numpy as np
    >>> logpdf = operation("mixture_logpdf", Compute("reference"))
    >>> one_row = np.zeros((1, 1))
    >>> logpdf(one_row, one_row, one_row + 1.0, one_row).round(4)
    array([[-0.9189]])
    """
    compute = current() if compute is None else compute
    return partial(getattr(resolve(name, compute.engine), name), threads=compute.n_threads)


_ENGINES |= {engine.name: engine for engine in (ReferenceEngine(),)}
if NativeEngine is not None:
    _ENGINES["native"] = NativeEngine()
