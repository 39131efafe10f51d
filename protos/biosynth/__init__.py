"""Client for the biosynth services."""

from biosynth.channel import TlsOptions
from biosynth.client import Client
from biosynth.errors import BiosynthCallError, InvalidInputError, ScalingWarning
from biosynth.objects import ObjectTable
from biosynth.results import GenerationResult, Progress, ReferenceResult, RunOutcome, SegmentationResult
from biosynth.retry import RetryPolicy
from biosynth.scaling import scaled
from biosynth.v1.types_pb2 import Appearance, Look, ObjectRef

__all__ = [
    "Appearance",
    "BiosynthCallError",
    "Client",
    "GenerationResult",
    "InvalidInputError",
    "Look",
    "ObjectRef",
    "ObjectTable",
    "Progress",
    "ReferenceResult",
    "RetryPolicy",
    "RunOutcome",
    "ScalingWarning",
    "SegmentationResult",
    "TlsOptions",
    "scaled",
]
