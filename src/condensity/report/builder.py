"""Builds the page: one HTML file that needs nothing else, written whole or not at all."""

import base64
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata, resources

from condensity.report.figures import (
    Picture,
    data_picture,
    edges_pictures,
    model_pictures,
    reverse_pictures,
    slice_pictures,
    study_colours,
)
from condensity.report.study import SCALE_POINTS, DataSet, Fit, Measures, Study

COLUMNS = ("set", "model", "fit seconds", "components", "converged", "largest σ", "test NLL", "NLL − H*")


@dataclass(frozen=True)
class Cell:
    """One number of a table as text, with a mark: "best", "no" or ""."""

    text: str
    mark: str = ""


@dataclass(frozen=True)
class ModelView:
    """What the page shows of one model."""

    fit: Fit
    measures: Measures
    findings: tuple
    notes: list[str]
    colour: str
    cells: list[Cell]
    pictures: list[Picture]


@dataclass(frozen=True)
class SectionView:
    """What the page shows of one data set."""

    data: DataSet
    sentence: str
    slices: list[Picture]
    reverse: list[Picture]
    models: list[ModelView]


def three_digits(value: float) -> str:
    """A number rounded to three digits, positional up to a million: 1680 rather than 1.68e+03."""
    return f"{float(f'{value:.3g}'):g}"


def knows_truth(studies: Sequence[Study]) -> bool:
    """Whether H* is known of any data set, so that NLL − H* has a column."""
    return any(study.data.entropy is not None for study in studies)


def column_names(studies: Sequence[Study]) -> tuple[str, ...]:
    """Heads of the table of numbers."""
    return COLUMNS if knows_truth(studies) else COLUMNS[:-1]


def table_rows(study: Study, n_columns: int) -> list[list[Cell]]:
    """The cells of every model of a study, in the order of COLUMNS from the third to the given number."""
    best = min((m.nll for m in study.measures if math.isfinite(m.nll)), default=math.nan)
    return [_cells(fit, m, best)[: n_columns - 2] for fit, m in zip(study.fits, study.measures, strict=True)]


def _cells(fit: Fit, measures: Measures, best: float) -> list[Cell]:
    converged = {True: "yes", False: "no", None: "–"}[measures.converged]
    error = f" ± {measures.nll_error:.3f}" if math.isfinite(measures.nll_error) else ""
    return [
        Cell("–" if fit.seconds is None else f"{fit.seconds:.2f}"),
        Cell(str(measures.components)),
        Cell(converged, "no" if converged == "no" else ""),
        Cell(three_digits(measures.largest_scale)),
        Cell(f"{measures.nll:.3f}{error}", "best" if measures.nll == best else ""),
        Cell("–" if measures.excess is None else f"{measures.excess:.3f}"),
    ]


def build_page(
    studies: Sequence[Study],
    *,
    title: str,
    lead: str,
    random_state: int,
    progress: Callable[[str], object] = lambda _: None,
) -> str:
    """The whole page as text.

    Parameters
    ----------
    studies : sequence of Study
    title, lead : str
        Heading and opening sentence.
    random_state : int
        Seed of the draws that are shown; named on the page.
    progress : callable (str)
        Told what is being drawn.

    Returns
    -------
    str
        HTML without any reference to another file or address; text from the user is escaped.
    """
    import jinja2
    from markupsafe import Markup

    files = resources.files("condensity.report")
    script = files.joinpath("page.js").read_text(encoding="utf-8")
    template = files.joinpath("page.html.j2").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    columns = column_names(studies)
    sections = []
    for study in studies:
        progress(f"drawing {study.data.name}")
        sections.append(_section(study, random_state, len(columns)))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(template).render(
        title=title,
        lead=lead,
        colophon=f"Made by condensity {library_version()}; random_state = {random_state}.",
        columns=columns,
        sections=sections,
        scale_points=SCALE_POINTS,
        knows_truth=knows_truth(studies),
        knows_support=any(section.reverse for section in sections),
        fitted_here=any(fit.seconds is not None for study in studies for fit in study.fits),
        has_other_features=any(len(study.data.feature_names) > 1 for study in studies),
        # Markup marks our own files as safe; everything else is escaped.
        script=Markup(script),
        style=Markup(files.joinpath("page.css").read_text(encoding="utf-8")),
        script_hash=Markup(f"sha256-{digest}"),
    )


def library_version() -> str:
    """Version of the installed condensity."""
    return metadata.version("condensity")


def _section(study: Study, random_state: int, n_columns: int) -> SectionView:
    data, colours, shared = study.data, study_colours(study), data_picture(study.data)
    models = []
    rows = zip(study.fits, study.measures, table_rows(study, n_columns), strict=True)
    for position, (fit, measures, cells) in enumerate(rows):
        colour = colours[fit.name]
        pictures = [shared, *model_pictures(data, fit, measures, colour, random_state)]
        pictures += edges_pictures(data, fit, colour, random_state)
        # How the fit ended stands on the page in any case; its warning would say it again.
        notes = [note for note in fit.notes if not (measures.outcome and measures.outcome in note)]
        models.append(ModelView(fit, measures, study.findings(position), notes, colour, cells, pictures))
    return SectionView(data, _sentence(data), slice_pictures(study), reverse_pictures(study), models)


def _sentence(data: DataSet) -> str:
    """What the data are and how the test rows were chosen."""
    names = data.feature_names
    text = f"{data.split} The charts show {data.target} along {names[data.along]}"
    if len(names) > 1:
        text += f"; the other {len(names) - 1} features are held at their medians"
    text += "."
    if data.entropy is not None:
        text += f" H* = {data.entropy:.3f} nats."
    return text
