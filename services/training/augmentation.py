"""Augmentation that is applied alike to an image and to its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Symmetry:
    """One of the eight symmetries of the square: quarter turns, then maybe a flip."""

    turns: int
    flip: bool

    @classmethod
    def draw(cls, generator: np.random.Generator) -> Self:
        """Draw one of the eight."""
        return cls(int(generator.integers(4)), bool(generator.integers(2)))

    def __call__(self, planes: NDArray[Any]) -> NDArray[Any]:
        """Turn (..., S, S); returns an array of its own.

        >>> Symmetry(turns=1, flip=False)(np.array([[1, 2], [3, 4]]))
        array([[2, 4],
               [1, 3]])
        """
        turned = np.rot90(planes, self.turns, (-2, -1))
        return np.ascontiguousarray(turned[..., ::-1] if self.flip else turned)
