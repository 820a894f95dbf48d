"""Networks trained on parts of the rows, with the rows held out of them: what a fit is judged by."""

from collections.abc import Sequence

import numpy as np

from condensity.data.splitting import N_FOLDS, fold_splits, held_out_splits
from condensity.engines.types import TrainingRows, all_rows
from condensity.monitor import Monitor
from condensity.training.gaussian_init import GaussianInit
from condensity.training.linear import fit_linear_gaussian
from condensity.training.race import Candidate, CandidateRace
from condensity.training.result import NetworkCrossFit
from condensity.training.settings import Recipe


def of_candidate(race: CandidateRace, candidate: Candidate) -> list[NetworkCrossFit]:
    """Networks of the `candidate` of a `race` and their validation rows; none where nothing was held out."""
    inits: Sequence[GaussianInit | None] = race.gaussian_inits or [None] * len(candidate.splits)
    n, network = len(race.table.y) // race.n_copies, candidate.fitted
    return [
        NetworkCrossFit(kept % n, out % n, race.table.take(out % n)._replace(offset=None), network, *rest)
        for (kept, out), *rest in zip(candidate.splits, candidate.training.parameters, inits, strict=True)
        if len(out)
    ]


def of_full_runs(race: CandidateRace, recipes: Sequence[Recipe]) -> list[NetworkCrossFit]:
    """Networks trained over the whole schedule of a `race`, by the first of the `recipes`, on parts of its rows."""
    rows, settings = race.rows, race.settings
    splits = held_out_splits(len(rows.y), settings.validation_fraction, race.rng, rows.splitter)
    return [_full_run(race, recipes[0], kept, out) for kept, out in splits]


def _full_run(race: CandidateRace, recipe: Recipe, kept: np.ndarray, out: np.ndarray) -> NetworkCrossFit:
    part = CandidateRace(
        race.settings, race.rows.take(kept), race.rng, Monitor(), race.compute, None, race.fit_gaussian_init
    )
    (candidate,) = part.train_candidates([recipe], [all_rows(len(kept))])
    init = None if part.gaussian_inits is None else part.gaussian_inits[0]
    parameters = candidate.training.parameters[0]
    return NetworkCrossFit(kept, out, race.rows.take(out), candidate.fitted, parameters, init)


def of_linear(rows: TrainingRows, rng: np.random.Generator) -> list[NetworkCrossFit]:
    """Normals with a linear mean fitted to folds of the `rows`, drawn by `rng`."""
    splits = [split for split in fold_splits(len(rows.y), N_FOLDS, rng, rows.splitter) if len(split[0])]
    fits = [fit_linear_gaussian(rows.take(kept)) for kept, _ in splits]
    return [
        NetworkCrossFit(kept, out, rows.take(out), network, theta, None)
        for (kept, out), (theta, network) in zip(splits, fits, strict=True)
    ]
