"""From settings to models ready to generate."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from services.common.serving.runtime import Runtime
from services.common.serving.waiting import wait_until
from services.generation.config import GenerationConfig
from services.generation.device import choose_engine
from services.generation.loaded import LoadedModels
from services.generation.model import ModelShelf
from services.generation.repository import ModelSource, pull_models


@contextmanager
def opened_models(config: GenerationConfig, runtime: Runtime) -> Iterator[LoadedModels]:
    """The models of the configured folders and, where configured, of the store; waits until the store has them.

    Raises ConfigError, or StoreUnavailable where it waits in vain.
    """
    open_engine = choose_engine(config.device, config.precision, config.cpu_engine)
    with ExitStack() as stack:
        folders, source = list(config.model_folders), None
        if config.from_store:
            copies = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="biosynth-models-")))
            pull = partial(pull_models, runtime.store, copies, config.required)
            folders.insert(0, wait_until(pull, runtime.start_wait_seconds))
            source = ModelSource(runtime.store, copies)
        yield LoadedModels(ModelShelf(*folders), open_engine, source)
