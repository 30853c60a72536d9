"""What a movie and its annotations say about themselves, in numbers with units.

Owns the container; `morula.measure.movie` fills it.
"""

from __future__ import annotations

from dataclasses import dataclass

from morula.measure.motion import Drift, Motion

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """Figures measured on a few annotated frames.

    Parameters
    ----------
    frames
        Frames looked at.
    n_points, n_links, n_divisions
        Size of the annotations.
    n_outside
        Annotated points outside the movie; they are left out of everything else.
    share_on_blobs
        Share of the annotated points within a nucleus radius of a blob of the image, 0 to 1.
    blob_sigma_um
        Scale of the nuclei as blobs (`morula.peaks.scale.fit_blob_scale`), µm.
    blob_threshold
        Least response of a nucleus, units of intensity.
    nucleus_radius_um
        Half-width of a nucleus at half height, µm, order z, y, x.
    spacing_um
        Median distance from a blob to the nearest other one in its frame, µm; None if no frame has two.
    nuclei_per_frame
        Median number of blobs in a frame, scaled up where only a part of the frame was read.
    motion
        Displacements of annotated cells.
    drifts
        Shift of the image between consecutive frames, for some pairs.
    signal, background, noise
        Median intensity at blob centres, 20th percentile of all voxels, and noise (robust standard deviation of the
        difference of neighbouring voxels, over the square root of two), units of intensity.
    intensity_percentiles
        Pairs of percentile and intensity, median over the frames.
    """

    frames: tuple[int, ...]
    n_points: int
    n_links: int
    n_divisions: int
    n_outside: int
    share_on_blobs: float
    blob_sigma_um: float
    blob_threshold: float
    nucleus_radius_um: Triple
    spacing_um: float | None
    nuclei_per_frame: float
    motion: Motion
    drifts: tuple[Drift, ...]
    signal: float
    background: float
    noise: float
    intensity_percentiles: tuple[tuple[float, float], ...]

    @property
    def contrast(self) -> float:
        """Signal over background, both above zero; 1 means that nuclei do not stand out."""
        return self.signal / self.background if self.background > 0 else float("inf")

    @property
    def signal_to_noise(self) -> float:
        """Height of the nuclei above the background over the noise of a voxel."""
        return (self.signal - self.background) / self.noise if self.noise > 0 else float("inf")

    @property
    def largest_jump(self) -> Drift | None:
        """The largest shift of image or annotated cells between two frames; None if none was measured."""
        shared = [self.motion.largest_jump] if self.motion.largest_jump else []
        return max([*self.drifts, *shared], key=lambda drift: drift.length_um, default=None)
