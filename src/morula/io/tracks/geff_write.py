"""Tables of nodes and edges written as a GEFF: whole or not at all, the same bytes for the same tables.

Uses the geff library's array interface, so that what is written is valid under geff's own checks. zarr format 3 with
its Zstandard packing is chosen because Blosc, the default of format 2, may order its blocks by thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from morula.core.columns import IntArray
from morula.io.atomic import replace_folder

_UM = "micrometer"


@dataclass(frozen=True, slots=True, eq=False)
class GeffTable:
    """What a GEFF holds.

    Parameters
    ----------
    node_id
        Name of each node, shape (n,), int64.
    node_props
        Properties of nodes, each of shape (n,); t, z, y and x are the axes.
    edge_ids
        Names of parent and child of each edge, shape (m, 2), int64.
    edge_props
        Properties of edges, each of shape (m,).
    in_um
        Names of the properties, beside the axes, that are lengths in µm.
    radius, tracklet, lineage
        Names of the node properties with that meaning, if there are such.
    """

    node_id: IntArray
    node_props: Mapping[str, npt.NDArray[np.generic]]
    edge_ids: IntArray
    edge_props: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict)
    in_um: frozenset[str] = frozenset()
    radius: str | None = None
    tracklet: str | None = None
    lineage: str | None = None


def write_geff(table: GeffTable, path: Path, *, overwrite: bool) -> None:
    """Write a GEFF folder.

    Raises
    ------
    DiskError
        If the folder exists and `overwrite` is false or it is no zarr folder, or the disk refuses.
    """
    from geff.core_io import write_arrays
    from geff_spec import Axis, GeffMetadata, PropMetadata

    def described(props: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, object]:
        units = {name: _UM for name in props if name in table.in_um or name in {"z", "y", "x"}}
        return {
            name: PropMetadata(identifier=name, dtype=values.dtype.name, unit=units.get(name))
            for name, values in props.items()
        }

    track_props = {"lineage": table.lineage, "tracklet": table.tracklet}
    metadata = GeffMetadata(
        directed=True,
        axes=[
            Axis(name="t", type="time", unit="frame"),
            *(Axis(name=name, type="space", unit=_UM) for name in "zyx"),
        ],
        node_props_metadata=described(table.node_props),
        edge_props_metadata=described(table.edge_props),
        sphere=table.radius,
        track_node_props={meaning: name for meaning, name in track_props.items() if name} or None,
    )
    with replace_folder(path, overwrite=overwrite, is_replaceable=looks_like_zarr) as temporary:
        write_arrays(
            temporary,
            table.node_id,
            {name: {"values": values, "missing": None} for name, values in table.node_props.items()},
            table.edge_ids,
            {name: {"values": values, "missing": None} for name, values in table.edge_props.items()},
            metadata,
            zarr_format=3,
        )


def looks_like_zarr(folder: Path) -> bool:
    """Tell whether a folder is a zarr group or array."""
    return any((folder / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray", ".zattrs"))
