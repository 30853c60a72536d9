"""The figures of the report as plotly charts, without plotly.js itself: the page holds that once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from morula.core.columns import FloatArray
from morula.core.evaluation import ErrorFreeCurve
from morula.core.history import TrainingHistory
from morula.core.lineages import Lineages
from morula.core.tracks import Tracks
from morula.view.report_data import LabelledEvaluation

if TYPE_CHECKING:
    import plotly.graph_objects as go

OURS, BASELINE, ACCENT, QUIET = "#0f766e", "#c2410c", "#4f46e5", "#94a3b8"
_DASHES = ("solid", "dash", "dot", "dashdot")
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
_HEIGHT_PX = 330


def load_plotly_script() -> str:
    """Return plotly.js (about 4.8 MB) as it comes with the plotly package; nothing is fetched."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def draw_error_free(ours: Sequence[LabelledEvaluation], baseline: Sequence[LabelledEvaluation]) -> str:
    """Draw the share of error-free lineages over their length, ours and the baseline's, as an HTML fragment."""
    figure = _start_figure("length of the history (frames)", "without an error (%)")
    for colour, group in ((OURS, ours), (BASELINE, baseline)):
        for dash, one in zip(_DASHES * len(group), group, strict=False):
            curve = one.evaluation.error_free
            figure.add_scatter(
                x=curve.window_frames.tolist(),
                y=[None if np.isnan(f) else 100 * f for f in curve.fraction.tolist()],
                customdata=curve.n_segments.tolist(),
                name=_label_curve(one),
                mode="lines+markers" if len(curve.window_frames) <= 40 else "lines",
                line={"color": colour, "width": 3, "dash": dash},
                hovertemplate="%{y:.1f} % of %{customdata} histories over %{x} frames",
            )
    figure.update_yaxes(range=[_find_floor([one.evaluation.error_free for one in (*ours, *baseline)]), 101])
    return _to_html(figure, "chart-error-free")


def draw_cell_counts(lineages: Lineages, annotations: Sequence[Tracks], n_frames: int) -> str:
    """Draw the number of tracked cells and of divisions over time as an HTML fragment."""
    figure = _start_figure("frame", "cells")
    frames = list(range(n_frames))
    cells = np.bincount(lineages.nodes.t, minlength=n_frames)[:n_frames]
    mothers = lineages.tracks.n_children == 2
    divisions = np.bincount(lineages.nodes.t[mothers], minlength=n_frames)[:n_frames]
    figure.add_bar(x=frames, y=divisions.tolist(), name="divisions", marker_color="#e9a23b")
    if annotations:
        annotated = sum(np.bincount(tracks.t, minlength=n_frames)[:n_frames] for tracks in annotations)
        figure.add_scatter(
            x=frames,
            y=np.asarray(annotated).tolist(),
            name="annotated",
            mode="lines",
            line={"color": QUIET, "width": 2},
        )
    figure.add_scatter(x=frames, y=cells.tolist(), name="tracked cells", mode="lines", line={"color": OURS, "width": 3})
    figure.update_yaxes(rangemode="tozero")
    return _to_html(figure, "chart-cells")


def draw_doubts(doubts: FloatArray) -> str:
    """Draw how many pasts of each frame are probably wrong, as an HTML fragment."""
    figure = _start_figure("frame", "probably wrong")
    frames = list(range(len(doubts)))
    figure.add_bar(x=frames, y=doubts.tolist(), name="pasts probably wrong", marker_color=BASELINE, showlegend=False)
    figure.update_yaxes(rangemode="tozero")
    return _to_html(figure, "chart-doubts")


def draw_losses(history: TrainingHistory) -> str:
    """Draw both losses over the iterations, on a logarithmic axis, as an HTML fragment."""
    figure = _start_figure("iteration", "loss")
    for name, loss, colour in (
        ("cell indicator", history.indicator_loss, OURS),
        ("movement", history.movement_loss, ACCENT),
    ):
        figure.add_scatter(
            x=history.iteration.tolist(),
            y=[value if value > 0 else None for value in loss.tolist()],
            name=name,
            mode="lines",
            line={"color": colour, "width": 2},
        )
    figure.update_yaxes(type="log", dtick=1, exponentformat="power")
    return _to_html(figure, "chart-losses")


def draw_recall(history: TrainingHistory) -> str:
    """Draw the share of held-out annotations that were found, over the iterations, as an HTML fragment."""
    figure = _start_figure("iteration", "held-out nuclei found (%)")
    figure.add_scatter(
        x=history.val_iteration.tolist(),
        y=(100 * history.val_recall).tolist(),
        name="recall",
        mode="lines+markers",
        line={"color": OURS, "width": 3},
        showlegend=False,
    )
    figure.update_yaxes(range=[0, 103])
    return _to_html(figure, "chart-recall")


def draw_movement(history: TrainingHistory) -> str:
    """Draw the error of the movement vectors beside that of predicting no motion, as an HTML fragment."""
    figure = _start_figure("iteration", "error (µm)")
    for name, error, line in (
        ("predicting no motion", history.val_no_motion_um, {"color": QUIET, "width": 2, "dash": "dash"}),
        ("movement vectors", history.val_movement_um, {"color": ACCENT, "width": 3}),
    ):
        figure.add_scatter(
            x=history.val_iteration.tolist(), y=error.tolist(), name=name, mode="lines+markers", line=line
        )
    figure.update_yaxes(rangemode="tozero")
    return _to_html(figure, "chart-movement")


def _label_curve(one: LabelledEvaluation) -> str:
    text = f"{one.label} ({one.note})" if one.note else one.label
    return text.replace("<", "‹").replace(">", "›")  # plotly reads markup in names


def _find_floor(curves: Sequence[ErrorFreeCurve]) -> float:
    """Return where the axis begins: 0, unless all curves stay high, so that they can still be told apart."""
    lowest = min((float(np.nanmin(c.fraction)) for c in curves if (~np.isnan(c.fraction)).any()), default=0.0)
    return 0.0 if lowest < 0.6 else 10 * np.floor(10 * lowest - 0.5)


def _start_figure(x_title: str, y_title: str) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    axis = {"showgrid": True, "gridcolor": "#e5eaf0", "linecolor": "#94a3b8", "zeroline": False, "ticks": "outside"}
    figure.update_layout(
        template="none",
        height=_HEIGHT_PX,
        margin={"l": 62, "r": 16, "t": 34, "b": 48},
        font={"family": _FONT, "size": 13, "color": "#1f2937"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="x unified",
        xaxis={**axis, "title": {"text": x_title}, "tickcolor": "#94a3b8"},
        yaxis={**axis, "title": {"text": y_title}, "tickcolor": "#94a3b8"},
    )
    return figure


def _to_html(figure: go.Figure, div_id: str) -> str:
    import plotly.io

    config = {"displaylogo": False, "displayModeBar": False, "responsive": True, "plotlyServerURL": ""}
    return str(
        plotly.io.to_html(
            figure,
            include_plotlyjs=False,
            full_html=False,
            div_id=div_id,
            config=config,
            default_height=f"{_HEIGHT_PX}px",
        )
    )
