"""Which split a mask belongs to: all images of a mask, and all masks of a group, are in one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from services.common.errors import InvalidArgument


def group_of(name: str, pattern: re.Pattern[str]) -> str:
    """What the pattern's first group finds in a mask's name, or the whole match. Raises InvalidArgument for no match.

    >>> group_of("plate3_well7.png", re.compile(r"(plate\\d+)_"))
    'plate3'
    """
    found = pattern.search(name)
    if found is None:
        raise InvalidArgument(
            f"expected --group to match the name of every mask; {pattern.pattern!r} is not in {name!r}"
        )
    return str(found[1] if found.re.groups and found[1] is not None else found[0])


def assign_splits(groups: Sequence[str], shares: Sequence[float], seed: int) -> list[int]:
    """The number of the split of each mask, none of them empty; groups: of each mask.

    Groups, shuffled by seed and then the largest first, go to the split that lacks most. Raises InvalidArgument for
    fewer groups than splits.

    >>> assign_splits(["a", "a", "b", "b", "c"], (80, 20), seed=0)
    [0, 0, 0, 0, 1]
    """
    members = defaultdict(list)
    for mask, group in enumerate(groups):
        members[group].append(mask)
    if len(members) < len(shares):
        raise InvalidArgument(
            f"expected masks of at least {len(shares)} groups for {len(shares)} splits; got {len(members)}; without "
            "--group, masks of different content are groups"
        )
    names = list(members)
    order = [names[index] for index in np.random.default_rng(seed).permutation(len(names))]
    lacking = [share / sum(shares) * len(groups) for share in shares]
    empty, result = set(range(len(shares))), [0] * len(groups)
    for place, group in enumerate(sorted(order, key=lambda name: -len(members[name]))):
        open_to = empty if len(order) - place == len(empty) else range(len(shares))
        split = max(open_to, key=lambda number: (lacking[number], -number))
        empty.discard(split)
        lacking[split] -= len(members[group])
        for mask in members[group]:
            result[mask] = split
    return result
