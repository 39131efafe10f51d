"""Every input that a lab may bring: its file is made, the command is run, and what it says is kept.

The inputs and what is expected of them are those of lab_images, mask_files, unsuitable and wounds.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import numpy as np

from services.cli.__main__ import main as biosynth
from services.cli.images.reading import read_image
from services.cli.images.wish import wish_of
from services.cli.seeking import add_seeking
from services.common.errors import BiosynthError
from services.common.imaging.images import encode_png
from tests.support.lab_images import MADE, REFUSED, Made, Refused
from tests.support.mask_files import BAD, GOOD, BadFile, MaskFile, separate, tiff
from tests.support.unsuitable import UNSUITABLE
from tests.support.wounds import closing, write_series

_SERIES = "Series of which frames are missing or damaged"


@dataclass(frozen=True)
class Row:
    """One input. expected: what the answer must match, a regular expression; stated where the input is made."""

    part: str
    name: str
    command: str
    got: str
    expected: str

    @property
    def holds(self) -> bool:
        """Whether the input got what was stated."""
        return re.search(self.expected, self.got) is not None


def rows(folder: Path) -> Iterator[Row]:
    """All inputs, of formats whose readers are installed; their files are made in an empty folder."""
    images: list[tuple[str, Made | Refused]] = [*MADE.items(), *REFUSED.items()]
    masks: list[tuple[str, MaskFile | BadFile]] = [*GOOD.items(), *BAD.items()]
    for number, (name, image) in enumerate(images):
        if not image.package or find_spec(image.package):
            yield _image(_made(folder / f"image{number}"), name, image)
    for number, (name, file) in enumerate(masks):
        yield _masks(_made(folder / f"masks{number}"), name, file)
    yield from _empty(_made(folder / "empty"))
    yield from _scratches(_made(folder / "scratches"))
    yield from _tracked(_made(folder / "tracked"))


def _image(folder: Path, name: str, image: Made | Refused) -> Row:
    path = folder / f"image{image.suffix}"
    image.write(path)
    parser = argparse.ArgumentParser()
    add_seeking(parser)
    command = f"run {shlex.join([path.name, *image.options])}"
    try:
        read = read_image(path, wish_of(parser.parse_args(image.options)))
    except BiosynthError as error:
        expected = f"^3: {path.name}: .*{image.message}" if isinstance(image, Refused) else "is read"
        return Row("Images that are refused", name, command, _told(3, [error.message], folder), expected)
    pixels = read.pixels()
    size = f"{pixels.shape[0]} x {pixels.shape[1]} px, {8 * pixels.dtype.itemsize} bit"
    um = f", {read.pixel_size_um[0]:.4g} um" if read.pixel_size_um else ""
    expected = f"^0: {size}.*{image.said}" if isinstance(image, Made) else "is refused"
    return Row("Images that are read", name, command, _told(0, [size + um, *read.notes], folder), expected)


def _masks(folder: Path, name: str, file: MaskFile | BadFile) -> Row:
    masks = f"masks{file.ending}"
    (folder / masks).write_bytes(file.make(separate()))
    (folder / "image.png").write_bytes(encode_png(separate().astype(np.uint8)))
    options = ["--nuclei", masks]
    if isinstance(file, BadFile) or not file.has_size:
        options += ["--image", "image.png"]
    if isinstance(file, BadFile):
        part, expected = "Masks that are refused", f"^3: .*{masks}: expected"
    else:
        options += [] if file.frame is None else ["--time", str(file.frame)]
        part, expected = "Masks that are read", "^0: .*with 3 nuclei$"
    return _row(folder, part, name, ["combine", *options, "--out", "out.ome.tif"], expected)


def _empty(folder: Path) -> Iterator[Row]:
    for name, picture in UNSUITABLE.items():
        path = folder / f"{name.replace(' ', '-')}.png"
        path.write_bytes(encode_png(picture()))
        command = ["run", path.name, "--quiet", "--out", "out"]
        expected = "^3: .*biosynth run: nothing was generated of 1 image.*(Nothing was found|unlike others of its kind)"
        yield _row(folder, "Images of which nothing should be made", name, command, expected)
        shutil.rmtree(folder / "out")  # else the next would replace its results, and say so


def _scratches(folder: Path) -> Iterator[Row]:
    command = ["wound", "frames", "--interval", "30min", "--out", "out"]
    lost = write_series(folder / "frames", closing([120, 110, 100, 90])) / "t2.png"
    whole = lost.read_bytes()
    lost.unlink()
    expected = "^0: .*no frame of number 2; times of the others"
    yield _row(folder, _SERIES, "scratch assay, a frame missing", command, expected)
    lost.write_bytes(whole[:3000])
    expected = "^3: .*1 of 4 frames failed.*t2.png: expected a whole PNG"
    yield _row(folder, _SERIES, "scratch assay, a frame cut off", command, expected)


def _tracked(folder: Path) -> Iterator[Row]:
    """As the Cell Tracking Challenge has them."""
    for name in ("01", "01_RES", "01_GT/SEG"):
        (folder / name).mkdir(parents=True)
    for number, frame in enumerate(closing([120, 110, 100])):
        (folder / f"01/t00{number}.tif").write_bytes(tiff(frame[:60, :80]))
    for name in ("01_RES/mask000.tif", "01_RES/mask002.tif", "01_GT/SEG/man_seg000.tif", "01_GT/SEG/man_seg002.tif"):
        (folder / name).write_bytes(tiff(separate()))
    command = ["dataset", "--images", "01", "--schema", "nuclei3", "--take-all", "--out", "out-data", "--labels"]
    name = "Cell Tracking Challenge, a frame missing"
    yield _row(folder, _SERIES, f"{name} in a result", [*command, "01_RES"], "^3: .*none for 1 of 3: 't001'")
    expected = "^0: 't001': a frame that nobody annotated: left out"
    yield _row(folder, _SERIES, f"{name} in the truth", [*command, "01_GT"], expected)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _row(folder: Path, part: str, name: str, command: Sequence[str], expected: str) -> Row:
    """Run a command where the words that name files are files of the folder."""
    typed = [str(folder / word) if word.startswith("out") or (folder / word).exists() else word for word in command]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BIOSYNTH_")}
    said, code = io.StringIO(), 0
    with (
        patch.dict(os.environ, {**kept, "XDG_CACHE_HOME": str(folder / "cache")}, clear=True),
        redirect_stdout(io.StringIO()),
        redirect_stderr(said),
    ):
        try:
            biosynth(typed)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Row(part, name, " ".join(command), _told(code, said.getvalue().splitlines(), folder), expected)


def _told(code: int, lines: Iterable[str], folder: Path) -> str:
    text = "; ".join(line.strip() for line in lines).replace(f"{folder}/", "")
    text = re.sub(r"(cannot be read|damaged|damaged file|text that is none) \(.*?\)(?=;|$)", r"\1 (...)", text)
    text = re.sub(r"\([a-z_]+ -?[0-9.]+, expected [^)]*\)|[0-9.]+ s;|[0-9.]+ sure|[0-9]+(?= more that)", "...", text)
    return f"{code}: {text}"
