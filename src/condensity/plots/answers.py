"""Questions that charts ask a fitted model: its distributions, one of its outputs, the columns that are categories."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from condensity.data import read_target
from condensity.data.columns import target_names
from condensity.data.doors import open_table
from condensity.distributions import ComponentSummary, Distribution


class Target(NamedTuple):
    """One output of the data: its name, its position among the outputs, and its values (n,), NaN where they are missing."""

    name: str
    position: int
    values: np.ndarray


def categories_of(model: Any) -> npt.ArrayLike:
    """Columns that a model was told are categories, as `categorical_features`.

    Parameters
    ----------
    model : estimator
    """
    return getattr(model, "categorical_features", "from_dtype")


def pick_target(y: Any, output: int | str | None = None) -> Target:
    """One column of y.

    Parameters
    ----------
    y : array-like or table (n,), (n, 1) or (n, q)
    output : int or str, optional
        Position or name of the column; needed for several.

    Returns
    -------
    Target

    Raises
    ------
    ValueError
        If y has several columns and none, or an unknown one, is chosen.

    Examples
    --------
    >>> import pandas as pd
    >>> pick_target(pd.DataFrame({"price": [1.0, 2.0], "rent": [3.0, 4.0]}), "rent")
    Target(name='rent', position=1, values=array([3., 4.]))
    """
    y = open_table("y", y)
    values, names = np.asarray(read_target("y", y), dtype=float), list(target_names(y) or ())
    if values.ndim == 1 or values.shape[1] == 1:
        return Target(names[0] if names else "y", 0, values.reshape(len(values)))
    names = names or [f"y{j}" for j in range(values.shape[1])]
    j = find_output(names, output)
    return Target(names[j], j, values[:, j])


def find_output(names: list[str], output: int | str | None) -> int:
    """Position of an output among the names of all.

    Parameters
    ----------
    names : list of str
    output : int, str or None
        Position or name.

    Raises
    ------
    ValueError
        If there are several and none, or an unknown one, is chosen.

    Examples
    --------
    >>> find_output(["price", "rent"], "rent"), find_output(["price"], None)
    (1, 0)
    """
    if len(names) == 1:
        return 0
    if output is None:
        raise ValueError(f"there are {len(names)} outputs, {', '.join(names)}; choose the one to draw with output=.")
    if isinstance(output, str) and output in names:
        return names.index(output)
    if not isinstance(output, str) and -len(names) <= output < len(names):
        return range(len(names))[output]
    raise ValueError(f"output must be one of {', '.join(names)}, or a position below {len(names)}; got {output!r}.")


def pick_output(dist: Distribution, output: int | str | None = None) -> Distribution:
    """The distribution of one output; `dist` itself where there is one only. Raises as `find_output`.

    Parameters
    ----------
    dist : Distribution
    output : int or str, optional
        Position or name; needed for several.
    """
    return dist if dist.n_outputs == 1 else dist.marginal(position_of(dist, output))


def position_of(dist: Distribution, output: int | str | None) -> int:
    """Position of an output of a distribution. Raises as `find_output`.

    Parameters
    ----------
    dist : Distribution
    output : int, str or None
        Position or name; needed for several.
    """
    return find_output(dist.output_names or [f"y{j}" for j in range(dist.n_outputs)], output)


def components_of(dist: Distribution, output: int | str | None = None) -> ComponentSummary:
    """Weights, centers and widths (n, K), in data units, of the components of one output. Raises as `find_output`.

    Parameters
    ----------
    dist : Distribution
    output : int or str, optional
        Position or name; needed for several.
    """
    return pick_output(dist, output).component_summary()


def relative_weights(parts: ComponentSummary) -> np.ndarray:
    """Weights over the heaviest at the same x, (n, K): of 40 none is near 1, yet some carry the density.

    Parameters
    ----------
    parts : ComponentSummary
    """
    return parts.weights / parts.weights.max(axis=1, keepdims=True)
