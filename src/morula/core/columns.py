"""Columns of numbers inside frozen containers: checked and set read-only once, when the container is built."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
FrameArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]


def column(values: npt.ArrayLike, dtype: npt.DTypeLike, shape: tuple[int | None, ...], name: str) -> npt.NDArray[Any]:
    """Return `values` as a read-only array of this dtype and shape; the caller's own array stays writable.

    Parameters
    ----------
    values
        Anything numpy can convert without loss of meaning.
    dtype
        Type of the column.
    shape
        Expected shape; None stands for any length.
    name
        Name used in the error message.

    Raises
    ------
    ValueError
        If the shape differs, a floating-point value is not finite, or a whole number would be changed.
    """
    given = np.asarray(values)
    with np.errstate(invalid="ignore"):  # NaN among whole numbers is found below
        array = given.astype(dtype, copy=False)
    if array.dtype != given.dtype and array.dtype.kind in "iu" and given.dtype.kind in "fiu":
        changed = int((array != given).sum())
        if changed:
            raise ValueError(
                f"{name} holds {changed} values that are not whole numbers, or too large for {array.dtype}"
            )
    if array.size == 0 and len(shape) > 1:
        array = array.reshape(tuple(0 if size is None else size for size in shape))
    if array.ndim != len(shape) or any(
        want is not None and want != got for want, got in zip(shape, array.shape, strict=True)
    ):
        raise ValueError(f"{name} has shape {array.shape}, expected {tuple('n' if s is None else s for s in shape)}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} holds {int((~np.isfinite(array)).sum())} values that are not finite")
    view = array.view()
    view.flags.writeable = False
    return view


class ReadOnlyColumns:
    """Mixin for frozen, slotted dataclasses of arrays: unpickled and copied columns are read-only again."""

    __slots__: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), {name: getattr(self, name) for name in self.__slots__})


def _restore(kind: type[ReadOnlyColumns], state: dict[str, object]) -> ReadOnlyColumns:
    restored = object.__new__(kind)
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            value = value.view()  # a copied movie shares its pixels with the caller, who may go on writing
            value.flags.writeable = False
        object.__setattr__(restored, name, value)
    return restored
