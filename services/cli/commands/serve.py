"""`biosynth serve`: all services in one process, or some of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from services.cli.composition import SERVICES, Composition
from services.cli.console import Console
from services.cli.session import default_store, private_address
from services.common.errors import UnknownName
from services.common.serving.config import EndpointsConfig, ServerConfig
from services.common.serving.runtime import Runtime, run_server
from services.common.serving.server import Service, running
from services.evaluation.config import EvaluationConfig
from services.generation.config import GenerationConfig
from services.segmentation.config import SegmentationConfig

HELP = "serve gRPC: all services in one process, or some"
ENDPOINTS = tuple(f"BIOSYNTH_{name}_ENDPOINT" for name in ("SEGMENTATION", "REFERENCE", "GENERATION"))
DESCRIPTION = """\
Serves until SIGTERM or Ctrl-C, then lets calls in flight end. Without names: all services. The address, metrics,
reflection, TLS, token and store come from BIOSYNTH_* variables (docs/settings.md); options here go before them.
The pipeline finds services that are not in this process by BIOSYNTH_{SEGMENTATION,REFERENCE,GENERATION}_ENDPOINT."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=f"among {', '.join(SERVICES)}; default: all")
    parser.add_argument("--address", metavar="HOST:PORT", help="default: BIOSYNTH_ADDRESS, else 127.0.0.1:50051")
    parser.add_argument("--metrics-port", type=int, metavar="PORT", help="Prometheus metrics over HTTP; default: none")
    parser.add_argument("--reflection", action="store_true", help="let grpcurl and the like list the methods")


def execute(arguments: argparse.Namespace, console: Console) -> None:  # noqa: ARG001 - it serves, and says nothing
    """Run the command until it is signalled. Raises UnknownName, ConfigError or StoreUnavailable before serving."""
    if unknown := sorted(set(arguments.services) - set(SERVICES)):
        raise UnknownName(f"expected services among {', '.join(SERVICES)}; got {', '.join(unknown)}")
    env = _with_options(os.environ, arguments)
    with private_address() as address:
        names = arguments.services or list(SERVICES)
        composition = Composition(
            names,
            GenerationConfig.from_env(env),
            _endpoints(env, address),
            EvaluationConfig.from_env(env),
            SegmentationConfig.from_env(env),
        )
        public = ServerConfig.from_env(env)
        private = ServerConfig(
            address=address,
            drain_seconds=1.0,
            max_message_bytes=public.max_message_bytes,
            max_in_flight_bytes=public.max_in_flight_bytes,
            otlp_endpoint=public.otlp_endpoint,
        )
        run_server(env, lambda runtime: _start(composition, private, runtime))


@asynccontextmanager
async def _start(composition: Composition, private: ServerConfig, runtime: Runtime) -> AsyncIterator[Sequence[Service]]:
    """Build the services; those that the pipeline calls are also served on a private socket of this process.

    There calls need no token and no certificate, which the public address may ask for.
    """
    async with composition.start(runtime) as services:
        inner = [service for service in services if not service.name.endswith("PipelineService")]
        async with running(private, inner, runtime.metrics):
            yield services


def _with_options(env: Mapping[str, str], arguments: argparse.Namespace) -> dict[str, str]:
    store = default_store(env)
    options = {
        "BIOSYNTH_ADDRESS": arguments.address,
        "BIOSYNTH_METRICS_PORT": None if arguments.metrics_port is None else str(arguments.metrics_port),
        "BIOSYNTH_REFLECTION": "true" if arguments.reflection else None,
        "BIOSYNTH_STORE_PATH": str(store.path) if store.path else None,
    }
    return {**env, **{name: value for name, value in options.items() if value is not None}}


def _endpoints(env: Mapping[str, str], address: str) -> EndpointsConfig:
    """Where the pipeline finds the others: in this process, unless told otherwise."""
    told = EndpointsConfig.from_env({**dict.fromkeys(ENDPOINTS, address), **env})
    # The caller's credentials are for configured endpoints: with them gRPC would expect TLS of our own socket.
    return told if any(variable in env for variable in ENDPOINTS) else EndpointsConfig(address, address, address)
