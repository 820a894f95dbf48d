"""What the verbs of `Mixture` take, brought to arrays of one shape, or refused with the argument's name.

The two broadcasting rules of the library are `points` and `levels`; everything else takes one value a row or an output.

Letters: n rows, K components, q outputs, g points a row, m levels a row.
"""

from collections.abc import Mapping

import numpy as np

#: Bytes of a result at most: more does not fit into the memory of most machines, and Linux only says so by killing.
LARGEST_RESULT = 2**35


def real(name, value) -> np.ndarray:
    """A float64 copy of real numbers, or an error that names the argument."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be real numbers in an array; got rows of unequal length.") from error
    objects = array.dtype.kind == "O" and array.size and not any(item is None for item in array.flat)
    if array.dtype.kind not in "biuf" and not objects:
        raise ValueError(f"{name} must be real numbers; got {array.dtype} of shape {array.shape}.")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must be real numbers; got {array.dtype} of shape {array.shape}.") from error


def points(y, n, q):
    """Points y as a grid, (n, g) for one output and (n, g, q) for several, and whether it stands for one point a row."""
    y = real("y", y)
    one_point, rowwise = (() if q == 1 else (q,)), ((n,) if q == 1 else (n, q))
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


def levels(p, n):
    """Levels p as an array (1 or n, m), and whether it stands for one level."""
    p = real("p", p)
    if p.ndim > 2 or (p.ndim == 2 and p.shape[0] != n):
        raise ValueError(f"p must be a scalar, a list of levels (m,), or row-wise ({n}, m); got shape {p.shape}.")
    table = p if p.ndim == 2 else p.reshape(1, p.size)
    if ((table < 0) | (table > 1)).any():
        raise ValueError(f"p must lie in [0, 1]; got values from {np.nanmin(table)!r} to {np.nanmax(table)!r}.")
    return table, p.ndim == 0


def check_result_size(what, n, m):
    """Refuse a result (n, m) of more than `LARGEST_RESULT` bytes, which would be killed rather than computed."""
    needed = 8 * n * m
    if needed > LARGEST_RESULT:
        raise ValueError(
            f"{n} rows times {m} {what} take {needed / 2**30:,.0f} GiB, and at most {LARGEST_RESULT / 2**30:.0f} are given "
            "at once; ask for some rows at a time, as dist[:1000]."
        )


def level(value):
    """Refuse a level of an interval or region that is not between 0 and 1."""
    if not (np.ndim(value) == 0 and 0.0 < value < 1.0):
        raise ValueError(f"level must be a number between 0 and 1, both excluded; got {value!r}.")


def per_row(name, value, n, q):
    """Finite values for every row, (n, 1), or for every row and output, (n, 1, q)."""
    value = real(name, value)
    shapes = {(), (n,)} if q == 1 else {(), (q,), (n, 1), (n, q)}
    if value.shape not in shapes:
        wanted = f"({n},)" if q == 1 else f"({q},), ({n}, 1) or ({n}, {q})"
        raise ValueError(f"{name} must be a finite number or have shape {wanted}; got shape {value.shape}.")
    if not np.isfinite(value).all():
        raise ValueError(f"{name} must be a finite number in every row; got {value[~np.isfinite(value)][0]!r}.")
    return np.broadcast_to(value, (n,) if q == 1 else (n, q))[:, None]


def names(value, q):
    """Names of the outputs as a tuple of q different strings, or None."""
    if value is None:
        return None
    given = (value,) if isinstance(value, str) else tuple(value)
    if len(given) != q or len(set(given)) != q or not all(isinstance(name, str) for name in given):
        raise ValueError(f"output_names must be {q} different strings, one for each output; got {value!r}.")
    return given


def position(output, q, output_names) -> int:
    """Position of an output that is given by its name or position."""
    if isinstance(output, str):
        if output in (output_names or ()):
            return output_names.index(output)
        known = f"known: {', '.join(output_names)}" if output_names else "the outputs have no names, use positions"
        raise ValueError(f"there is no output {output!r}; {known}.")
    if not isinstance(output, (int, np.integer)) or isinstance(output, bool):
        raise ValueError(f"an output is given by its name or position; got {output!r}.")
    if not -q <= output < q:
        raise ValueError(f"there is no output {output}; positions are 0 to {q - 1}.")
    return int(output) % q


def positions(outputs, q, output_names) -> list[int]:
    """Positions of one output or of several different ones, in the order asked."""
    listed = [outputs] if isinstance(outputs, str) or np.ndim(outputs) == 0 else list(outputs)
    found = [position(output, q, output_names) for output in listed]
    if not found or len(set(found)) < len(found):
        raise ValueError(f"outputs must be one output, or several different ones; got {outputs!r}.")
    return found


def known_values(given, n, q, output_names):
    """What `condition` is given: positions, and values (n, a) with NaN where one is not given."""
    if not isinstance(given, Mapping):
        raise ValueError(f"given must be a mapping from outputs to values, such as {{0: 1.5}}; got {given!r:.80}.")
    found = [position(output, q, output_names) for output in given]
    if len(set(found)) < len(found):
        raise ValueError(f"given names an output twice: {list(given)!r}.")
    if len(found) == q:
        raise ValueError(f"given must leave an output to ask about; got values for all {q}.")
    values = np.empty((n, len(found)))
    for column, (output, value) in enumerate(given.items()):
        array = real(f"given[{output!r}]", value)
        if array.shape not in {(), (n,)}:
            raise ValueError(f"given[{output!r}] must be a number or have shape ({n},); got shape {array.shape}.")
        if np.isinf(array).any():
            raise ValueError(f"given[{output!r}] must be finite, or nan where it is not given; got an infinite value.")
        values[:, column] = array
    return found, values
