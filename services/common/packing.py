"""Files in one tar or zip file, the same bytes for the same files."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable


def pack_tar(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A tar file (ustar) of named files, in their order; of the year 1970, and nobody's.

    >>> pack_tar([("a.txt", b"a")]) == pack_tar([("a.txt", b"a")])
    True
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def pack_zip(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A zip file of named files, in their order, deflated; of the year 1980, the earliest that it can hold.

    >>> pack_zip([("a.txt", b"a")]) == pack_zip([("a.txt", b"a")])
    True
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
