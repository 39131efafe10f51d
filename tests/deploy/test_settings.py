"""A misspelt variable would be ignored in silence: each that is set somewhere must be one that the code reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.deploy.rendering import DEPLOY

ROOT = DEPLOY.parent
NAME = re.compile(r"BIOSYNTH_[A-Z_]*[A-Z]\b")  # whole: BIOSYNTH_TLS_*_FILE of a message is none
# Names that the code puts together, and those of compose and the Makefile themselves.
ENDPOINTS = {f"BIOSYNTH_{service}_ENDPOINT" for service in ("SEGMENTATION", "REFERENCE", "GENERATION")}
CLIENT = {f"BIOSYNTH_ENDPOINT_{what}_FILE" for what in ("CA", "CERT", "KEY", "TOKEN")}
STORE = {f"BIOSYNTH_STORE_{key}_KEY_FILE" for key in ("ACCESS", "SECRET")}
COMPOSE = {f"BIOSYNTH_{what}" for what in ("VERSION", "SECRETS", "MEMORY", "PORT", "MINIO_PORT", "PROMETHEUS_PORT")}
EXPIRY = {f"BIOSYNTH_EXPIRE_{what}_DAYS" for what in ("RESULTS", "INPUTS")}  # of the store's set-up


def test_every_variable_that_is_set_is_one_that_is_read() -> None:
    read = names(path for path in (ROOT / "services").rglob("*.py"))
    written = names(
        path
        for folder in (DEPLOY, ROOT / "services")
        for path in folder.rglob("*")
        if path.suffix in {".yaml", ".env"} or path.name == "Dockerfile"
    )
    assert len(written) > 20
    assert written - read - ENDPOINTS - CLIENT - STORE - COMPOSE - EXPIRY == set()


def test_every_variable_that_is_read_is_explained() -> None:
    explained = names([ROOT / "docs" / "settings.md"])
    assert names((ROOT / "services").rglob("*.py")) | ENDPOINTS | CLIENT | EXPIRY <= explained


def names(paths: Iterator[Path] | list[Path]) -> set[str]:
    return {name for path in paths for name in NAME.findall(path.read_text())}
