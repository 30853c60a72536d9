"""Which disk a folder is on, as far as Linux tells: SQLite's locks do not hold on disks that machines share."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/mounts")
_SHARED = re.compile(
    r"nfs\d?|cifs|smb\w*|lustre|gpfs|beegfs|ceph|glusterfs|afs|pvfs2|panfs|fuse\.(sshfs|ceph|glusterfs|s3fs|juicefs)"
)


def find_shared_disk(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """Return what kind of network file system a path is on, and where that is mounted; None if on none that is known.

    Parameters
    ----------
    path
        A file or folder, which may still have to be made.
    mounts
        The system's table of mounts; without one nothing is known.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None  # no Linux
    best, kind = Path(), ""
    full = path.resolve()
    for line in lines:
        _, place, found, *_ = line.split(" ")
        mounted = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), place))
        # Of two disks mounted on one place the last is seen.
        if full.is_relative_to(mounted) and len(mounted.parts) >= len(best.parts):
            best, kind = mounted, found
    return f"{kind}, mounted at {best}" if _SHARED.fullmatch(kind) else None
