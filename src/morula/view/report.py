"""The report: one HTML page that contains everything it shows and loads nothing from the network.

Owns the page and how it is written; every figure in it was computed by the stages before. The same data give the same
bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from morula.core.history import TrainingHistory
from morula.core.movie import Movie
from morula.core.progress import ProgressSink, ignore_progress
from morula.errors import DiskError
from morula.view import charts, wording
from morula.view.checks import CheckList, count_doubts, list_checks
from morula.view.colours import PALETTE
from morula.view.overlays import TAIL_FRAMES, Overlay, OverlaySource
from morula.view.places import Place, gather_places, stack_places
from morula.view.projections import Canvas, Projection, choose_frames, project_frames
from morula.view.report_data import ReportData
from morula.view.summary import summarise_run, summarise_scores
from morula.view.tree_drawing import draw_forest
from morula.view.trees import lay_out_forest

_BAR_STEPS_UM = (1000, 500, 200, 100, 50, 20, 10, 5, 2, 1)


@dataclass(frozen=True, slots=True)
class FrameView:
    """One frame of the movie on the page.

    Parameters
    ----------
    projection, overlay
        The pictures, and what is drawn over them.
    time
        Time since the first frame in words, empty where the frame interval is unknown.
    """

    projection: Projection
    overlay: Overlay
    time: str


@dataclass(frozen=True, slots=True)
class MovieView:
    """The movie on the page.

    Parameters
    ----------
    canvas
        Where µm lie.
    views, frames
        The frames shown and their numbers.
    n_frames, tail_frames
        Frames of the movie, and how far back tracks are drawn.
    bar_um, bar_units
        Length of the scale bar in µm and in drawing units.
    has_train, has_val, has_mistakes
        Which switches make sense.
    """

    canvas: Canvas
    views: tuple[FrameView, ...]
    frames: list[int]
    n_frames: int
    tail_frames: int
    bar_um: int
    bar_units: float
    has_train: bool
    has_val: bool
    has_mistakes: bool


def write_report(data: ReportData, path: str | os.PathLike[str], *, progress: ProgressSink = ignore_progress) -> Path:
    """Write the report page; a page already there is replaced only once the new one is complete.

    Parameters
    ----------
    data
        What to show.
    path
        The HTML file; its folder must exist.
    progress
        Told of every frame read.

    Returns
    -------
    path
        The file written.

    Raises
    ------
    DiskError
        If the file cannot be written.
    ChunkError
        If a frame cannot be read.
    """
    page = render_report(data, progress=progress)
    target = Path(path)
    unfinished = target.with_name(f".{target.name}.part")
    try:
        unfinished.write_text(page, encoding="utf-8")
        unfinished.replace(target)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise DiskError(
            f"{target}: the report cannot be written.",
            measured=f"{error.strerror or error}; the page has {len(page) / 1e6:.1f} MB",
            cause="a full disk, a missing folder, or a folder that is write-protected",
            fix="make room or choose another place; nothing else is lost, `morula report` makes the page again",
        ) from error
    return target


def render_report(data: ReportData, *, progress: ProgressSink = ignore_progress) -> str:
    """Return the report as one HTML text."""
    places = gather_places(data.evaluations[0].evaluation) if data.evaluations else []
    checklist = None if data.sureness is None else list_checks(data.lineages, data.sureness)
    scores = summarise_scores(data)
    forest = lay_out_forest(data.lineages)
    context = {
        "data": data,
        "summary": summarise_run(data),
        "scores": scores,
        "checklist": checklist,
        "movie": _view_movie(data, places, checklist, progress),
        "forest": forest,
        "trees": draw_forest(forest, data.movie.n_frames),
        "places": places,
        "charts": _draw_charts(data),
        "plotly_script": charts.load_plotly_script(),
        "contents": _list_contents(data, places, checklist),
    }
    return _load_templates().get_template("report.html.j2").render(context)


def _view_movie(
    data: ReportData, places: list[Place], checklist: CheckList | None, progress: ProgressSink
) -> MovieView:
    per_frame = data.lineages.nodes.n / data.movie.n_frames
    wanted = [place.t for place in places] or [check.t for check in (checklist.checks if checklist else [])]
    frames = choose_frames(data.movie, wanted, cells_per_frame=per_frame)
    canvas = Canvas.of_movie(data.movie)
    source = OverlaySource(canvas, data.detections, data.lineages, data.train, data.val, stack_places(places))
    views = tuple(
        FrameView(projection, source.draw_frame(projection.t), _say_time(data.movie, projection.t))
        for projection in project_frames(data.movie, frames, progress=progress)
    )
    width_um = float(canvas.size_um[2])
    bar_um = next((step for step in _BAR_STEPS_UM if step <= width_um / 5), 1)
    return MovieView(
        canvas=canvas,
        views=views,
        frames=frames,
        n_frames=data.movie.n_frames,
        tail_frames=TAIL_FRAMES,
        bar_um=bar_um,
        bar_units=bar_um * canvas.units_per_um,
        has_train=data.train is not None and data.train.n > 0,
        has_val=data.val is not None and data.val.n > 0,
        has_mistakes=bool(places),
    )


def _say_time(movie: Movie, t: int) -> str:
    return "" if movie.frame_interval_s == 1.0 else f"after {wording.say_duration(t * movie.frame_interval_s)}"


def _draw_charts(data: ReportData) -> Mapping[str, str]:
    annotations = [tracks for tracks in (data.train, data.val) if tracks is not None and tracks.n]
    drawn = dict.fromkeys(("error_free", "doubts", "losses", "recall", "movement"), "")
    drawn["cells"] = charts.draw_cell_counts(data.lineages, annotations, data.movie.n_frames)
    if data.evaluations or data.baseline:
        drawn["error_free"] = charts.draw_error_free(data.evaluations, data.baseline)
    if data.sureness is not None:
        drawn["doubts"] = charts.draw_doubts(count_doubts(data.lineages, data.sureness, data.movie.n_frames))
    if data.history is not None:
        drawn |= _draw_training(data.history)
    return drawn


def _draw_training(history: TrainingHistory) -> dict[str, str]:
    drawn: dict[str, str] = {}
    makers: dict[str, tuple[int, Callable[[TrainingHistory], str]]] = {
        "losses": (len(history.iteration), charts.draw_losses),
        "recall": (len(history.val_iteration), charts.draw_recall),
        "movement": (len(history.val_iteration), charts.draw_movement),
    }
    for name, (length, draw) in makers.items():
        if length:
            drawn[name] = draw(history)
    return drawn


def _list_contents(data: ReportData, places: list[Place], checklist: CheckList | None) -> list[tuple[str, str]]:
    sections = [
        ("summary", "In short", True),
        ("movie", "Movie", True),
        ("trees", "Lineage trees", True),
        ("cells", "Cells over time", True),
        ("errors", "How good it is", True),
        ("places", "Worst places", bool(places)),
        ("checks", "Places to check first", bool(checklist and checklist.checks)),
        ("training", "Training", data.history is not None),
        ("work", "How it was made", bool(data.solve or data.stages)),
        ("settings", "Settings", bool(data.settings or data.versions)),
    ]
    return [(anchor, name) for anchor, name, shown in sections if shown]


def _load_templates() -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("morula.view", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (wording.say_count, wording.say_number, wording.say_percent, wording.say_duration)
    templates.globals |= {word.__name__: word for word in words}
    templates.globals |= {"status_words": wording.STATUS_WORDS, "palette": PALETTE}
    return templates
