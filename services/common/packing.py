"""Files in one tar file, the same bytes for the same files."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable


def pack(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A tar file (ustar) of named files, in their order; of the year 1970, and nobody's.

    >>> pack([("a.txt", b"a")]) == pack([("a.txt", b"a")])
    True
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()
