"""Verbs that need one output or complete rows, and the sentences that refuse them otherwise."""

import numpy as np

from condensity.distributions.formulas import DistributionFormulas

# fmt: off
#: Verbs for one output only.
ONE_OUTPUT = frozenset({
    "cdf", "crps", "entropy", "hpd_value", "interval", "isf", "logcdf", "logsf", "median", "ppf", "quantile",
    "region", "sf", "to_scipy",
})

#: Verbs that need every row's mass to be 1.
COMPLETE = frozenset({
    "condition", "cov", "crps", "energy_score", "entropy", "hpd_value", "interval", "isf", "logsf",
    "marginal", "mean", "median", "mode", "modes", "region", "sf", "std", "to_scipy",
    "var",
})

#: Every verb.
VERBS = ONE_OUTPUT | COMPLETE | {
    "affine", "component_summary", "gated", "log_prob", "logpdf", "named", "normalized", "pdf", "rvs",
    "sample", "to_frame",
}
# fmt: on


def check(verb: str, formulas: DistributionFormulas, n_outputs: int, mass: np.ndarray) -> None:
    """Refuse a verb that has no exact result for these formulas, n_outputs and mass (n,).

    Raises
    ------
    ValueError
        Names the verb, and another way.
    """
    sentence = refusal(verb, formulas, n_outputs) or incomplete(verb, mass)
    if sentence is not None:
        raise ValueError(sentence)


def refusal(verb: str, formulas: DistributionFormulas, n_outputs: int) -> str | None:
    """Reason why a verb is not available with these formulas and n_outputs, whatever the mass; None where it is."""
    sentence = formulas.refusal(verb)
    return one_output(verb, n_outputs) if sentence is None and verb in ONE_OUTPUT else sentence


def one_output(verb: str, n_outputs: int) -> str | None:
    """Reason why a verb for one output is not available with n_outputs; None where there is one."""
    if n_outputs == 1:
        return None
    return (
        f"{verb} is for one output, and this mixture has {n_outputs}. Choose output j with "
        f".marginal(j).{verb}, or fix the others with .condition(...).{verb}."
    )


def incomplete(verb: str, mass: np.ndarray) -> str | None:
    """Reason why a verb that needs complete rows is not available where a mass (n,) is below 1; None elsewhere."""
    if verb not in COMPLETE or is_complete(mass):
        return None
    return (
        f"{verb} needs every row's mass to be 1; the smallest is {mass.min():.6g}, the rest being unknown. "
        f"Call normalized().{verb} to ask about the known part alone."
    )


def is_complete(mass: np.ndarray) -> bool:
    """Whether every row's mass (n,) is 1."""
    return bool((mass == 1.0).all())
