"""Cells of the torture table: tables of known conditional density in every combination of seven factors.

A cell is one level of each factor of `LEVELS`. Its rows have a score t, about standard normal, that is made of the inputs; a
signal f(t), which is ± f(t) with equal chances in the cells of two branches; and noise, independent from output to output. In
grouped cells the inputs are of the group, as are effects u ~ N(0, 1) of every output: y = f(t) + u + noise. All scales are of
order one.
"""

import itertools
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from scipy import special, stats

LEVELS = {
    "n": (10, 20, 30, 50, 100, 300, 1000, 5000),
    "d": (1, 5, 20, 200),
    "q": (1, 5, 20),
    "noise": ("normal", "t(1.5)", "lognormal", "100 × corner", "none"),
    "signal": ("none", "linear", "two-branch"),
    "inputs": ("normal", "lognormal", "duplicated", "one-hot"),
    "rows": ("independent", "grouped"),
}

#: The share of rows that have 100 times the noise in the cells with a corner; of one-hot inputs, about.
CORNER = 0.1

#: Of columns that make the score: more would leave no column with a signal worth finding.
SCORE_COLUMNS = 3

#: Of log x over its standard normal score in the cells of lognormal inputs: 1000 rows span about six decades.
LOGNORMAL_SCALE = 2.0

#: One indicator alone is on in this share of rows.
INDICATOR_SHARE = 0.2

#: Where the effects u of groups are summed over: φ is below 1e-22 beyond, and the sum is exact to 1e-4 nats (5e-4 at −8).
EFFECTS = np.arange(-10.0, 10.0, 0.03)

#: Rows × effects of one block of that sum.
BLOCK = 4_000_000


# -------------------------------------------------------------------------------------------------------------- cells
@dataclass(frozen=True)
class Cell:
    """One level of each factor."""

    n: int
    d: int
    q: int
    noise: str
    signal: str
    inputs: str
    rows: str

    @property
    def key(self) -> str:
        """The levels in one line."""
        return " ".join(f"{name}={level}" for name, level in asdict(self).items())

    @property
    def number(self) -> int:
        """Place in the whole product of levels."""
        return int(np.ravel_multi_index(self.places(), [len(levels) for levels in LEVELS.values()]))

    @property
    def cost(self) -> int:
        """About proportional to the seconds of a network's fit; 2 · 10⁶ are about half a minute."""
        return self.n * (self.d + 10) * self.q

    @property
    def grouped(self) -> bool:
        """Whether rows belong together."""
        return self.rows == "grouped"

    @property
    def has_density(self) -> bool:
        """Whether y has a density given x: not where there is neither noise nor the effects of groups."""
        return self.noise != "none" or self.grouped

    @property
    def group_size(self) -> int:
        """Rows of a group: 2 of 10, 5 of 100, 16 of 1000."""
        return max(2, round(np.sqrt(self.n) / 2)) if self.grouped else 1

    def places(self) -> tuple[int, ...]:
        """Place of each level among the levels of its factor."""
        return tuple(LEVELS[name].index(level) for name, level in asdict(self).items())


def choose_cells(count: int | None, levels: dict[str, tuple]) -> list[Cell]:
    """At least `count` cells of some levels, cheapest first: a pairwise covering design, then random ones; None gives all.

    The design, in which each pair of levels of two factors is met, is never cut short. The choice is the same every time.
    """
    if count is None:
        chosen = [Cell(*each) for each in itertools.product(*levels.values())]
    else:
        rng = np.random.default_rng(17)
        chosen = covering_design(levels, rng)
        every = np.array(list(itertools.product(*map(range, map(len, levels.values())))))
        others = (_cell(levels, every[i]) for i in rng.permutation(len(every)))
        taken = set(chosen)
        chosen += itertools.islice((cell for cell in others if cell not in taken), max(0, count - len(chosen)))
    return sorted(chosen, key=lambda cell: (cell.cost, cell.number))


def covering_design(levels: dict[str, tuple], rng: np.random.Generator, tries: int = 100) -> list[Cell]:
    """Few cells in which each pair of levels of two factors is met: of random cells, that with most new pairs, repeatedly."""
    sizes = [len(each) for each in levels.values()]
    factors = list(itertools.combinations(range(len(sizes)), 2))
    missing = {(a, i, b, j): None for a, b in factors for i in range(sizes[a]) for j in range(sizes[b])}
    cells = []
    while missing:
        a, i, b, j = next(iter(missing))
        draws = rng.integers(sizes, size=(tries, len(sizes)))
        draws[:, a], draws[:, b] = i, j
        pairs = [[(a, row[a], b, row[b]) for a, b in factors] for row in draws.tolist()]
        best = int(np.argmax([sum(pair in missing for pair in each) for each in pairs]))
        for pair in pairs[best]:
            missing.pop(pair, None)
        cells.append(_cell(levels, draws[best]))
    return cells


def _cell(levels: dict[str, tuple], places: np.ndarray) -> Cell:
    return Cell(*(each[place] for each, place in zip(levels.values(), places, strict=True)))


# --------------------------------------------------------------------------------------------------------------- rows
@dataclass(frozen=True)
class Rows:
    """Rows of a cell: X (n, d), y (n, q), groups (n,), and, for the true density, score (n,) and corner (n,) of booleans."""

    cell: Cell
    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    score: np.ndarray
    corner: np.ndarray

    def log_density(self, y: np.ndarray | None = None) -> np.ndarray:
        """True log p(y | x) of other y (n, q), or of the rows' own: (n,); in grouped cells of a row of a new group."""
        y = self.y if y is None else y
        signal, corner = signal_of(self.cell, self.score), self.corner[:, None]

        def around(centre: np.ndarray) -> np.ndarray:
            return log_noise(self.cell, y - centre, corner).sum(axis=1)

        if self.cell.signal != "two-branch":
            return around(signal)
        return np.logaddexp(around(signal), around(-signal)) + np.log(0.5)


def draw_training_rows(cell: Cell, seed: int) -> Rows:
    """The training rows (n) of a cell; rows of a group are neighbours."""
    return draw_groups(cell, np.arange(cell.n) // cell.group_size, np.random.default_rng([seed, cell.number, 0]))


def draw_test_rows(cell: Cell, seed: int, count: int) -> Rows:
    """So many fresh rows; in grouped cells each is of a new group of its own."""
    return draw_groups(cell, np.arange(count), np.random.default_rng([seed, cell.number, 1]))


def draw_groups(cell: Cell, groups: np.ndarray, rng: np.random.Generator) -> Rows:
    """Rows of the groups that are named (n,): 0, 1, …, each as often as it has rows."""
    count = groups[-1] + 1
    X, score, corner = (each[groups] for each in draw_inputs(cell, count, rng))
    signal = signal_of(cell, score)
    if cell.signal == "two-branch":
        signal = signal * rng.choice([-1.0, 1.0], size=(len(groups), 1))
    effects = rng.normal(size=(count, cell.q))[groups] if cell.grouped else 0.0
    return Rows(cell, X, signal + effects + draw_noise(cell, corner[:, None], rng), groups, score, corner)


def draw_inputs(cell: Cell, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs (n, d) with their scores (n,), and which rows are in the corner (n,): the CORNER of highest scores."""
    if cell.inputs == "one-hot":
        return draw_indicators(cell.d, n, rng)
    copied = cell.inputs == "duplicated"
    columns = rng.normal(size=(n, -(-cell.d // 2) if copied else cell.d))
    if copied and cell.d == 1:
        columns = np.round(2 * columns) / 2  # there is no column to copy, so values are repeated
    used = columns[:, :SCORE_COLUMNS]
    score = used.sum(axis=1) / np.sqrt(used.shape[1])
    X = np.repeat(columns, 2, axis=1)[:, : cell.d] if copied else columns
    X = np.exp(LOGNORMAL_SCALE * X) if cell.inputs == "lognormal" else X
    return X, score, score >= stats.norm.isf(CORNER)


def draw_indicators(d: int, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The d indicators of one category of d levels, scores and corner; one indicator alone is on or off."""
    if d == 1:
        on = rng.random(n) < INDICATOR_SHARE
        spread = np.sqrt(INDICATOR_SHARE * (1 - INDICATOR_SHARE))
        return on[:, None].astype(float), (on - INDICATOR_SHARE) / spread, on
    level = rng.integers(d, size=n)
    rank = (level + 0.5) / d
    return np.eye(d)[level], stats.norm.ppf(rank), rank >= 1 - CORNER - 1e-9


def signal_of(cell: Cell, score: np.ndarray) -> np.ndarray:
    """Signal (n, q) of scores (n,): outputs alternate in sign; of two branches, the upper one."""
    line = {"none": 0 * score, "linear": 1.5 * score, "two-branch": 2 + 0.5 * score}[cell.signal]
    return line[:, None] * (-1.0) ** np.arange(cell.q)


# -------------------------------------------------------------------------------------------------------------- noise
def draw_noise(cell: Cell, corner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise (n, q) of rows of which `corner` (n, 1) are in the corner."""
    size = len(corner), cell.q
    if cell.noise == "t(1.5)":
        return rng.standard_t(1.5, size)
    if cell.noise == "lognormal":
        return np.exp(rng.normal(size=size)) - 1
    return normal_scale(cell, corner) * rng.normal(size=size)


def log_noise(cell: Cell, e: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Log density (n, q) of noise, with the effect of a group where the cell has groups, at e (n, q)."""
    if not cell.has_density:
        raise ValueError(f"y has no density given x where there is no noise: {cell.key}")
    if cell.noise in HEAVY:
        return add_effect(HEAVY[cell.noise], e) if cell.grouped else HEAVY[cell.noise](e)
    return stats.norm.logpdf(e, scale=np.sqrt(normal_scale(cell, corner) ** 2 + cell.grouped))


def normal_scale(cell: Cell, corner: np.ndarray) -> np.ndarray:
    """Standard deviation (n, 1) of normal noise."""
    inside = {"normal": 1.0, "100 × corner": 100.0, "none": 0.0}[cell.noise]
    return np.where(corner, inside, min(inside, 1.0))


def log_t(e: np.ndarray) -> np.ndarray:
    """Log density of Student's t with 1.5 degrees of freedom."""
    return special.gammaln(1.25) - special.gammaln(0.75) - 0.5 * np.log(1.5 * np.pi) - 1.25 * np.log1p(e**2 / 1.5)


def log_lognormal(e: np.ndarray) -> np.ndarray:
    """Log density of exp(z) − 1, z standard normal."""
    with np.errstate(divide="ignore"):
        z = np.log(np.maximum(e + 1, 0))
    return np.where(e > -1, -0.5 * z**2 - np.where(e > -1, z, 0) - 0.5 * np.log(2 * np.pi), -np.inf)


HEAVY = {"t(1.5)": log_t, "lognormal": log_lognormal}


def add_effect(log_density: Callable[[np.ndarray], np.ndarray], e: np.ndarray) -> np.ndarray:
    """Log density at e (n, q) of noise of a log density plus a standard normal effect, by the trapezoidal rule."""
    weight = stats.norm.pdf(EFFECTS) * (EFFECTS[1] - EFFECTS[0])
    blocks = np.array_split(e.ravel(), -(-e.size * len(EFFECTS) // BLOCK))
    density = np.concatenate([np.exp(log_density(each[:, None] - EFFECTS)) @ weight for each in blocks])
    with np.errstate(divide="ignore"):
        return np.log(density).reshape(e.shape)
