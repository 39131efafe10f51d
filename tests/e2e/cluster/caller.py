"""Asks for generated images without end, and prints each call as a line of JSON. load.py starts it in the cluster.

Every call has a seed of its own, so that none is answered from the store.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from biosynth import BiosynthCallError, Client
from biosynth.channel import TlsOptions
from biosynth.raster import image_raster
from biosynth.retry import RetryPolicy
from biosynth.v1.generation_pb2 import GenerateRequest
from biosynth.v1.types_pb2 import Content, Delivery

_RETRIES = threading.local()


def main() -> None:
    """Call from as many threads, over one client, until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--side", type=int, required=True, help="of the images, px")
    options = parser.parse_args()
    reference = Content(raster=image_raster(_discs(options.side)))
    seeds = itertools.count(secrets.randbits(48))
    token = Path(os.environ["BIOSYNTH_ENDPOINT_TOKEN_FILE"]).read_text().strip()
    tls = TlsOptions(Path(os.environ["BIOSYNTH_ENDPOINT_CA_FILE"]))
    with Client(options.endpoint, token=token, tls=tls, retries=RetryPolicy(sleep=_sleep)) as client:
        threads = [threading.Thread(target=_call_on, args=(client, reference, seeds)) for _ in range(options.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _call_on(client: Client, reference: Content, seeds: Iterator[int]) -> None:
    for seed in seeds:
        line = _call(client, GenerateRequest(
            reference=reference, model="fluo-nuclei", seed=seed, delivery=Delivery.DELIVERY_OBJECT
        ))  # fmt: skip
        print(f"{json.dumps(line)}\n", end="", flush=True)  # one write: threads must not meet within a line
        if line["error"]:
            time.sleep(0.5)  # as a caller would; else failures outnumber all other calls


def _call(client: Client, request: GenerateRequest) -> dict[str, Any]:
    _RETRIES.count = 0
    begin, key, sha256, error = time.time(), "", "", ""
    try:
        image = client.generation.Generate(request).image.object
        key, sha256 = image.key, image.sha256
    except BiosynthCallError as failure:
        error = str(failure)
    end = time.time()
    return {"begin": begin, "end": end, "retries": _RETRIES.count, "error": error, "key": key, "sha256": sha256}


def _sleep(seconds: float) -> None:
    _RETRIES.count += 1
    time.sleep(seconds)


def _discs(side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Nuclei (1) with their boundaries (2) in a grid, (side, side)."""
    rows, columns = np.indices((side, side)) % 32 - 16
    distance = np.hypot(rows, columns)
    return np.select([distance < 9, distance < 10], [1, 2], 0).astype(np.uint8)


if __name__ == "__main__":
    main()
