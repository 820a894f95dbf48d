"""The one way from a user's `random_state` to random numbers; the global generators are never touched."""

import numbers
from zlib import crc32

import numpy as np


def as_generator(random_state, stream=None) -> np.random.Generator:
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
