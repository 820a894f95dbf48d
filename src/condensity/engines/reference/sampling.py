"""Draws from row-wise mixtures of normals, from a counter-based stream of random numbers, in NumPy.

Word i of the stream `key` is SplitMix64's i-th output from the state `key` (Steele, Lea and Flood, 2014, "Fast splittable
pseudorandom number generators"), so every draw can be computed by itself, in any order, by any thread.

Two draws share a Box–Muller pair, √(−2 log u) cos 2πa and √(−2 log u) sin 2πa, and each picks its component with a uniform
of its own by the cumulative weights. Row r of s draws has h = ⌈s/2⌉ pairs; pair i of it takes the words 3(r·h + i) … + 2 and
gives the draws i and h + i. The words' upper 52 bits are u and the two picks, their lower 12 together are the angle a.
"""

import numpy as np

from condensity.random import choose_components

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)

#: Draws in one block of rows, so that temporaries stay near 10 MB.
BLOCK = 2**17


def mixture_sample(
    log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, n_samples: int, key: int
) -> np.ndarray:
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
        words = [stream(key, 3 * pairs + np.uint64(i)).reshape(rows.stop - rows.start, half) for i in range(3)]
        first, pick, other_pick = (uniform(word >> np.uint64(12), 52) for word in words)
        a, b, c = (word & np.uint64(0xFFF) for word in words)
        angle = uniform((a << np.uint64(24)) | (b << np.uint64(12)) | c, 36)
        radius = np.sqrt(-2.0 * np.log(first + 2.0**-53))  # in (0, 1): never log 0
        normal = np.hstack([radius * np.cos(2 * np.pi * angle), radius * np.sin(2 * np.pi * angle)])[:, :n_samples]
        picks = np.hstack([pick, other_pick])[:, :n_samples]
        result[rows] = _place(np.exp(log_weights[rows]), means[rows], scales[rows], picks, normal)
    return result


def stream(key: int, words: np.ndarray) -> np.ndarray:
    """Random words (…,) of 64 bits, those with the numbers `words` (…,) in the stream `key`."""
    with np.errstate(over="ignore"):  # modulo 2⁶⁴
        z = np.uint64(key) + (words + np.uint64(1)) * GOLDEN_GAMMA
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(bits: np.ndarray, n_bits: int) -> np.ndarray:
    """Integers `bits` (…,) of `n_bits` bits as multiples of 2^(−n_bits) in [0, 1)."""
    return bits.astype(float) * 2.0**-n_bits


def _place(
    weights: np.ndarray, means: np.ndarray, scales: np.ndarray, picks: np.ndarray, normal: np.ndarray
) -> np.ndarray:
    """μ + σ · normal of the component picked, (n, s)."""
    chosen = choose_components(weights, picks)
    component = np.minimum(chosen, means.shape[1] - 1)
    draws = np.take_along_axis(means, component, 1) + np.take_along_axis(scales, component, 1) * normal
    return np.where(chosen < means.shape[1], draws, np.nan)
