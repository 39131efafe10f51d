"""Training by several processes at once: torchrun starts them, and each computes its share of every batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from services.common.errors import ConfigError


@dataclass(frozen=True)
class Ranks:
    """How many processes train together, and which of them this is, from 0.

    Every process draws the whole batch, from the same random state, and computes its part: so the joint batch is
    the same for any number of processes, and a checkpoint of one goes on in another. Process 0 alone writes and speaks.
    """

    number: int = 0
    count: int = 1

    @property
    def writes(self) -> bool:
        """Whether this is the process that writes files and tells people."""
        return self.number == 0

    def part(self, batch: int) -> slice:
        """Which samples of a batch are this process's. Raises ConfigError for a batch that cannot be shared evenly."""
        share, rest = divmod(batch, self.count)
        if rest or not share:
            raise ConfigError(
                f"expected a batch that {self.count} processes can share evenly; got {batch}; choose another number of "
                "processes, or another `batch` by --hyper"
            )
        return slice(self.number * share, (self.number + 1) * share)

    def noise_like(self, image: Tensor) -> Tensor:
        """Normal noise for this process's part of a batch, (B, ...), drawn for the whole batch."""
        if self.count == 1:
            return torch.randn_like(image)
        whole = torch.randn(self.count * len(image), *image.shape[1:], dtype=image.dtype)
        return whole[self.part(len(whole))].to(image.device)

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace each gradient by its mean over processes: that of the joint batch, where losses are means."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.count == 1 or not gradients:
            return
        joint = torch.cat([gradient.flatten() for gradient in gradients])  # one message for all
        dist.all_reduce(joint)
        joint /= self.count
        for gradient, mean in zip(gradients, joint.split([one.numel() for one in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def largest(self, value: int) -> int:
        """The largest of the processes' values, so that all of them do the same."""
        if self.count == 1:
            return value
        told = torch.tensor(value)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return int(told)

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.count > 1:
            dist.barrier()


ALONE = Ranks()


@contextmanager
def join() -> Iterator[Ranks]:
    """The processes that torchrun started, connected while open; else this one alone."""
    if not dist.is_torchelastic_launched():
        yield ALONE
        return
    dist.init_process_group("gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
