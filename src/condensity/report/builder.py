"""Builds the page: one HTML file that needs nothing else, written whole or not at all."""

import base64
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from typing import Any

from condensity.plots.style import model_colours
from condensity.report.charts import CHARTS, Scene, draw_charts
from condensity.report.pictures import Picture
from condensity.report.study import SCALE_POINTS, DataSet, Fit, Measures, Study

COLUMNS = ("set", "model", "fit seconds", "components", "converged", "largest σ", "test NLL", "NLL − H*")


@dataclass(frozen=True)
class Cell:
    """One number of a table as text, with a mark: "best", "no" or ""."""

    text: str
    mark: str = ""


@dataclass(frozen=True)
class ModelView:
    """The part of the page about one model."""

    fit: Fit
    measures: Measures
    findings: tuple[Any, ...]
    notes: list[str]
    colour: str
    cells: list[Cell]
    pictures: dict[str, list[Picture]]


@dataclass(frozen=True)
class SectionView:
    """The part of the page about one data set."""

    data: DataSet
    sentence: str
    pictures: dict[str, list[Picture]]
    remarks: list[str]
    models: list[ModelView]

    @property
    def drawn(self) -> set[str]:
        """Keys of the charts that it shows."""
        shown = [self.pictures, *(model.pictures for model in self.models)]
        return {key for pictures in shown for key, drawn in pictures.items() if drawn}


def three_digits(value: float) -> str:
    """A number rounded to three digits, positional up to a million.

    Parameters
    ----------
    value : float

    Examples
    --------
    >>> three_digits(1681.2), three_digits(0.012345)
    ('1680', '0.0123')
    """
    return f"{float(f'{value:.3g}'):g}"


def has_truth(studies: Sequence[Study]) -> bool:
    """Whether H* is given for any data set, so that NLL − H* has a column.

    Parameters
    ----------
    studies : sequence of Study
    """
    return any(study.data.conditional_entropy is not None for study in studies)


def column_names(studies: Sequence[Study]) -> tuple[str, ...]:
    """Heads of the table of numbers.

    Parameters
    ----------
    studies : sequence of Study
    """
    return COLUMNS if has_truth(studies) else COLUMNS[:-1]


def table_rows(study: Study, n_columns: int) -> list[list[Cell]]:
    """The cells of every model of a study, in the order of COLUMNS from the third to the given number.

    Parameters
    ----------
    study : Study
    n_columns : int
        Columns of the table, the two of names among them.
    """
    best = min((m.nll for m in study.measures if math.isfinite(m.nll)), default=math.nan)
    return [_cells(fit, m, best)[: n_columns - 2] for fit, m in zip(study.fits, study.measures, strict=True)]


def _cells(fit: Fit, measures: Measures, best: float) -> list[Cell]:
    converged = {True: "yes", False: "no", None: "–"}[measures.converged]
    error = f" ± {measures.nll_error:.3f}" if math.isfinite(measures.nll_error) else ""
    return [
        Cell("–" if fit.seconds is None else f"{fit.seconds:.2f}"),
        Cell(str(measures.components)),
        Cell(converged, "no" if converged == "no" else ""),
        Cell("–" if math.isnan(measures.largest_scale) else three_digits(measures.largest_scale)),
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
        Called with a line about the section that is being drawn.

    Returns
    -------
    str
        HTML without any reference to another file or address; text from the user is escaped.
    """
    sections = []
    for study in studies:
        progress(f"drawing {study.data.name}")
        sections.append(_section(study, random_state, len(column_names(studies))))
    drawn = set().union(*(section.drawn for section in sections))
    return _render(
        title=title,
        lead=lead,
        colophon=f"Made by condensity {library_version()}; random_state = {random_state}.",
        columns=column_names(studies),
        sections=sections,
        charts=[chart for chart in CHARTS if chart.key in drawn],
        scale_points=SCALE_POINTS,
        has_truth=has_truth(studies),
        has_other_features=bool(drawn) and any(len(study.data.feature_names) > 1 for study in studies),
    )


def _render(**content: Any) -> str:
    """The template with its content, the style and the script inside, and the script's hash in the page's policy."""
    import jinja2
    from markupsafe import Markup

    files = resources.files("condensity.report")
    template, script, style = (
        files.joinpath(f"page.{kind}").read_text(encoding="utf-8") for kind in ("html.j2", "js", "css")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    # Markup marks our own files as safe; everything else is escaped.
    safe = {"script": Markup(script), "style": Markup(style), "script_hash": Markup(f"sha256-{digest}")}
    return environment.from_string(template).render(**content, **safe)


def library_version() -> str:
    """Version of the installed condensity."""
    return metadata.version("condensity")


def _section(study: Study, random_state: int, n_columns: int) -> SectionView:
    colours = model_colours(fit.name for fit in study.fits)
    scene = Scene(study, colours, random_state, [])
    pictures, models = draw_charts(scene), []
    rows = zip(study.fits, study.measures, table_rows(study, n_columns), strict=True)
    for position, (fit, measures, cells) in enumerate(rows):
        drawn = draw_charts(scene._replace(fit=fit))
        # How the fit ended stands on the page in any case; its warning would repeat it.
        notes = [note for note in fit.notes if not (measures.outcome and measures.outcome in note)]
        models.append(ModelView(fit, measures, study.findings(position), notes, colours[fit.name], cells, drawn))
    return SectionView(study.data, _sentence(study.data), pictures, scene.remarks, models)


def _sentence(data: DataSet) -> str:
    """Where the rows come from and what the charts show."""
    text = data.split
    if data.has_one_target:
        text += f" The charts show {data.target} along {data.along_name}"
        others = len(data.feature_names) - 1
        if others:
            text += f"; the other {'column is' if others == 1 else f'{others} columns are'} held at typical values"
        text += "."
    else:
        text += " The test NLL is that of all targets together; a section for each target follows."
    if data.conditional_entropy is not None:
        text += f" H* = {data.conditional_entropy:.3f} nats."
    return text
