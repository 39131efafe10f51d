"""`biosynth serve`: all services in one process, or some of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping

from services.cli.composition import SERVICES, Composition
from services.cli.session import default_store
from services.common.config import EndpointsConfig, ServerConfig
from services.common.runtime import serve
from services.generation.config import GenerationConfig

HELP = "serve gRPC: all services in one process, or some"
DESCRIPTION = """\
Serves until SIGTERM or Ctrl-C, then lets calls in flight end. Without names: all services. The address, metrics,
reflection, TLS, token and store come from BIOSYNTH_* variables (README.md lists them); options here go before them.
The pipeline finds services that are not in this process by BIOSYNTH_{SEGMENTATION,REFERENCE,GENERATION}_ENDPOINT."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=f"among {', '.join(SERVICES)}; default: all")
    parser.add_argument("--address", metavar="HOST:PORT", help="default: BIOSYNTH_ADDRESS, else 127.0.0.1:50051")
    parser.add_argument("--metrics-port", type=int, metavar="PORT", help="Prometheus metrics over HTTP; default: none")
    parser.add_argument("--reflection", action="store_true", help="let grpcurl and the like list the methods")


def execute(arguments: argparse.Namespace) -> None:
    """Run the command until it is signalled."""
    if unknown := sorted(set(arguments.services) - set(SERVICES)):
        raise SystemExit(f"biosynth serve: expected services among {', '.join(SERVICES)}; got {', '.join(unknown)}")
    env = _with_options(os.environ, arguments)
    names = arguments.services or list(SERVICES)
    address = ServerConfig.from_env(env).address
    serve(env, Composition(names, GenerationConfig.from_env(env), _endpoints(env, address)).start)


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
    """Where the pipeline finds the others: here, unless told otherwise."""
    here = {f"BIOSYNTH_{name.upper()}_ENDPOINT": address for name in ("segmentation", "reference", "generation")}
    return EndpointsConfig.from_env({**here, **env})
