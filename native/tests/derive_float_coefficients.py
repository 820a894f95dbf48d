"""Print the coefficients of native/floats.hpp as C++ hexadecimal literals (NumPy only; a few seconds)."""

import sys

import numpy as np


def fit(design, target, weight, *, n_sweeps=200):
    """Coefficients whose largest weighted error is near its minimum: Lawson's reweighted least squares (1961)."""
    share, best = np.ones(len(target)), (np.inf, None)
    for _ in range(n_sweeps):
        scale = np.sqrt(share) * weight
        coefficients, *_ = np.linalg.lstsq(design * scale[:, None], target * scale, rcond=None)
        error = np.abs(design @ coefficients - target) * weight
        best = min(best, (error.max(), coefficients), key=lambda pair: pair[0])
        share *= error / error.max() + 1e-3
        share /= share.mean()
    return best


def powers(x, degree):
    """1, x, …, x^degree, one column each."""
    return np.vander(x, degree + 1, increasing=True)


def show(name, error, coefficients):
    """Print coefficients as floats, lowest power first."""
    literals = ", ".join(float(np.float32(c)).hex() + "f" for c in coefficients)
    sys.stdout.write(f"{name}: error {error:.3g}\n{literals}\n")


def main():
    """All of them."""
    half = np.log(2) / 2 * 1.0005
    r = half * np.cos(np.pi * (np.arange(4000) + 0.5) / 4000)
    show("q of e^r = 1 + r + r^2 q(r)", *fit(powers(r, 4), (np.expm1(r) - r) / r**2, r**2 / np.exp(r)))

    s = np.linspace(1e-6, 3 - 2 * np.sqrt(2), 4000)
    show("series of log", *fit(powers(s**2, 2), (2 * np.arctanh(s) - 2 * s) / s**3, s**2 / 2))

    # tanh x = x P(x^2)/Q(x^2): linear least squares on P - f Q, weighted by the Q of the round before.
    end = 9.0
    x = np.concatenate([np.linspace(1e-3, 1, 1500), np.linspace(1, end, 3000)])
    f, basis, q = np.tanh(x) / x, powers((x / end) ** 2, 4), np.ones_like(x)
    for _ in range(12):
        error, coefficients = fit(np.hstack([basis, -f[:, None] * basis[:, 1:]]), f, 1 / (q * f))
        q = 1 + basis[:, 1:] @ coefficients[5:]
    unit = end ** (2.0 * np.arange(5))
    show("P of tanh", error, coefficients[:5] / unit)
    show("Q of tanh", error, np.append(1.0, coefficients[5:]) / unit)


if __name__ == "__main__":
    main()
