"""The one way from a user's `random_state` to random numbers; the global generators are never touched."""

import numbers
from zlib import crc32

import numpy as np

#: A mass this close to one is rounding: such a row is complete, and every draw is a number.
COMPLETE = 1e-12


#: Values that users may give as `random_state`.
RandomState = int | np.random.Generator | np.random.RandomState | None


def as_generator(random_state: RandomState, stream: str | None = None) -> np.random.Generator:
    """Turn None, an integer, a Generator or a RandomState into a Generator.

    An integer gives the same numbers every time; None gives fresh ones; a Generator or RandomState is advanced, so two
    calls in a row differ.

    Parameters
    ----------
    random_state : None, int, numpy Generator or RandomState
    stream : str, optional
        What the numbers are for. Integers give each stream numbers of its own: with one stream, data drawn with seed 0 and
        predictions sampled with seed 0 would share their uniforms, and the draws of a cross show one arm only.

    Raises
    ------
    ValueError
        For anything else.
    """
    if random_state is None:
        return np.random.default_rng()
    if isinstance(random_state, numbers.Integral) and int(random_state) >= 0:
        spawn_key = () if stream is None else (crc32(stream.encode()),)
        return np.random.default_rng(np.random.SeedSequence(int(random_state), spawn_key=spawn_key))
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(0, 2**31, size=4))
    raise ValueError(
        f"random_state must be None, a non-negative integer, a numpy Generator or a RandomState; got {random_state!r}."
    )


def choose_components(weights: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """Component (n, s) that uniform picks (n, s) in [0, 1) choose by weights (n, K); K where they lie beyond the row's mass.

    A complete row ends at its last component that has weight, so that no rounding can pick an absent one, or none.
    """
    cumulative = np.cumsum(weights, axis=1)
    complete = np.abs(cumulative[:, -1:] - 1.0) < COMPLETE
    nothing_follows = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1] - weights <= 0.0
    cumulative = np.where(complete & nothing_follows, np.inf, cumulative)
    chosen = np.zeros(picks.shape, dtype=np.intp)
    for k in range(weights.shape[1]):
        chosen += picks >= cumulative[:, [k]]
    return chosen
