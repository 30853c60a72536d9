"""The second round of training: lineages found after the first become labels, dense where annotations are sparse.

Only lineages that hold together over some frames are believed, annotations win over them, and every other detection is
left undecided, so that a false cell is not taught and a missed one is not taught to be background.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from morula.core.columns import BoolArray, FloatArray, FrameArray, IntArray
from morula.core.detections import Detections
from morula.core.history import TrainingHistory
from morula.core.lineages import Lineages
from morula.core.tracks import Tracks
from morula.network.model import Model
from morula.train.labels import MERGE_PER_MASK, LabelKind, Labels, annotation_labels, join_labels
from morula.train.params import TrainParams

_FEWEST_FRAMES = 4
_RECALL_MARGIN = 0.03
_MOVEMENT_MARGIN = 1.1


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """What the first round leaves to the second.

    Parameters
    ----------
    model
        Weights to start from.
    lineages
        Lineages found with them.
    detections
        Everything detected, in lineages or not.
    """

    model: Model
    lineages: Lineages
    detections: Detections


def add_lineages(labels: Labels, teacher: Teacher, annotations: Tracks, params: TrainParams) -> Labels:
    """Return the labels of the second round: lineages take the place of the blobs they lie on.

    Clear blobs that no lineage has taken stay nuclei: many are second daughters the first round missed, which would
    otherwise lie in the ball around their sister and be taught to be background.

    Parameters
    ----------
    labels
        Annotations and blobs, as in the first round.
    teacher
        Outcome of the first round.
    annotations
        Hand-made points, which win over lineages.
    params
        What is one nucleus.
    """
    radius_um = MERGE_PER_MASK * params.mask_radius_um
    taught = teacher_labels(teacher, annotations, radius_um)
    believed, _ = taught.split(LabelKind.LINEAGE)
    blobs, others = labels.split(LabelKind.CLEAR_BLOB, LabelKind.WEAK_BLOB)
    return join_labels([others, taught, drop_near(blobs, believed, radius_um)])


def teacher_labels(teacher: Teacher, annotations: Tracks, radius_um: float) -> Labels:
    """Turn lineages into labels, and detections outside them into points where nothing is known.

    Parameters
    ----------
    teacher
        Outcome of the first round.
    annotations
        Hand-made points; labels within `radius_um` of them are left out.
    radius_um
        Distance within which two points of a frame are one nucleus.
    """
    tracks = teacher.lineages.tracks
    believed = _spans(teacher.lineages) >= _FEWEST_FRAMES
    sure = annotation_labels(tracks).rows(believed).with_kind(LabelKind.LINEAGE)
    mothers = find_sound_divisions(tracks)
    daughters = (tracks.parent_row >= 0) & mothers[tracks.parent_row]
    sure = replace(sure, divides=_seen(mothers[believed]), born=_seen(daughters[believed]))
    sure = _without(sure, annotations.t, annotations.zyx_um, radius_um)
    found = teacher.detections
    unsure = Labels.of_points(found.t, found.zyx_um, np.full(found.n, LabelKind.WEAK_BLOB))
    unsure = _without(unsure, annotations.t, annotations.zyx_um, radius_um)
    unsure = _without(unsure, sure.t, sure.zyx_um, radius_um)
    return join_labels([sure, unsure])


def find_sound_divisions(tracks: Tracks) -> BoolArray:
    """Mark the mothers whose division is believed, shape (n,): she and both daughters are followed for some frames.

    Divisions are where lineages are most often wrong. A false one mostly has a short branch, where a false cell or a
    broken track was taken for a daughter. A track may be short only where the movie begins or ends.
    """
    tracklet = tracks.tracklet_id()
    frames = np.bincount(tracklet)
    long = frames[tracklet] >= _FEWEST_FRAMES
    first, last = tracks.t.min(initial=0), tracks.t.max(initial=0)
    begins = np.isin(tracklet, tracklet[tracks.t == first])
    ends = np.isin(tracklet, tracklet[tracks.t == last])
    daughters = np.bincount(tracks.parent_row[(tracks.parent_row >= 0) & (long | ends)], minlength=tracks.n)
    sound: BoolArray = (tracks.n_children == 2) & (daughters == 2) & (long | begins)
    return sound


def _seen(happens: BoolArray) -> IntArray:
    """Return 1 where an event is believed, −1 elsewhere: a lineage that shows none may have missed it."""
    return np.where(happens, 1, -1)


def keeps_what_was_learned(first: TrainingHistory, second: TrainingHistory) -> bool:
    """Whether the held-out annotations allow the second round: as many nuclei found, vectors not clearly worse.

    True where nothing was held out. Lineages of few, slow or large nuclei jitter more than the annotations they are
    learned beside; then the first round is the better one.
    """
    if not len(first.val_iteration) or not len(second.val_iteration):
        return True
    finds = second.val_recall[-1] >= first.val_recall[-1] - _RECALL_MARGIN
    follows = second.val_movement_um[-1] <= _MOVEMENT_MARGIN * first.val_movement_um[-1]
    return bool(finds and follows)


def drop_near(labels: Labels, others: Labels, radius_um: float) -> Labels:
    """Return the labels that are not within a distance of other labels in their frame."""
    return _without(labels, others.t, others.zyx_um, radius_um)


def _spans(lineages: Lineages) -> FrameArray:
    """Frames from the first to the last point of each point's lineage, shape (n,)."""
    n = int(lineages.lineage_id.max(initial=-1)) + 1
    first, last = np.full(n, np.iinfo(np.int32).max, np.int32), np.zeros(n, np.int32)
    np.minimum.at(first, lineages.lineage_id, lineages.nodes.t)
    np.maximum.at(last, lineages.lineage_id, lineages.nodes.t)
    spans: FrameArray = (last - first + 1)[lineages.lineage_id]
    return spans


def _without(labels: Labels, t: FrameArray, zyx_um: FloatArray, radius_um: float) -> Labels:
    keep = np.ones(len(labels.t), bool)
    for frame in np.unique(t):
        rows = labels.frame(int(frame))
        if rows.stop > rows.start:
            distance, _ = cKDTree(zyx_um[t == frame]).query(labels.zyx_um[rows])
            keep[rows] = np.asarray(distance) >= radius_um
    return labels.rows(keep)
