"""Print the polynomial coefficients of native/math.hpp as C++ hexadecimal literals (needs mpmath)."""

import sys

from mpmath import atanh, chebyfit, exp, factorial, log, mp, mpf, sqrt

mp.dps = 50


def exp_remainder(r):
    """q(r) in e^r = 1 + r + r² q(r); its series near 0, where the quotient cancels."""
    if abs(r) < mpf("1e-6"):
        return sum(r**i / factorial(i + 2) for i in range(8))
    return (exp(r) - 1 - r) / r**2


def log_remainder(z):
    """L(z) in 2 artanh s = 2s + s·z·L(z), z = s²; its series near 0, where the quotient cancels."""
    if z < mpf("1e-10"):
        return sum(2 * z**i / (2 * i + 3) for i in range(6))
    s = sqrt(z)
    return (2 * atanh(s) - 2 * s) / (s * z)


def report(name, function, interval, degree):
    """Near-minimax (Chebyshev) fit, lowest power first."""
    coefficients, error = chebyfit(function, interval, degree + 1, error=True)
    literals = ", ".join(float(c).hex() for c in reversed(coefficients))
    sys.stdout.write(f"{name}: error {mp.nstr(error, 3)}\n{literals}\n")


margin = mpf("1.0001")  # arguments reach the ends of their interval to rounding
half_ln2 = margin * log(2) / 2
largest_s = (sqrt(2) - 1) / (sqrt(2) + 1)
report("q (exp)", exp_remainder, [-half_ln2, half_ln2], 9)
report("L (log)", log_remainder, [0, margin * largest_s**2], 6)
ln2_high = mpf(int(log(2) * 2**33)) / 2**33
sys.stdout.write(f"ln2_high {float(ln2_high)!r}, ln2_low {float(log(2) - ln2_high)!r}\n")
