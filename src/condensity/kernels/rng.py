"""The one way from a user's `random_state` to random numbers; the global generators are never touched."""

import numbers

import numpy as np


def as_generator(random_state) -> np.random.Generator:
    """Turn None, an integer, a Generator or a RandomState into a Generator.

    An integer gives the same numbers every time; None gives fresh ones; a Generator or RandomState is advanced, so two
    calls in a row differ.

    Raises
    ------
    ValueError
        For anything else.
    """
    if random_state is None:
        return np.random.default_rng()
    if isinstance(random_state, numbers.Integral) and int(random_state) >= 0:
        return np.random.default_rng(int(random_state))
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(0, 2**31, size=4))
    raise ValueError(
        f"random_state must be None, a non-negative integer, a numpy Generator or a RandomState; got {random_state!r}."
    )
