"""The examples in docstrings, of the SDK and of the services, do what they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
FILES = [file for folder in ("services", "protos/biosynth") for file in sorted((ROOT / folder).rglob("*.py"))]
MODULES = [
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removeprefix("protos.")
    for file in FILES
    if ">>> " in file.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_work(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if error.name != "torch":
            raise
        pytest.skip("needs torch: the `training` extra")
    found = doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs={"np": np})
    assert any(test.examples for test in found)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in found:
        runner.run(test)
    assert not runner.failures
