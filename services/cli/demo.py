"""`make demo`: a real fluorescence image with known truth through the whole pipeline."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from services.cli.__main__ import main as biosynth
from services.common.imaging.images import decode_image
from services.common.imaging.ometiff import decode_segmentation
from services.common.whole_files import write_file
from services.evaluation.average_precision import average_precision

REQUIREMENT = Path(__file__).parent / "demo-image.txt"
# One wheel for all: only its pictures are used, so its platform does not matter. pip checks the wheel's hash.
WHEEL_OF = ("--platform", "win_amd64", "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311")
FILES = {
    "img2d.tif": "f9ccc1571b92c861ff87e28463068b43f61bd47357ed0503f711e5cd1eb97750",
    "mask2d.tif": "59ad5e820b7982ca9d13e946fa6e7f64e2714899e00a2ae6c69aa79aad53d46f",
}


def main() -> None:
    """Fetch the image, run the pipeline, compare with the truth, and say where the pictures are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for the results")
    folder: Path = parser.parse_args().out
    inputs = folder / "input"
    if not all(_is(inputs / name, sha256) for name, sha256 in FILES.items()):
        fetch(inputs)
    biosynth(["run", str(inputs / "img2d.tif"), "--out", str(folder), "--seed", "1"])
    precision = score(inputs / "mask2d.tif", folder / "segmentation.ome.tif")
    print(f"nuclei found against the field's true labels: AP at IoU 0.5 = {precision:.2f}")
    print(f"pictures: {folder}/overview.png (all four side by side), {folder}/generated.png")
    print(f"report:   {folder}/report.html")


def fetch(folder: Path) -> None:
    """Download the pinned wheel from the package registry and take the two pictures out of it."""
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        chosen = ["--only-binary", ":all:", *WHEEL_OF, "--require-hashes", "-r", str(REQUIREMENT), "-d", scratch]
        if subprocess.run([*pip, *chosen], check=False).returncode:  # noqa: S603  (our own arguments)
            raise SystemExit("the demo's image could not be fetched from the package registry; pip says why above")
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(next(Path(scratch).glob("*.whl"))) as wheel:
            for name, sha256 in FILES.items():
                data = wheel.read(f"stardist/data/images/{name}")
                if hashlib.sha256(data).hexdigest() != sha256:
                    raise SystemExit(f"expected {name} with sha256 {sha256} in the wheel; got another file")
                write_file(folder / name, data)


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def score(truth: Path, segmentation: Path) -> float:
    """AP at IoU 0.5 of the nuclei found, against the true label map."""
    true = decode_image(truth.read_bytes()).astype(np.int32)
    found = decode_segmentation(segmentation.read_bytes()).nuclei
    if found is None:
        raise SystemExit(f"expected nuclei in {segmentation}; it has none")
    return float(average_precision(true, found, (0.5,))[0])


if __name__ == "__main__":
    main()
