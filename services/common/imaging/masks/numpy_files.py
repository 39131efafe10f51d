"""NumPy files: plain arrays, and the masks in a _seg.npy of Cellpose, which is a pickled dict."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidImage
from services.common.imaging.masks.frames import choose_frame
from services.common.imaging.masks.numbers import label_numbers
from services.common.imaging.masks.pickled import Call, read_pickle

NUMPY = b"\x93NUMPY"
_ARRAYS = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
# A type of whole bytes as NumPy names it. Floating point may hold labels too; label_numbers looks at them.
_DTYPE = re.compile(r"[biuf][1248]")
_WAY_OUT = "in Cellpose, save the masks as TIFF or PNG (File, or --save_tif and --save_png)"


def decode_numpy(data: bytes, frame: int | None = None) -> NDArray[np.int32]:
    """Labels (H, W) int32 of a .npy file: of an array of numbers, or of the masks of a Cellpose _seg.npy.

    Pickles are read as data (masks/pickled.py); nothing is unpickled. frame: which plane of (N, H, W), from 0. Raises
    InvalidImage for anything else.
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = read_header(file)
        pickled = dtype.hasobject
        pixels = _masks_of(data[file.tell() :]) if pickled else np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, TypeError) as error:
        raise InvalidImage(f"expected a whole NumPy file; got one that is damaged ({error})") from error
    if pixels.dtype.kind not in "biuf" or pixels.ndim not in (2, 3) or pixels.size == 0:
        raise InvalidImage(f"expected masks as an array of (H, W) numbers; got {pixels.shape} {pixels.dtype}")
    planes = pixels if pixels.ndim == 3 else pixels[np.newaxis]
    return label_numbers(planes[choose_frame(len(planes), frame)])


def _masks_of(pickle: bytes) -> NDArray[Any]:
    """The array under `masks` of a pickled array that holds one dict."""
    outer = read_pickle(pickle)
    held = outer.state[4] if isinstance(outer, Call) and _is_state(outer.state) else None
    if not isinstance(held, list) or len(held) != 1 or not isinstance(held[0], dict) or "masks" not in held[0]:
        raise InvalidImage(f"expected a NumPy file of numbers, or a _seg.npy with masks; got other objects; {_WAY_OUT}")
    return _array(held[0]["masks"])


def _array(call: Any) -> NDArray[Any]:
    """The array that NumPy would restore, made of its bytes; only of plain numbers."""
    if not isinstance(call, Call) or call.function not in _ARRAYS or not _is_state(call.state):
        raise InvalidImage(f"expected masks as an array of numbers; got something else; {_WAY_OUT}")
    _, shape, kind, fortran, content = call.state
    order = kind.state[1] if isinstance(kind, Call) and isinstance(kind.state, tuple) and len(kind.state) > 1 else ""
    code = kind.arguments[0] if isinstance(kind, Call) and kind.arguments else ""
    if order not in ("<", ">", "|", "=") or not isinstance(code, str) or not _DTYPE.fullmatch(code):
        raise InvalidImage(f"expected masks as an array of plain numbers; got {code!r:.40}; {_WAY_OUT}")
    if not isinstance(content, bytes) or not isinstance(shape, tuple):
        raise InvalidImage(f"expected masks as an array of numbers; got something else; {_WAY_OUT}")
    values = np.frombuffer(content, np.dtype(f"{order}{code}"))
    return values.reshape(shape, order="F" if fortran else "C")


def _is_state(state: Any) -> bool:
    """Whether this is what NumPy keeps of an array: version, shape, type, order, content."""
    return isinstance(state, tuple) and len(state) == 5
