"""Problems whose conditional density p(y | x) is known exactly, so that NLL − H* can be reported.

Every maker draws (x, y) and returns a `Problem`, which also carries log p(y | x) as a function and the
conditional entropy H* = −E log p(y | x) in nats: the smallest expected negative log likelihood that any model
can reach. The four odd sets stand for those of Warmerdam (2017), who published pictures but no formulas.

References
----------
Bishop (1994), "Mixture Density Networks", NCRG/94/004, Aston University: the inverse problem.
Warmerdam (2017), "Feed Forward Posteriors": the odd sets.
"""

from collections.abc import Callable

from condensity.datasets.synthetic.closed_form import make_cross, make_noisy_wave, make_two_branch
from condensity.datasets.synthetic.inverse import make_bishop_inverse, make_inverse_wave
from condensity.datasets.synthetic.problem import CONDITIONAL_ENTROPY, Problem
from condensity.datasets.synthetic.ring import make_ring

__all__ = [
    "CONDITIONAL_ENTROPY",
    "ODD_SETS",
    "Problem",
    "make_bishop_inverse",
    "make_cross",
    "make_inverse_wave",
    "make_noisy_wave",
    "make_ring",
    "make_two_branch",
]

#: The four odd data sets of the founding blog post, by name.
ODD_SETS: dict[str, Callable[..., Problem]] = {
    "noisy wave": make_noisy_wave,
    "cross": make_cross,
    "ring": make_ring,
    "inverse wave": make_inverse_wave,
}
