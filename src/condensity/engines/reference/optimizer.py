"""Update rules on one flat vector θ. Each has `query` (point of the gradient), `step`, and `model` (iterate to keep).

All take the learning rate at every step, so that schedules live in the trainer. `decay_mask` is 1.0 on the entries that
weight decay acts on (matrices, not biases). A solver is a class here and a header of the same name in `native/solvers`.
"""

from typing import ClassVar, Protocol

import numpy as np

from condensity.engines.types import SolverTraits

EPSILON = 1e-8  # added to √v, in units of the loss's gradient per standardised unit; float64 keeps it harmless

#: Largest weight of the past in AdamW's average: about the last 200 steps.
MAX_AVERAGING = 0.995


class Solver(Protocol):
    """An update rule, its state, and the properties from which its 'auto' settings follow.

    Starts at `theta` (n_parameters,); `weight_decay` acts where `decay_mask` (n_parameters,) is 1.0.
    """

    traits: ClassVar[SolverTraits]

    def __init__(self, theta: np.ndarray, *, weight_decay: float, decay_mask: np.ndarray) -> None: ...

    def query(self) -> np.ndarray:
        """Point at which the gradient is to be taken."""

    def step(self, gradient: np.ndarray, rate: float) -> None:
        """Take one step at the learning rate `rate`, with the `gradient` (n_parameters,) at `query()`."""

    def model(self) -> np.ndarray:
        """Parameters to evaluate and keep."""


class ScheduleFreeAdamW:
    """Schedule-free AdamW (Defazio et al. 2024, arXiv:2405.15682): the averaged iterate is the model, no horizon needed.

    q = (1 − β₁) z + β₁ x ;  g = ∇loss(q) ;  v ← β₂ v + (1 − β₂) g² ;  u = g / (√(v/(1 − β₂^t)) + ε) + decay · q
    z ← z − η u ;  c = η² / Σ η² ;  x ← (1 − c) x + c z

    Starts at `theta` (n_parameters,); `weight_decay` acts where `decay_mask` (n_parameters,) is 1.0; β₁ is `beta1`, the
    weight of the average in `query()`, and β₂ is `beta2`, the decay rate of v.
    """

    traits: ClassVar[SolverTraits] = SolverTraits(0.02, 500, 0.01, weight_decay=0.01, is_robust=True)

    z: np.ndarray
    x: np.ndarray
    v: np.ndarray
    decay: np.ndarray
    beta1: float
    beta2: float
    t: int
    rate_square_sum: float

    def __init__(
        self,
        theta: np.ndarray,
        *,
        weight_decay: float,
        decay_mask: np.ndarray,
        beta1: float = 0.9,
        beta2: float = 0.999,
    ):
        self.beta1, self.beta2, self.decay = beta1, beta2, weight_decay * decay_mask
        self.z, self.x, self.v = theta.copy(), theta.copy(), np.zeros_like(theta)
        self.t, self.rate_square_sum = 0, 0.0

    def query(self) -> np.ndarray:
        """Point at which the gradient is to be taken."""
        return (1.0 - self.beta1) * self.z + self.beta1 * self.x

    def step(self, gradient: np.ndarray, rate: float) -> None:
        """Take one step at the learning rate `rate`, with the `gradient` (n_parameters,) at `query()`."""
        point = self.query()
        self.t += 1
        self.v = self.beta2 * self.v + (1.0 - self.beta2) * gradient**2
        update = gradient / (np.sqrt(self.v / (1.0 - self.beta2**self.t)) + EPSILON) + self.decay * point
        self.z = self.z - rate * update
        square = rate * rate  # a product overflows to inf, and the run ends as 'diverged'; a power raises
        self.rate_square_sum += square
        share = square / self.rate_square_sum if self.rate_square_sum > 0 else 0.0
        self.x = (1.0 - share) * self.x + share * self.z

    def model(self) -> np.ndarray:
        """Parameters to evaluate and keep."""
        return self.x


class AdamW:
    """AdamW (Loshchilov & Hutter 2019), with a running average of its iterates as the model.

    θ ← θ − η (m̂ / (√v̂ + ε) + decay · θ) ;  model ← model + (1 − α) (θ − model),  α = min(.995, (t + 1) / (t + 10))

    Starts at `theta` (n_parameters,); `weight_decay` acts where `decay_mask` (n_parameters,) is 1.0; `beta1` and `beta2`
    are the decay rates of the moments m and v.
    """

    traits: ClassVar[SolverTraits] = SolverTraits(
        0.006, 2000, 0.003, weight_decay=0.1, is_robust=True, is_annealed=True
    )

    theta: np.ndarray
    average: np.ndarray
    m: np.ndarray
    v: np.ndarray
    decay: np.ndarray
    beta1: float
    beta2: float
    t: int

    def __init__(
        self,
        theta: np.ndarray,
        *,
        weight_decay: float,
        decay_mask: np.ndarray,
        beta1: float = 0.9,
        beta2: float = 0.999,
    ):
        self.beta1, self.beta2, self.decay = beta1, beta2, weight_decay * decay_mask
        self.theta, self.average, self.m, self.v, self.t = theta.copy(), theta.copy(), 0.0 * theta, 0.0 * theta, 0

    def query(self) -> np.ndarray:
        """Point at which the gradient is to be taken."""
        return self.theta

    def step(self, gradient: np.ndarray, rate: float) -> None:
        """Take one step at the learning rate `rate`, with the `gradient` (n_parameters,) at `query()`."""
        self.t += 1
        self.m = self.beta1 * self.m + (1.0 - self.beta1) * gradient
        self.v = self.beta2 * self.v + (1.0 - self.beta2) * gradient**2
        m, v = self.m / (1.0 - self.beta1**self.t), self.v / (1.0 - self.beta2**self.t)
        self.theta = self.theta - rate * (m / (np.sqrt(v) + EPSILON) + self.decay * self.theta)
        share = 1.0 - min(MAX_AVERAGING, (self.t + 1.0) / (self.t + 10.0))
        self.average = self.average + share * (self.theta - self.average)

    def model(self) -> np.ndarray:
        """Parameters to evaluate and keep."""
        return self.average


class Adam:
    """Adam (Kingma & Ba 2015), with weight decay as L2 in the gradient.

    Starts at `theta` (n_parameters,); `weight_decay` acts where `decay_mask` (n_parameters,) is 1.0; `beta1` and `beta2`
    are the decay rates of the moments m and v.
    """

    traits: ClassVar[SolverTraits] = SolverTraits()

    theta: np.ndarray
    m: np.ndarray
    v: np.ndarray
    decay: np.ndarray
    beta1: float
    beta2: float
    t: int

    def __init__(
        self,
        theta: np.ndarray,
        *,
        weight_decay: float,
        decay_mask: np.ndarray,
        beta1: float = 0.9,
        beta2: float = 0.999,
    ):
        self.beta1, self.beta2, self.decay = beta1, beta2, weight_decay * decay_mask
        self.theta, self.m, self.v, self.t = theta.copy(), np.zeros_like(theta), np.zeros_like(theta), 0

    def query(self) -> np.ndarray:
        """Point at which the gradient is to be taken."""
        return self.theta

    def step(self, gradient: np.ndarray, rate: float) -> None:
        """Take one step at the learning rate `rate`, with the `gradient` (n_parameters,) at `query()`."""
        gradient = gradient + self.decay * self.theta
        self.t += 1
        self.m = self.beta1 * self.m + (1.0 - self.beta1) * gradient
        self.v = self.beta2 * self.v + (1.0 - self.beta2) * gradient**2
        m, v = self.m / (1.0 - self.beta1**self.t), self.v / (1.0 - self.beta2**self.t)
        self.theta = self.theta - rate * m / (np.sqrt(v) + EPSILON)

    def model(self) -> np.ndarray:
        """Parameters to evaluate and keep."""
        return self.theta


class RMSProp:
    """RMSProp (Tieleman & Hinton 2012; decay .9, the running mean square starting at one as in the blog post's TensorFlow).

    Starts at `theta` (n_parameters,); `weight_decay` acts where `decay_mask` (n_parameters,) is 1.0, as L2 in the gradient;
    `decay` is that of the running mean square.
    """

    traits: ClassVar[SolverTraits] = SolverTraits()

    theta: np.ndarray
    v: np.ndarray
    decay: np.ndarray
    smoothing: float

    def __init__(self, theta: np.ndarray, *, weight_decay: float, decay_mask: np.ndarray, decay: float = 0.9):
        self.smoothing, self.decay = decay, weight_decay * decay_mask
        self.theta, self.v = theta.copy(), np.ones_like(theta)

    def query(self) -> np.ndarray:
        """Point at which the gradient is to be taken."""
        return self.theta

    def step(self, gradient: np.ndarray, rate: float) -> None:
        """Take one step at the learning rate `rate`, with the `gradient` (n_parameters,) at `query()`."""
        gradient = gradient + self.decay * self.theta
        self.v = self.smoothing * self.v + (1.0 - self.smoothing) * gradient**2
        self.theta = self.theta - rate * gradient / (np.sqrt(self.v) + EPSILON)

    def model(self) -> np.ndarray:
        """Parameters to evaluate and keep."""
        return self.theta


#: Solvers that every training engine has. AdamW's decoupled decay a step is 2 to 3 · 10⁻⁴; see docs/decisions.md.
SOLVERS: dict[str, type[Solver]] = {
    "schedule_free_adamw": ScheduleFreeAdamW,
    "adamw": AdamW,
    "adam": Adam,
    "rmsprop": RMSProp,
}
