"""Arguments of the verbs of distributions, brought to arrays of one shape, or refused by name.

The two broadcasting rules of the library are `points` and `levels`; everything else takes one value per row or per output.

Letters: n rows, K components, q outputs, g points per row, m levels per row.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from condensity.missing import unmasked

#: An output, by its position or its name.
Output = int | np.integer | str

#: Rows of a distribution: an integer, a slice, a boolean mask or an array of integers.
RowIndex = int | np.integer | slice | Sequence[int] | Sequence[bool] | np.ndarray

#: Larger results do not fit into the memory of most machines, and Linux kills the process without an error.
MAX_RESULT_BYTES = 2**35


def real(name: str, value: npt.ArrayLike) -> np.ndarray:
    """Float64 copy of a value, real numbers of shape (n,) or any other, or an error that calls it by its name.

    Masked values are NaN.
    """
    try:
        array = np.asarray(unmasked(value))
    except ValueError as error:
        raise ValueError(f"{name} must be real numbers in an array; got rows of unequal length.") from error
    objects = array.dtype.kind == "O" and array.size and not any(item is None for item in array.flat)
    if array.dtype.kind not in "biuf" and not objects:
        raise ValueError(f"{name} must be real numbers; got {array.dtype} of shape {array.shape}.")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must be real numbers; got {array.dtype} of shape {array.shape}.") from error


def points(y: npt.ArrayLike, n: int, q: int) -> tuple[np.ndarray, bool]:
    """Points y as a grid, (n, g) for one output and (n, g, q) for several, and whether it stands for one point per row."""
    y = real("y", y)
    one_point: tuple[int, ...] = () if q == 1 else (q,)
    rowwise = (n, *one_point)
    if y.shape == one_point:
        return np.broadcast_to(y, (n, 1, *one_point)), True
    if y.shape == rowwise:
        return y[:, None], True
    if y.ndim == len(rowwise) + 1 and y.shape[0] in {1, n} and y.shape[2:] == one_point:
        return np.broadcast_to(y, (n, *y.shape[1:])), False
    wanted = (
        f"a scalar, ({n},) row-wise, or a grid (1, g) or ({n}, g)"
        if q == 1
        else f"one point ({q},), ({n}, {q}) row-wise, or a grid (1, g, {q}) or ({n}, g, {q})"
    )
    raise ValueError(f"y must be {wanted}; got shape {y.shape}.")


def levels(p: npt.ArrayLike, n: int) -> tuple[np.ndarray, bool]:
    """Levels p as an array (1 or n, m), and whether it stands for one level."""
    p = real("p", p)
    if p.ndim > 2 or (p.ndim == 2 and p.shape[0] != n):
        raise ValueError(f"p must be a scalar, a list of levels (m,), or row-wise ({n}, m); got shape {p.shape}.")
    table = p if p.ndim == 2 else p.reshape(1, p.size)
    if ((table < 0) | (table > 1)).any():
        raise ValueError(f"p must lie in [0, 1]; got values from {np.nanmin(table)!r} to {np.nanmax(table)!r}.")
    return table, p.ndim == 0


def rows(index: Any, n: int, kind: str) -> slice | np.ndarray:
    """Rows that an index chooses of n, as a slice or an array of positions (m,): never an axis less.

    Raises
    ------
    TypeError, IndexError
        For anything that is no index of rows of a `kind`.
    """
    if isinstance(index, (tuple, bool, np.bool_)) or index is None or index is Ellipsis:
        raise TypeError(f"A {kind} is indexed by rows only; got {index!r}.")
    if isinstance(index, slice):
        return index
    if isinstance(index, (int, np.integer)):
        return np.array([range(n)[index]])
    chosen = np.atleast_1d(np.arange(n)[index])
    if chosen.ndim > 1:
        raise IndexError(f"rows must be one-dimensional; the index selects an array of shape {chosen.shape}.")
    return chosen


def check_result_size(unit: str, n: int, m: int) -> None:
    """Refuse a result of n × m numbers, of a unit such as "points", that takes more than `MAX_RESULT_BYTES`."""
    needed = 8 * n * m
    if needed > MAX_RESULT_BYTES:
        raise ValueError(
            f"{n} rows times {m} {unit} take {needed / 2**30:,.0f} GiB, and at most {MAX_RESULT_BYTES / 2**30:.0f} are given "
            "at once; ask for some rows at a time, as dist[:1000]."
        )


def sample_size(value: Any) -> int:
    """Number of draws per row from a value of any type, or an error."""
    if not (isinstance(value, (int, np.integer)) and value >= 0):
        raise ValueError(f"n_samples must be an integer >= 0; got {value!r}.")
    return int(value)


def level(value: Any) -> float:
    """Level of an interval or region, between 0 and 1, from a value of any type, or an error."""
    if not (np.ndim(value) == 0 and 0.0 < value < 1.0):
        raise ValueError(f"level must be a number between 0 and 1, both excluded; got {value!r}.")
    return float(value)


def per_row(name: str, value: npt.ArrayLike, n: int, q: int) -> np.ndarray:
    """Finite value, by its name in errors, for each of n rows, (n, 1), or for each row and each of q outputs, (n, 1, q)."""
    value = real(name, value)
    shapes: set[tuple[int, ...]] = {(), (n,)} if q == 1 else {(), (q,), (n, 1), (n, q)}
    if value.shape not in shapes:
        wanted = f"({n},)" if q == 1 else f"({q},), ({n}, 1) or ({n}, {q})"
        raise ValueError(f"{name} must be a finite number or have shape {wanted}; got shape {value.shape}.")
    if not np.isfinite(value).all():
        raise ValueError(f"{name} must be a finite number in every row; got {value[~np.isfinite(value)][0]!r}.")
    return np.broadcast_to(value, (n,) if q == 1 else (n, q))[:, None]


def names(value: Any, q: int) -> tuple[str, ...] | None:
    """Names of the outputs as a tuple of q different strings, or None, from a value of any type."""
    if value is None:
        return None
    given = (value,) if isinstance(value, str) else tuple(value)
    if len(given) != q or len(set(given)) != q or not all(isinstance(name, str) for name in given):
        raise ValueError(f"output_names must be {q} different strings, one for each output; got {value!r}.")
    return given


def position(output: Any, q: int, output_names: Sequence[str] | None) -> int:
    """Position, 0 to q − 1, of an output that is given by position or by one of output_names."""
    if isinstance(output, str):
        if output_names and output in output_names:
            return output_names.index(output)
        choices = f"known: {', '.join(output_names)}" if output_names else "the outputs have no names, use positions"
        raise ValueError(f"there is no output {output!r}; {choices}.")
    if not isinstance(output, (int, np.integer)) or isinstance(output, bool):
        raise ValueError(f"an output is given by its name or position; got {output!r}.")
    if not -q <= output < q:
        raise ValueError(f"there is no output {output}; positions are 0 to {q - 1}.")
    return int(output) % q


def positions(outputs: Any, q: int, output_names: Sequence[str] | None) -> list[int]:
    """Positions, 0 to q − 1, of one or several different outputs, given by position or by output_names, in the order given."""
    listed = [outputs] if isinstance(outputs, str) or np.ndim(outputs) == 0 else list(outputs)
    chosen = [position(output, q, output_names) for output in listed]
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"outputs must be one output, or several different ones; got {outputs!r}.")
    return chosen


def given_values(
    given: Mapping[Output, npt.ArrayLike], n: int, q: int, output_names: Sequence[str] | None
) -> tuple[list[int], np.ndarray]:
    """Positions of a outputs given, and their values (n, a), NaN where one is not given; see `DistributionAlgebra.condition`.

    Parameters
    ----------
    given : mapping from positions or names of outputs to values, a number or (n,), in data units
    n, q : int
        Rows and outputs of the distribution.
    output_names : sequence of str or None
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"given must be a mapping from outputs to values, such as {{0: 1.5}}; got {given!r:.80}.")
    keys = [position(output, q, output_names) for output in given]
    if len(set(keys)) < len(keys):
        raise ValueError(f"given names an output twice: {list(given)!r}.")
    if len(keys) == q:
        raise ValueError(f"given must leave an output to ask about; got values for all {q}.")
    values = np.empty((n, len(keys)))
    for column, (output, value) in enumerate(given.items()):
        array = real(f"given[{output!r}]", value)
        if array.shape not in {(), (n,)}:
            raise ValueError(f"given[{output!r}] must be a number or have shape ({n},); got shape {array.shape}.")
        if np.isinf(array).any():
            raise ValueError(f"given[{output!r}] must be finite, or nan where it is not given; got an infinite value.")
        values[:, column] = array
    return keys, values
