"""The pictures of a set as the set metrics take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from services.common.imaging.intensity import to_eight_bit
from services.evaluation.pictures import PictureSet
from services.evaluation.sets.field import Field


class FieldsOf(Sequence[Field]):
    """The pictures of a set as fields on 0..1, each made when it is asked for."""

    def __init__(self, pictures: PictureSet) -> None:
        self._pictures = pictures.pictures

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        picture = self._pictures[index]
        eight = to_eight_bit(picture.image)
        stretched = picture.image.dtype != eight.dtype
        return Field(picture.name, eight.astype(np.float32) / np.float32(255), picture.labels, stretched)
