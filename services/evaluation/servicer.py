"""EvaluationService: fetch, compare, store, reply."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from biosynth.v1 import evaluation_pb2, evaluation_pb2_grpc
from biosynth.v1.evaluation_pb2 import CandidateVerdict, Direction, EvaluationProgress
from biosynth.v1.types_pb2 import Delivery
from numpy.typing import NDArray

from services.common.abandonment import stop_if_abandoned
from services.common.errors import InvalidArgument, at, blaming
from services.common.names import check_name
from services.common.serving.content import identify, read_image
from services.common.serving.delivery import check_delivery, deliver
from services.common.serving.job import Job
from services.common.serving.runtime import Runtime, computed_with
from services.common.serving.server import Context, Service
from services.common.serving.streams import told_by
from services.common.storage.results import Json, Outcome, Stored
from services.evaluation.image_sets import SetIdentity, identify_set, read_set
from services.evaluation.inception import Inception
from services.evaluation.lpips import Lpips
from services.evaluation.model_evaluations import (
    Figure,
    ModelEvaluation,
    check_model,
    chosen_figures,
    record_evaluation,
)
from services.evaluation.paired import PAIRED_VERSION, compare_pair
from services.evaluation.paired_metrics import PAIRED_METRICS, PairedMetric
from services.evaluation.pictures import listed
from services.evaluation.quality_metrics import QualityMetrics
from services.evaluation.sets.classifier import NEEDS_TORCH, NOT_ASKED, PixelClassifier
from services.segmentation.builtin import builtin_segmenters
from services.segmentation.learned.segmenter import shipped
from services.segmentation.segmenter import Segmenter

EVALUATION_VERSION = 7  # rises whenever a figure, the report or the summary changes
# The network whose features describe windows: one for all sets, so that figures compare.
DESCRIBED_BY = "nuclei"
JSON, CSV, HTML = "metrics.json", "metrics.csv", "report.html"


class EvaluationServicer(evaluation_pb2_grpc.EvaluationServiceServicer):
    """Translates between the contract and the metrics.

    lpips, inception: None where their weights are not mounted. pixel_classifier: None where there is no torch.
    """

    def __init__(
        self,
        runtime: Runtime,
        lpips: Lpips | None = None,
        inception: Inception | None = None,
        pixel_classifier: PixelClassifier | None = None,
    ) -> None:
        self._runtime, self._lpips, self._inception = runtime, lpips, inception
        self._pixel_classifier = pixel_classifier
        QualityMetrics(runtime.store, runtime.metrics.registry)

    async def ComparePair(
        self, request: evaluation_pb2.ComparePairRequest, context: Context
    ) -> evaluation_pb2.ComparePairResponse:
        return await self._runtime.answer(lambda: self._compare_pair(request))

    async def CompareSets(
        self, request: evaluation_pb2.CompareSetsRequest, context: Context
    ) -> AsyncIterator[evaluation_pb2.CompareSetsResponse]:
        def work(tell: Callable[[evaluation_pb2.CompareSetsResponse], None]) -> Awaitable[None]:
            return self._runtime.answer(lambda: self._compare_sets(request, tell))

        async for response in told_by(work):
            yield response

    def _compare_pair(self, request: evaluation_pb2.ComparePairRequest) -> Job[evaluation_pb2.ComparePairResponse]:
        store, limits = self._runtime.store, self._runtime.limits
        channel = request.channel if request.HasField("channel") else None
        with at("real"):
            real = identify(request.real, store, limits)
        with at("generated"):
            generated = identify(request.generated, store, limits)
        identity: dict[str, Json] = {
            "real": real.sha256,
            "channel": channel,
            "generated": generated.sha256,
            "lpips": "" if self._lpips is None else self._lpips.sha256,
            "version": PAIRED_VERSION,
        }

        def compute() -> Outcome:
            with at("real", channel="channel"):
                first, _ = read_image(real.content, channel, store, limits)
            with at("generated"):
                second, _ = read_image(generated.content, None, store, limits)
            with blaming("generated"):
                found = compare_pair(first, second, self._lpips)
            return Outcome({}, {metric.name: [metric.value, metric.unavailable] for metric in found})

        return Job(
            "compare-pair",
            identity,
            compute,
            _pair_response,
            real.pixels + generated.pixels,
            "real",
            max(real.pixels, generated.pixels),
        )

    def _compare_sets(
        self, request: evaluation_pb2.CompareSetsRequest, tell: Callable[[evaluation_pb2.CompareSetsResponse], None]
    ) -> Job[None]:
        """Compare, telling of each step and, last, of the result."""
        _check(request)
        runtime, judge, classifier = self._runtime, _judge(request.judge), self._classifier(request)
        versions = {**computed_with(), **({} if isinstance(classifier, str) else classifier.versions)}
        real = read_set(request.real, runtime, "real")
        candidates = [read_set(one, runtime, path) for path, one in _candidates(request)]
        train = read_set(request.train, runtime, "train") if request.HasField("train") else None

        def progress(stage: str, done: int, total: int) -> None:
            stop_if_abandoned()
            tell(evaluation_pb2.CompareSetsResponse(progress=EvaluationProgress(stage=stage, done=done, total=total)))

        def compute() -> Outcome:
            # Here, not above: scikit-learn and matplotlib take seconds, and every command of the CLI imports this.
            from services.evaluation.evaluate import evaluate

            made = evaluate(
                real, candidates, train=train, judge=judge, seed=request.seed, tile_px=request.tile_px or None,
                lpips=self._lpips, inception=self._inception, pixel_classifier=classifier,
                describe=shipped(DESCRIBED_BY).describe, versions=versions, progress=progress,
            )  # fmt: skip
            figures: list[Json] = [{**chosen_figures(row["sets"])} for row in json.loads(made.json)["candidates"]]
            # The time is kept with the figures: found again, they are no newer than they were.
            summary: dict[str, Json] = {
                "verdicts": [*made.verdicts],
                "figures": figures,
                "evaluated_at": round(time.time(), 3),
            }
            return Outcome({JSON: made.json, CSV: made.csv, HTML: made.html}, summary)

        def reply(stored: Stored) -> None:
            self._record_models(request, stored)
            tell(evaluation_pb2.CompareSetsResponse(result=self._result(request, stored)))

        named = (("real", request.real), *_candidates(request))
        sets = [identify_set(one, runtime, path) for path, one in named]
        learned_from = identify_set(request.train, runtime, "train") if request.HasField("train") else None
        sizes = [pixels for one in (*sets, learned_from) if one is not None for pixels in one.pixels]
        identity = self._identity(request, sets, learned_from)
        return Job("compare-sets", identity, compute, reply, sum(sizes), "real", max(sizes))

    def _result(self, request: evaluation_pb2.CompareSetsRequest, stored: Stored) -> evaluation_pb2.EvaluationResult:
        verdicts: Any = stored.summary["verdicts"]  # written by compute
        files = {
            field: deliver(self._runtime.store, stored.objects[name], request.delivery, _no_planes)
            for field, name in (("metrics_json", JSON), ("metrics_csv", CSV), ("report_html", HTML))
        }
        return evaluation_pb2.EvaluationResult(
            **files,
            verdicts=[
                CandidateVerdict(name=candidate.name, verdict=verdict)
                for candidate, verdict in zip(request.candidates, verdicts, strict=True)
            ],
            cached=stored.cached,
        )

    def _record_models(self, request: evaluation_pb2.CompareSetsRequest, stored: Stored) -> None:
        summary: Any = stored.summary  # written by compute
        comparison = stored.objects[JSON].key.removesuffix(f"/{JSON}")
        for candidate, figures in zip(request.candidates, summary["figures"], strict=True):
            if candidate.model:
                named = {name: Figure(*pair) for name, pair in figures.items()}
                last = ModelEvaluation(*check_model(candidate.model), summary["evaluated_at"], comparison, named)
                record_evaluation(self._runtime.store, last)

    def _identity(
        self, request: evaluation_pb2.CompareSetsRequest, sets: Sequence[SetIdentity], train: SetIdentity | None
    ) -> dict[str, Any]:
        judge, classifier = _judge(request.judge), self._classifier(request)
        return {
            "real": sets[0].digests,
            "candidates": [one.digests for one in sets[1:]],
            "train": [] if train is None else train.digests,
            "judge": [] if judge is None else [judge.name, judge.version],
            "seed": request.seed,
            "tile_px": request.tile_px,
            "lpips": "" if self._lpips is None else self._lpips.sha256,
            "described_by": shipped(DESCRIBED_BY).description.sha256,
            "inception": "" if self._inception is None else self._inception.sha256,
            "pixel_classifier": classifier if isinstance(classifier, str) else dict(classifier.versions),
            "version": EVALUATION_VERSION,
        }

    def _classifier(self, request: evaluation_pb2.CompareSetsRequest) -> PixelClassifier | str:
        """The classifier of pixels, or why there is none."""
        return (self._pixel_classifier or NEEDS_TORCH) if request.pixel_classifier else NOT_ASKED


def evaluation_service(
    runtime: Runtime,
    lpips: Lpips | None = None,
    inception: Inception | None = None,
    pixel_classifier: PixelClassifier | None = None,
) -> Service:
    """The service, ready to be added to a server. For the arguments see EvaluationServicer."""
    add = evaluation_pb2_grpc.add_EvaluationServiceServicer_to_server
    return Service(
        "biosynth.v1.EvaluationService", partial(add, EvaluationServicer(runtime, lpips, inception, pixel_classifier))
    )


def _pair_response(stored: Stored) -> evaluation_pb2.ComparePairResponse:
    summary: Any = stored.summary  # written by compute
    return evaluation_pb2.ComparePairResponse(
        metrics=[metric_message(metric, *summary[metric.name]) for metric in PAIRED_METRICS],
        version=str(PAIRED_VERSION),
        cached=stored.cached,
    )


def metric_message(metric: PairedMetric, value: float | None, unavailable: str) -> evaluation_pb2.Metric:
    """A metric as the contract has it."""
    direction = Direction.Value(f"DIRECTION_{metric.direction.upper().replace('-', '_')}")
    return evaluation_pb2.Metric(
        name=metric.name,
        value=value,
        unavailable=unavailable,
        direction=direction,
        unit=metric.unit,
        what=metric.what,
    )


def _candidates(request: evaluation_pb2.CompareSetsRequest) -> list[tuple[str, evaluation_pb2.ImageSet]]:
    """Each with its path in the request."""
    return [(f"candidates[{number}]", candidate) for number, candidate in enumerate(request.candidates)]


def _check(request: evaluation_pb2.CompareSetsRequest) -> None:
    """Refuse what no images could make right, before any is fetched."""
    check_delivery(request.delivery)
    if request.delivery == Delivery.DELIVERY_RASTER:
        raise InvalidArgument(
            "expected a delivery as object or file, for a report is no array; got raster", field="delivery"
        )
    if not request.candidates:
        raise InvalidArgument(
            "expected at least one set of generated images as candidates; got none", field="candidates"
        )
    names = [candidate.name for candidate in request.candidates]
    if wrong := [number for number, name in enumerate(names) if not name or names.index(name) < number]:
        raise InvalidArgument(
            f"expected a name of its own for every candidate; got {listed(names)}", field=f"candidates[{wrong[0]}].name"
        )
    for path, one in (("real", request.real), ("train", request.train)):
        if one.model:
            raise InvalidArgument(
                f"expected a model for candidates alone; real or training images have {one.model!r:.80}",
                field=f"{path}.model",
            )
    _check_models(request)


def _check_models(request: evaluation_pb2.CompareSetsRequest) -> None:
    models = []
    for path, candidate in _candidates(request):
        with at(path):
            models.append(check_model(candidate.model) if candidate.model else None)
            if models[-1] is not None and models.count(models[-1]) > 1:
                raise InvalidArgument(
                    "expected each model for one candidate at most, for it has one last evaluation; "
                    f"{candidate.model} is of several: compare them in calls of their own",
                    field="model",
                )


def _judge(name: str) -> Segmenter | None:
    able = {key: found for key, found in builtin_segmenters().items() if {"cells", "nuclei"} & set(found.parts)}
    if not name:
        return None
    with at("judge"):
        check_name("judge of cells or nuclei", name, able, ", or none")
    return able[name]


def _no_planes(_data: bytes) -> dict[str, NDArray[Any]]:
    raise AssertionError("rasters are refused before")  # _check
