"""Draws from row-wise mixtures of normals, from a counter-based stream of random numbers, in NumPy.

Word i of the stream `key` is SplitMix64's i-th output from the state `key` (Steele, Lea and Flood, 2014, "Fast splittable
pseudorandom number generators"), so every draw can be computed by itself, in any order, by any thread.

Two draws share a Box–Muller pair, √(−2 log u₀) cos 2πu₁ and √(−2 log u₀) sin 2πu₁, and each picks its component with a uniform
of its own, u₂ or u₃, by the cumulative weights. Row r of s draws has h = ⌈s/2⌉ pairs; pair i of it takes the words
4(r·h + i) … 4(r·h + i) + 3 and gives the draws i and h + i.
"""

import numpy as np

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)

#: A mass this close to one is rounding: such a row is complete, and every draw is a number.
COMPLETE = 1e-12

#: Draws in one block of rows, so that temporaries stay near 10 MB.
BLOCK = 2**17


def mixture_sample(log_weights, means, scales, n_samples, key):
    """Draw from every row; NaN with probability 1 − mass.

    Parameters
    ----------
    log_weights, means, scales : ndarray (n, K)
    n_samples : int
    key : int
        In [0, 2⁶⁴): the same key gives the same draws.

    Returns
    -------
    ndarray (n, n_samples)
    """
    n, half = len(means), (n_samples + 1) // 2
    result = np.empty((n, n_samples))
    n_rows = max(1, BLOCK // max(1, n_samples))
    for start in range(0, n, n_rows):
        rows = slice(start, min(start + n_rows, n))
        pairs = np.arange(rows.start * half, rows.stop * half, dtype=np.uint64)
        first, angle, pick, other_pick = (
            uniforms(key, 4 * pairs + np.uint64(word)).reshape(rows.stop - rows.start, half) for word in range(4)
        )
        radius = np.sqrt(-2.0 * np.log(first + 2.0**-53))  # in (0, 1): never log 0
        normal = np.hstack([radius * np.cos(2 * np.pi * angle), radius * np.sin(2 * np.pi * angle)])[:, :n_samples]
        uniform = np.hstack([pick, other_pick])[:, :n_samples]
        result[rows] = _place(np.exp(log_weights[rows]), means[rows], scales[rows], uniform, normal)
    return result


def uniforms(key, words):
    """Multiples of 2⁻⁵² in [0, 1): the upper 52 bits of the numbered words of a stream."""
    with np.errstate(over="ignore"):  # modulo 2⁶⁴
        z = np.uint64(key) + (words + np.uint64(1)) * GOLDEN_GAMMA
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(12)).astype(float) * 2.0**-52


def choose_components(weights, uniform):
    """Component of each uniform number by the cumulative weights, (n, s); K where it lies beyond the row's mass.

    A complete row ends at its last component that has weight, so that no rounding can pick an absent one, or none.
    """
    cumulative = np.cumsum(weights, axis=1)
    complete = np.abs(cumulative[:, -1:] - 1.0) < COMPLETE
    nothing_follows = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1] - weights <= 0.0
    cumulative = np.where(complete & nothing_follows, np.inf, cumulative)
    chosen = np.zeros(uniform.shape, dtype=np.intp)
    for k in range(weights.shape[1]):
        chosen += uniform >= cumulative[:, [k]]
    return chosen


def _place(weights, means, scales, uniform, normal):
    """μ + σ · normal of the component that `uniform` picks."""
    chosen = choose_components(weights, uniform)
    component = np.minimum(chosen, means.shape[1] - 1)
    draws = np.take_along_axis(means, component, 1) + np.take_along_axis(scales, component, 1) * normal
    return np.where(chosen < means.shape[1], draws, np.nan)
