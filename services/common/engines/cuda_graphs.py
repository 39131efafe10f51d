"""A network for inputs that are small and come again and again: their kernels are launched all at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

_log = logging.getLogger(__name__)

Run: TypeAlias = Callable[[Tensor], Tensor]

# Of a batch: beyond, a GPU computes longer than the CPU takes to launch kernels, and a graph would hold much memory for
# nothing. Reckoned, not measured.
MOST_PX = 512 * 512
# Shapes that are remembered; each graph keeps the activations of its shape, some 60 to 120 MB, for itself.
MOST_SHAPES = 4


class Replayed:
    """A network, with a CUDA graph for each shape that comes again; where more shapes take turns, there are none.

    capture: makes the graph of a network for inputs like an example. Not for several threads; what it returns is
    overwritten by the next call.
    """

    def __init__(self, network: nn.Module, capture: Callable[[Run, Tensor], Run] | None) -> None:
        self._network, self._capture = network, capture
        self._known: dict[tuple[int, ...], Run | None] = {}  # the latest last; None: came once

    def __call__(self, planes: Tensor) -> Tensor:
        """(B, C, H, W) to what the network makes of it."""
        if self._capture is None or planes.shape[0] * planes.shape[2] * planes.shape[3] > MOST_PX:
            result: Tensor = self._network(planes)
            return result
        return self._graph_of(planes)(planes)

    def forget(self) -> None:
        """Let go of all graphs and their memory."""
        self._known.clear()

    def _graph_of(self, planes: Tensor) -> Run:
        """The graph for this shape; the network itself where it is new."""
        shape = tuple(planes.shape)
        again, graph = shape in self._known, self._known.pop(shape, None)
        if again and graph is None:
            graph = self._captured(planes)
        self._known[shape] = graph
        if len(self._known) > MOST_SHAPES:
            del self._known[next(iter(self._known))]
        return graph or self._network

    def _captured(self, planes: Tensor) -> Run | None:
        """A new graph; None where that fails, which must not cost an image: graphs save time and change nothing."""
        if self._capture is None:
            return None
        try:
            return self._capture(self._network, planes)
        except RuntimeError as error:  # torch has no narrower class for it
            _log.warning("no CUDA graphs from now on, kernels are launched one by one: %s", error)
            self._capture = None
            return None


def capture(run: Run, planes: Tensor) -> Run:
    """Record what `run` launches for `planes` into a CUDA graph, which then does so for all inputs of that shape."""
    example, aside = planes.clone(), torch.cuda.Stream()
    # Libraries set themselves up at their first call on a stream, which must not be recorded.
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        run(example)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    # Other threads may use the device meanwhile; by default that would end the recording.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        made = run(example)

    def replay(planes: Tensor) -> Tensor:
        example.copy_(planes)
        graph.replay()
        return made

    return replay
