"""Print the coefficients of native/math.hpp and native/normal.hpp as C++ hexadecimal literals (needs mpmath; 45 s)."""

import sys

from mpmath import atanh, chebyfit, cos, erfc, exp, factorial, log, lu_solve, matrix, mp, mpf, pi, sin, sqrt

mp.dps = 60


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


def sine_quotient(z):
    """sin(π r / 2) / r, z = r²."""
    return sin(pi * sqrt(z) / 2) / sqrt(z) if z > 0 else pi / 2


def tail_ratio(a):
    """h(a) = e^(a²/2) Φ(−a) = ½ erfcx(a/√2)."""
    return exp(a * a / 2) * erfc(a / sqrt(2)) / 2


def report(name, function, interval, degree):
    """Near-minimax (Chebyshev) fit, lowest power first."""
    coefficients, error = chebyfit(function, interval, degree + 1, error=True)
    show(name, error, reversed(coefficients))


def show(name, error, coefficients):
    """Print coefficients, lowest power first."""
    literals = ", ".join(float(c).hex() for c in coefficients)
    sys.stdout.write(f"{name}: error {mp.nstr(error, 3)}\n{literals}\n")


def value_at(coefficients, x):
    """The polynomial's value."""
    return sum(c * x**i for i, c in enumerate(coefficients))


def fit_rational(function, upper, degree, *, middle=3, n_nodes=400, n_sweeps=12):
    """P/Q of degrees (degree, degree + 1) on [0, upper], the relative error near its minimax, lowest powers first.

    Linear least squares on P − f Q, whose weights 1/(f Q)² come from the sweep before (Sanathanan and Koerner, 1963) and,
    from the third sweep on, grow where the error is large (Lawson, 1961). Nodes: Chebyshev in (x − middle)/(x + middle).
    """
    end = (upper - middle) / (upper + middle)
    nodes = [(end - 1) / 2 + (end + 1) / 2 * cos(pi * (2 * i + 1) / (2 * n_nodes)) for i in range(n_nodes)]
    nodes = [middle * (1 + t) / (1 - t) for t in nodes]
    values = [function(x) for x in nodes]
    size = 2 * degree + 2
    denominators, emphasis, best = [mpf(1)] * n_nodes, [mpf(1)] * n_nodes, None
    for sweep in range(n_sweeps):
        normal, right = matrix(size, size), matrix(size, 1)
        for x, f, q, weight in zip(nodes, values, denominators, emphasis, strict=True):
            powers = [(x / middle) ** i for i in range(degree + 2)]
            row = powers[:-1] + [-f * power for power in powers[1:]]
            for i in range(size):
                right[i] += weight / (f * q) ** 2 * row[i] * f
                for j in range(size):
                    normal[i, j] += weight / (f * q) ** 2 * row[i] * row[j]
        solution = lu_solve(normal, right)
        p = [solution[i] / middle**i for i in range(degree + 1)]
        q = [mpf(1)] + [solution[degree + i] / middle**i for i in range(1, degree + 2)]
        denominators = [value_at(q, x) for x in nodes]
        errors = [abs(value_at(p, x) / d / f - 1) for x, d, f in zip(nodes, denominators, values, strict=True)]
        worst = max(errors)
        if best is None or worst < best[0]:
            best = worst, p, q
        if sweep >= 2:
            emphasis = [e * (error + worst / 1000) for e, error in zip(emphasis, errors, strict=True)]
            emphasis = [e * n_nodes / sum(emphasis) for e in emphasis]
    return best


margin = mpf("1.0001")  # arguments reach the ends of their interval to rounding
half_ln2 = margin * log(2) / 2
largest_s = (sqrt(2) - 1) / (sqrt(2) + 1)
report("q (exp)", exp_remainder, [-half_ln2, half_ln2], 9)
report("L (log)", log_remainder, [0, margin * largest_s**2], 6)
ln2_high = mpf(int(log(2) * 2**33)) / 2**33
sys.stdout.write(f"ln2_high {float(ln2_high)!r}, ln2_low {float(log(2) - ln2_high)!r}\n")
report("S (sine)", sine_quotient, [mpf("1e-30"), mpf("0.25")], 6)
report("C (cosine)", lambda z: cos(pi * sqrt(z) / 2), [0, mpf("0.25")], 7)
worst, p, q = fit_rational(tail_ratio, mpf(40), 9)
show("P (normal tail)", worst, p)
show("Q (normal tail)", worst, q)
