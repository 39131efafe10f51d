"""Image files as labs have them, made here: of each what is in it, what is asked for, and what comes of it."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from services.common.imaging.images import encode_png

SIZE = (40, 52)
PIXEL_UM = 0.65
GENERATOR = np.random.default_rng(7)
GREY16 = GENERATOR.integers(100, 4000, SIZE, dtype=np.uint16)
GREY8 = (GREY16 >> 4).astype(np.uint8)
# Times, depths, channels; each plane differs from the others.
STACK = (GREY16 + np.arange(3 * 4 * 2, dtype=np.uint16).reshape(3, 4, 2, 1, 1)).astype(np.uint16)
FLOAT = (GREY16 / 4095.0).astype(np.float32)
DARKEST, BRIGHTEST = GREY16.min() == GREY16, GREY16.max() == GREY16
NAMES = ["DAPI", "phase"]


def stretched(image: NDArray[Any]) -> NDArray[np.uint16]:
    """From the least to the greatest value, as docs/images.md states it; exact, in one piece."""
    values = image.astype(np.float64)
    return np.asarray(np.rint((values - values.min()) * (65535 / (values.max() - values.min()))), np.uint16)


@dataclass(frozen=True)
class Made:
    """A file: what makes it, of what name, the options it is read with, and the pixels that are sent of it.

    said: a pattern of what people are told. pixel_um: side of a pixel. package: what reads it, where that is an extra.
    """

    suffix: str
    write: Callable[[Path], None]
    options: tuple[str, ...]
    expected: NDArray[Any]
    said: str = ""
    pixel_um: float | None = None
    package: str = ""


@dataclass(frozen=True)
class Refused:
    """A file that is refused with these options, and what the message says (a regular expression)."""

    suffix: str
    write: Callable[[Path], None]
    options: tuple[str, ...]
    message: str
    package: str = ""


def tiff(pixels: NDArray[Any], **options: Any) -> Callable[[Path], None]:
    """Write a TIFF by tifffile; grey unless told otherwise."""
    return lambda path: tifffile.imwrite(path, pixels, **{"photometric": "minisblack", **options})


def ome(pixels: NDArray[Any], axes: str, **metadata: Any) -> Callable[[Path], None]:
    """Write an OME-TIFF with pixel sizes."""
    sides = {"PhysicalSizeX": PIXEL_UM, "PhysicalSizeY": PIXEL_UM}
    return tiff(pixels, ome=True, metadata={"axes": axes, **sides, **metadata})


def imagej(pixels: NDArray[Any], axes: str) -> Callable[[Path], None]:
    """Write an ImageJ hyperstack with pixel sizes."""
    return tiff(pixels, imagej=True, resolution=(1 / PIXEL_UM, 1 / PIXEL_UM), metadata={"axes": axes, "unit": "um"})


def data(content: bytes) -> Callable[[Path], None]:
    """Write these bytes."""

    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def cut(write: Callable[[Path], None], part: float) -> Callable[[Path], None]:
    """Write a file of which only this part of the bytes is there."""

    def torn(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])

    return torn


def without_width_png(path: Path) -> None:
    """Write a PNG whose header says that it is 0 px wide, with the right checksum."""
    png = encode_png(GREY8)
    head = png[12:16] + struct.pack(">I", 0) + png[20:29]
    path.write_bytes(png[:12] + head + struct.pack(">I", zlib.crc32(head)) + png[33:])


def without_width_tiff(path: Path) -> None:
    """Write a TIFF whose directory says that it is 0 px wide."""
    tiff(GREY8)(path)
    with tifffile.TiffFile(path) as file:
        place = file.pages[0].tags["ImageWidth"].valueoffset
    content = path.read_bytes()
    path.write_bytes(content[:place] + bytes(2) + content[place + 2 :])


def lzw(pixels: NDArray[Any]) -> Callable[[Path], None]:
    """Write a TIFF that is compressed by LZW."""
    return data(cv2.imencode(".tif", pixels, [cv2.IMWRITE_TIFF_COMPRESSION, 5])[1].tobytes())


def coloured(red: float, green: float, blue: float) -> NDArray[np.uint8]:
    """GREY8 as a stain of this colour, (H, W, 3) RGB."""
    return np.stack([np.rint(GREY8 * part).astype(np.uint8) for part in (red, green, blue)], axis=2)


def two_stains() -> NDArray[np.uint8]:
    """Red on the left, green on the right: (H, W, 3) RGB."""
    pixels = np.zeros((*SIZE, 3), np.uint8)
    pixels[:, :26, 0], pixels[:, 26:, 1] = GREY8[:, :26], GREY8[:, 26:]
    return pixels


def ome_zarr(version: str = "0.4", axes: str = "tzcyx", pixels: NDArray[Any] = STACK) -> Callable[[Path], None]:
    """Write an OME-Zarr image of one size."""

    def write(path: Path) -> None:
        import zarr

        old = version == "0.4"
        group = zarr.open_group(str(path), mode="w", zarr_format=2 if old else 3)
        array = group.create_array("0", shape=pixels.shape, chunks=(1,) * (pixels.ndim - 2) + SIZE, dtype=pixels.dtype)
        array[:] = pixels
        scale = [PIXEL_UM if axis in "yx" else 1.0 for axis in axes]
        told = {
            "multiscales": [
                {
                    "version": version,
                    "name": "field",
                    "axes": [
                        {"name": axis, "unit": "micrometer"} if axis in "zyx" else {"name": axis} for axis in axes
                    ],
                    "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}],
                }
            ],
            "omero": {"channels": [{"label": name} for name in NAMES]},
        }
        group.attrs.update(told if old else {"ome": told})

    return write


def czi(path: Path) -> None:
    """Write STACK as CZI, by the writer of Zeiss's own package."""
    from pylibCZIrw import czi as package

    with package.create_czi(str(path)) as file:
        for time, depth, channel in np.ndindex(STACK.shape[:3]):
            file.write(data=STACK[time, depth, channel][..., None], plane={"T": time, "Z": depth, "C": channel})
        side = PIXEL_UM * 1e-6
        file.write_metadata("field", channel_names=dict(enumerate(NAMES)), scale_x=side, scale_y=side)


def lif(images: int = 1) -> Callable[[Path], None]:
    """Write STACK as a LIF file, put together by hand after liffile's description: header, XML, blocks of pixels."""

    def write(path: Path) -> None:
        block = np.ascontiguousarray(STACK).tobytes()
        elements = "".join(_lif_element(number, len(block)) for number in range(images))
        xml = f'<LMSDataContainerHeader Version="2"><Element Name="lab"><Children>{elements}</Children></Element>'
        parts = [_lif_text(xml + "</LMSDataContainerHeader>")]
        for number in range(images):
            name = f"MemBlock_{number}".encode("utf-16-le")
            head = struct.pack("<BQBI", 0x2A, len(block), 0x2A, len(name) // 2) + name
            parts += [struct.pack("<II", 0x70, len(head)), head, block]
        path.write_bytes(b"".join(parts))

    return write


def _lif_text(xml: str) -> bytes:
    text = xml.encode("utf-16-le")
    return struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(text) // 2) + text


def _lif_element(number: int, size: int) -> str:
    height, width = SIZE
    plane = height * width * 2
    # DimID: 1 X, 2 Y, 3 Z, 4 T; channels lie between Y and Z here.
    sizes = {1: (width, 2), 2: (height, 2 * width), 3: (4, 2 * plane), 4: (3, 8 * plane)}
    dimensions = "".join(
        f'<DimensionDescription DimID="{axis}" NumberOfElements="{count}" Origin="0" '
        f'Length="{PIXEL_UM * 1e-6 * (count - 1) if axis < 3 else 1}" Unit="{"m" if axis < 4 else "s"}" BitInc="0" '
        f'BytesInc="{step}"/>'
        for axis, (count, step) in sizes.items()
    )
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" Min="0" Max="9" '
        f'Unit="" LUTName="{name}" IsLUTInverted="0" BytesInc="{channel * plane}" BitInc="0"/>'
        for channel, name in enumerate(NAMES)
    )
    return (
        f'<Element Name="field {number}"><Data><Image><ImageDescription><Channels>{channels}</Channels>'
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{size}" MemoryBlockID="MemBlock_{number}"/></Element>'
    )


def torn_chunk(path: Path) -> None:
    """Write an OME-Zarr image with chunks that end early."""
    ome_zarr("0.5")(path)  # Zstandard; of Blosc, the library reads on beyond a chunk's end
    for chunk in (one for one in path.glob("0/c/**/*") if one.is_file()):
        chunk.write_bytes(chunk.read_bytes()[:30])


def plate(path: Path) -> None:
    """Write the top folder of an OME-Zarr plate."""
    path.mkdir()
    (path / ".zgroup").write_text(json.dumps({"zarr_format": 2}))
    (path / ".zattrs").write_text(json.dumps({"plate": {"wells": []}}))


TZC = (*("--time", "1"), *("--z", "2"), *("--channel", "phase"))
ONE = STACK[1, 2, 1]
MADE: dict[str, Made] = {
    "PNG of 16 bit": Made(".png", data(encode_png(GREY16)), (), GREY16),
    "JPEG": Made(
        ".jpg",
        data(cv2.imencode(".jpg", GREY8)[1].tobytes()),
        (),
        np.asarray(cv2.imdecode(cv2.imencode(".jpg", GREY8)[1], cv2.IMREAD_UNCHANGED)),
    ),
    "TIFF of 16 bit": Made(".tif", tiff(GREY16), (), GREY16),
    "mask of 1 bit": Made(".tif", tiff(GREY8 > 128), (), (GREY8 > 128).astype(np.uint8) * np.uint8(255)),
    "PNG with a range": Made(
        ".png",
        data(encode_png(GREY16)),
        ("--range", "0", "4095"),
        np.rint(GREY16 * (65535 / 4095)).astype(np.uint16),
        "uint16 from .* was scaled, 0 to 4095 became 0 to 65535$",
    ),
    "float32": Made(".tif", tiff(FLOAT), (), stretched(FLOAT), "float32 from .* was scaled to 0 to 65535"),
    "float64": Made(".tif", tiff(FLOAT.astype(np.float64)), (), stretched(FLOAT), "float64 from .* was scaled"),
    "float32, deflated": Made(".tif", tiff(FLOAT, compression="zlib"), (), stretched(FLOAT), "was scaled"),
    "float32 by LZW": Made(".tif", lzw(FLOAT), (), stretched(FLOAT), "float32 from .* was scaled"),
    "float32 with a range": Made(
        ".tif",
        tiff(np.where(BRIGHTEST, np.inf, np.where(DARKEST, np.nan, FLOAT))),
        ("--range", "0", "0.5"),
        np.rint(np.clip(np.where(DARKEST, 0, FLOAT) / 0.5, 0, 1) * 65535.0).astype(np.uint16),
        "what lies beyond was clipped, with [0-9]+ NaN or infinite",
    ),
    "float32 of whole numbers": Made(".tif", tiff(GREY16.astype(np.float32)), (), GREY16, "was kept as 16 bit"),
    "int16": Made(".tif", tiff(GREY16.astype(np.int16)), (), GREY16, "int16 of whole numbers from 1.. to .* was kept"),
    "int16 below 0": Made(
        ".tif", tiff(GREY16.astype(np.int16) - 2000), (), stretched(GREY16), "int16 from -.* was scaled to 0 to 65535"
    ),
    "int32": Made(".tif", tiff(GREY16.astype(np.int32) * 50), (), stretched(GREY16), "int32 from .* was scaled"),
    "uint32": Made(".tif", tiff(GREY16.astype(np.uint32) * 99), (), stretched(GREY16), "uint32 from .* was scaled"),
    "uint32 within 16 bit": Made(".tif", tiff(GREY16.astype(np.uint32)), (), GREY16, "uint32 of whole numbers"),
    "constant float": Made(
        ".tif", tiff(np.full(SIZE, 0.25, np.float32)), (), np.zeros(SIZE, np.uint16), "from 0.25 to"
    ),
    "big endian": Made(".tif", tiff(FLOAT.astype(">f4"), byteorder=">"), (), stretched(FLOAT), "float32 from"),
    "white is zero": Made(".tif", tiff(GREY8, photometric="miniswhite"), (), ~GREY8),
    "RGB of equal channels": Made(".png", data(encode_png(coloured(1, 1, 1))), (), GREY8),
    "RGB of a blue stain": Made(".png", data(encode_png(coloured(0, 0, 1))), (), GREY8, "blue was taken.*one stain"),
    "RGB of a red stain, TIFF": Made(
        ".tif", tiff(coloured(1, 0, 0), photometric="rgb"), (), GREY8, "red was taken of its colours, which carry one"
    ),
    "RGB of a purple stain": Made(
        ".png", data(encode_png(coloured(0.4, 0, 1))), (), GREY8, "blue was taken.*one stain"
    ),
    "RGB, a channel by name": Made(
        ".png", data(encode_png(coloured(0.5, 1, 0))), ("--channel", "green"), GREY8, "green was taken of its colours$"
    ),
    "RGB, a channel by number": Made(
        ".png", data(encode_png(coloured(0, 0, 1))), ("--channel", "2"), GREY8, "blue was"
    ),
    "RGB, planar, LZW": Made(
        ".tif", lzw(np.ascontiguousarray(coloured(0, 0, 1)[:, :, ::-1])), (), GREY8, "blue was taken of its colours"
    ),
    "RGB of 16 bit": Made(
        ".tif",
        tiff(np.stack([GREY16 * 0, GREY16, GREY16 * 0], axis=2), photometric="rgb"),
        (),
        GREY16,
        "green was taken",
    ),
    "RGB of a tinted frame": Made(
        ".png",
        data(encode_png(coloured(1, 0.95, 0.9))),
        (),
        cv2.cvtColor(coloured(1, 0.95, 0.9), cv2.COLOR_RGB2GRAY),
        "its colours became luminance",
    ),
    "RGB of two stains": Made(
        ".png",
        data(encode_png(two_stains())),
        (),
        cv2.cvtColor(two_stains(), cv2.COLOR_RGB2GRAY),
        "show different things.*--channel red, green or blue",
    ),
    "channels in OME-TIFF": Made(
        ".ome.tif", ome(STACK[0, 0], "CYX", Channel={"Name": NAMES}), ("--channel", "1"), STACK[0, 0, 1], "", PIXEL_UM
    ),
    "channels by name": Made(
        ".ome.tif",
        ome(STACK[0, 0], "CYX", Channel={"Name": NAMES}),
        ("--channel", "DAPI"),
        STACK[0, 0, 0],
        "",
        PIXEL_UM,
    ),
    "OME-TIFF, TZCYX": Made(".ome.tif", ome(STACK, "TZCYX", Channel={"Name": NAMES}), TZC, ONE, "", PIXEL_UM),
    "OME-TIFF, TZCYX, deflated": Made(
        ".ome.tif",
        tiff(STACK, ome=True, compression="zlib", metadata={"axes": "TZCYX", "Channel": {"Name": NAMES}}),
        TZC,
        ONE,
    ),
    "OME-TIFF, XYCZT order": Made(
        ".ome.tif",
        ome(np.ascontiguousarray(STACK.transpose(2, 0, 1, 3, 4)), "CTZYX", Channel={"Name": NAMES}),
        TZC,
        ONE,
        "",
        PIXEL_UM,
    ),
    "OME-TIFF, greatest of depths": Made(
        ".ome.tif",
        ome(STACK[0, :, 0], "ZYX"),
        ("--z", "max"),
        STACK[0, :, 0].max(axis=0),
        "",
        PIXEL_UM,
    ),
    "OME-TIFF, mean of depths": Made(
        ".ome.tif",
        ome(STACK[0, :, 0], "ZYX"),
        ("--z", "mean"),
        np.rint(STACK[0, :, 0].mean(axis=0)).astype(np.uint16),
        "",
        PIXEL_UM,
    ),
    "ImageJ hyperstack": Made(
        ".tif", imagej(STACK, "TZCYX"), ("--time", "1", "--z", "2", "--channel", "1"), ONE, "", PIXEL_UM
    ),
    "ImageJ film": Made(".tif", imagej(STACK[:, 0, 0], "TYX"), ("--time", "2"), STACK[2, 0, 0], "", PIXEL_UM),
    "pages without a name, as channels": Made(
        ".tif", tiff(STACK[0, :, 0], metadata=None), ("--channel", "3"), STACK[0, 3, 0]
    ),
    "pages without a name, as depths": Made(
        ".tif", tiff(STACK[0, :, 0], metadata=None), ("--z", "max"), STACK[0, :, 0].max(axis=0)
    ),
    "100 pages without a name": Made(
        ".tif", tiff(np.repeat(GREY8[None], 100, 0), metadata=None), ("--time", "99"), GREY8
    ),
    "OME-Zarr 0.4": Made(".ome.zarr", ome_zarr("0.4"), TZC, ONE, "", PIXEL_UM, "zarr"),
    "OME-Zarr 0.5": Made(".ome.zarr", ome_zarr("0.5"), TZC, ONE, "", PIXEL_UM, "zarr"),
    "CZI": Made(".czi", czi, TZC, ONE, "", PIXEL_UM, "pylibCZIrw"),
    "LIF": Made(".lif", lif(), TZC, ONE, "", PIXEL_UM, "liffile"),
    "LIF of two images": Made(".lif", lif(2), (*TZC, "--scene", "field 1"), ONE, "", PIXEL_UM, "liffile"),
}

CZI, ND2, LIF_MAGIC = (
    b"ZISRAWFILE" + bytes(200),
    b"\xda\xce\xbe\x0a" + bytes(200),
    b"\x70\0\0\0\x10\0\0\0\x2a" + bytes(99),
)
NOT_FINITE = np.where(GREY16 > 3500, np.nan, FLOAT)
REFUSED: dict[str, Refused] = {
    "nothing": Refused(".tif", data(b""), (), "got 0 bytes"),
    "text": Refused(".tif", data(b"cells,1,2"), (), "got one that begins with 63 65"),
    "PNG cut off": Refused(".png", cut(data(encode_png(GREY16)), 0.6), (), "cut off"),
    "JPEG cut off": Refused(".jpg", cut(data(cv2.imencode(".jpg", GREY8)[1].tobytes()), 0.6), (), "cut off"),
    "TIFF cut off": Refused(".tif", cut(tiff(GREY16), 0.6), (), "whole TIFF"),
    "float TIFF cut off": Refused(".tif", cut(tiff(FLOAT), 0.9), (), "whole TIFF.*send the file again"),
    "deflated float TIFF cut off": Refused(
        ".tif", cut(tiff(FLOAT, compression="zlib", rowsperstrip=4), 0.9), (), "whole TIFF.*send the file again"
    ),
    "ImageJ stack cut off": Refused(".tif", cut(imagej(STACK[:, 0, 0], "TYX"), 0.7), ("--time", "2"), "whole TIFF"),
    "OME-TIFF cut off": Refused(".ome.tif", cut(ome(STACK[:, 0, 0], "TYX"), 0.5), ("--time", "2"), "whole TIFF"),
    "OME-Zarr of other axes than it says": Refused(".zarr", ome_zarr(axes="czyx"), (), "axis for each size", "zarr"),
    "OME-Zarr with a torn chunk": Refused(".zarr", torn_chunk, TZC, "an OME-Zarr that is whole", "zarr"),
    "OME-Zarr plate": Refused(".zarr", plate, (), "plate of many images.*the folder of one image", "zarr"),
    "CZI cut off": Refused(".czi", data(CZI), (), "a CZI that is whole", "pylibCZIrw"),
    "ND2 cut off": Refused(".nd2", data(ND2), (), "an ND2 that is whole", "nd2"),
    "LIF cut off": Refused(".lif", cut(lif(), 0.1), TZC, "a LIF that is whole", "liffile"),
    "PNG without width": Refused(".png", without_width_png, (), "at least 1 x 1 pixel, got 40 x 0"),
    "TIFF without width": Refused(".tif", without_width_tiff, (), "a TIFF that is whole"),
    "OME-Zarr without rows": Refused(
        ".zarr", ome_zarr(axes="yx", pixels=STACK[0, 0, 0, :0]), (), "with pixels; got YX of sizes 0 x 52", "zarr"
    ),
    "not a number": Refused(".tif", tiff(NOT_FINITE), (), "got [0-9]+ NaN or infinite values.*--range A B"),
    "a range that falls": Refused(".tif", tiff(FLOAT), ("--range", "9", "1"), "range that rises.*got 9 and 1"),
    "complex numbers": Refused(
        ".tif", tiff(FLOAT.astype(np.complex64)), (), "pixels that are numbers; got .*complex64"
    ),
    "equal colours, no such channel": Refused(
        ".png", data(encode_png(coloured(1, 1, 1))), ("--channel", "DAPI"), "--channel red, green, blue, luminance"
    ),
    "colours, no such channel": Refused(
        ".png", data(encode_png(coloured(0, 0, 1))), ("--channel", "DAPI"), "--channel red, green, blue, luminance"
    ),
    "OME-TIFF, nothing chosen": Refused(
        ".ome.tif",
        ome(STACK, "TZCYX", Channel={"Name": NAMES}),
        (),
        r"expected one plane; got 3 times \(T\), 4 depths \(Z\), 2 channels \(C: DAPI, phase\), 40 x 52 px; "
        "choose with --channel 0 to 1 or its name, --z 0 to 3, max or mean, --time 0 to 2 or all",
    ),
    "ImageJ stack, depth not chosen": Refused(
        ".tif", imagej(STACK[:, :, 0], "TZYX"), ("--time", "0"), r"4 depths \(Z\).*choose with --z 0 to 3"
    ),
    "pages without a name": Refused(
        ".tif",
        tiff(STACK[0, :, 0], metadata=None),
        (),
        r"got 4 channels \(C\), 40 x 52 px; choose with --channel 0 to 3",
    ),
    "no such channel": Refused(
        ".ome.tif", ome(STACK[0, 0], "CYX", Channel={"Name": NAMES}), ("--channel", "GFP"), "DAPI, phase; got 'GFP'"
    ),
    "no such time": Refused(".tif", imagej(STACK[:, 0, 0], "TYX"), ("--time", "3"), "--time 0 to 2; got 3"),
    "time of a single picture": Refused(".tif", tiff(GREY16), ("--time", "1"), "--time 0, the only one; got 1"),
    "one of two channels": Refused(
        ".ome.tif", ome(STACK[0, 0], "CYX"), ("--nuclei-channel", "0"), "--nuclei-channel and --cells-channel together"
    ),
    "several images": Refused(".lif", lif(2), TZC, "--scene 0 to 1 or its name.*field 0.*field 1", "liffile"),
}
