"""Draws nuclei into frames as a light-sheet microscope would record them, one frame at a time; writes no file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from morula.core.columns import FloatArray
from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.synthetic.embryo import Embryo
from morula.synthetic.nuclei import Nuclei, describe_nuclei
from morula.synthetic.params import RenderParams

_EDGE = 0.12  # width of a nucleus' soft rim, as a share of its radius
_REACH = 1.4  # radii beyond which nothing of a nucleus is drawn
_FINE_UM = 0.9  # largest step in µm at which a nucleus is sampled; coarser voxels are averages of finer ones
_HAZE_SIGMA_UM = 7.0
_WAVES = 6

Frame = npt.NDArray[np.uint16]
Light = npt.NDArray[np.float32]


def render_frames(
    embryo: Embryo, params: RenderParams, *, seed: int, progress: ProgressSink = ignore_progress
) -> Iterator[Frame]:
    """Render a movie frame by frame.

    Parameters
    ----------
    embryo
        Lineages and the movie's shape.
    params
        Nuclei, optics and camera.
    seed
        Seed of looks and noise; frame t has a random stream of its own.
    progress
        Told after each frame.

    Yields
    ------
    array
        One frame, uint16, shape (Z, Y, X); never more than one is held.
    """
    nuclei = describe_nuclei(embryo.tissue, params, seed=seed)
    n_frames = embryo.shape_tzyx[0]
    for t in range(n_frames):
        light = _draw_nuclei(embryo, nuclei, params, t=t, seed=seed)
        seen = _image_light(light, np.array(embryo.voxel_size_um), params)
        yield _expose(seen, params, np.random.default_rng([seed, 6, t]))
        progress(Progress("render", t + 1, n_frames, "frames"))


def _draw_nuclei(embryo: Embryo, nuclei: Nuclei, params: RenderParams, *, t: int, seed: int) -> Light:
    """Draw the nuclei of one frame, each within its own box: light before optics, 1 in an average nucleus."""
    light = np.zeros(embryo.shape_tzyx[1:], np.float32)
    voxel_um = np.array(embryo.voxel_size_um)
    fine = np.maximum(np.ceil(voxel_um / _FINE_UM), 1).astype(int)
    for row in np.flatnonzero(embryo.tissue.t == t):
        centre_um = embryo.tissue.zyx_um[row]
        reach_um = _REACH * np.sqrt(((nuclei.axes[row] * nuclei.semi_um[row][:, None]) ** 2).sum(axis=0))
        low = np.maximum(np.ceil((centre_um - reach_um) / voxel_um).astype(int), 0)
        high = np.minimum(np.floor((centre_um + reach_um) / voxel_um).astype(int) + 1, light.shape)
        if (low >= high).any():
            continue
        steps = [_fine_steps(a, b, k) * size for a, b, k, size in zip(low, high, fine, voxel_um, strict=True)]
        offset = np.stack(np.meshgrid(*(s - c for s, c in zip(steps, centre_um, strict=True)), indexing="ij"), axis=-1)
        body = (offset @ nuclei.axes[row].T).astype(np.float32)
        glow = _soft_ball(body, nuclei.semi_um[row]) * _texture(body, params, [seed, 5, int(nuclei.tracklet[row])])
        size = high - low
        glow = glow.reshape(size[0], fine[0], size[1], fine[1], size[2], fine[2]).mean(axis=(1, 3, 5))
        light[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] += nuclei.brightness[row] * glow
    return light


def _fine_steps(low: int, high: int, fine: int) -> FloatArray:
    """Sampling places of voxels low..high−1, `fine` in each, in voxels."""
    return low - 0.5 + (np.arange((high - low) * fine) + 0.5) / fine


def _soft_ball(body: Light, semi_um: FloatArray) -> Light:
    """Ellipsoid with a soft rim: 1 inside, 0 outside, 1/2 on the surface."""
    depth = (1.0 - np.sqrt(((body / semi_um.astype(np.float32)) ** 2).sum(axis=-1))) / np.float32(_EDGE)
    ball: Light = 0.5 * (1.0 + np.tanh(depth))
    return ball


def _texture(body: Light, params: RenderParams, seed: list[int]) -> Light:
    """Coarse chromatin: a few random waves fixed in the nucleus, mean 1, never negative."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(3, _WAVES))
    wave = direction / np.linalg.norm(direction, axis=0) * (2 * np.pi / rng.uniform(1.8, 4.0, _WAVES))
    phase = rng.uniform(0, 2 * np.pi, _WAVES)
    waves = np.cos(body @ wave.astype(np.float32) + phase.astype(np.float32)).sum(axis=-1)
    texture: Light = np.maximum(1.0 + np.float32(params.texture * np.sqrt(2 / _WAVES)) * waves, 0.0)
    return texture


def _image_light(light: Light, voxel_um: FloatArray, params: RenderParams) -> Light:
    """Blur (more with depth), attenuate with depth, add haze and background: expected photons per voxel."""
    depth_um = (np.arange(light.shape[0]) * voxel_um[0])[:, None, None].astype(np.float32)
    sigma = np.array(params.psf_sigma_um) / voxel_um
    near = gaussian_filter(light, sigma, mode="nearest", truncate=3.0)
    far = gaussian_filter(light, sigma * (1 + params.depth_blur), mode="nearest", truncate=3.0)
    share = depth_um / max(float(depth_um.max()), 1e-6)
    haze = gaussian_filter(light, _HAZE_SIGMA_UM / voxel_um, mode="nearest", truncate=2.0)
    seen = near * (1 - share) + far * share + np.float32(params.haze) * haze
    photons: Light = params.photons * seen * np.exp(-depth_um / params.attenuation_um) + params.background_photons
    return photons.astype(np.float32)


def _expose(photons: Light, params: RenderParams, rng: np.random.Generator) -> Frame:
    """Record photons with a camera: photon noise, gain, offset, read noise, 16 bits."""
    counts = photons
    if params.noise:
        counts = rng.poisson(photons).astype(np.float32)
    counts = counts * np.float32(params.gain) + np.float32(params.offset)
    if params.noise:
        counts += np.float32(params.read_noise) * rng.standard_normal(counts.shape, np.float32)
    return np.clip(np.rint(counts), 0, np.iinfo(np.uint16).max).astype(np.uint16)
