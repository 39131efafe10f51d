"""The typed client: numpy in, numpy out."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import grpc
import numpy as np
from numpy.typing import NDArray

from biosynth import raster, transfer
from biosynth.connections import Connections
from biosynth.contract import INLINE_BYTES, MIB
from biosynth.errors import BiosynthCallError, InvalidInputError, ScalingWarning
from biosynth.messages import filled
from biosynth.png import encode_png
from biosynth.results import (
    TILINGS,
    GenerationResult,
    Progress,
    ReferenceResult,
    RunOutcome,
    SegmentationResult,
    unexpected,
)
from biosynth.scaling import scaled
from biosynth.v1 import evaluation_pb2, generation_pb2, pipeline_pb2, reference_pb2, segmentation_pb2
from biosynth.v1.evaluation_pb2 import Metric
from biosynth.v1.generation_pb2 import GetModelResponse, Likeness, Model
from biosynth.v1.pipeline_pb2 import LookSource, Stage
from biosynth.v1.reference_pb2 import Scenario
from biosynth.v1.segmentation_pb2 import Segmenter
from biosynth.v1.types_pb2 import Appearance, Content, Delivery, Look, ObjectRef, Raster, Schema

# A PNG, TIFF or JPEG file as bytes, the path of one, or an object that is in the store.
File: TypeAlias = bytes | Path | ObjectRef
Image: TypeAlias = NDArray[Any] | File
Segmentation: TypeAlias = SegmentationResult | Mapping[str, NDArray[Any]] | File

_LOOKS = {
    "": LookSource.LOOK_SOURCE_UNSPECIFIED,
    "measured": LookSource.LOOK_SOURCE_MEASURED,
    "drawn": LookSource.LOOK_SOURCE_DRAWN,
}
_LAST_STAGES = {
    "": Stage.STAGE_UNSPECIFIED,
    "segment": Stage.STAGE_SEGMENT,
    "render": Stage.STAGE_RENDER,
}
_RASTER = Delivery.DELIVERY_RASTER


class Client(Connections):
    """Calls the services.

    Images are arrays (H, W), files, or objects; what is over 16 MiB is uploaded first. uint8 and uint16 are sent as
    they are; of other numbers `scaled` makes 16 bit, and a ScalingWarning says how: call it yourself to name the range.
    Every method raises BiosynthCallError where the call fails, and InvalidInputError, before anything is sent, for an
    unfit argument.

    >>> with Client("localhost:50051") as client:  # doctest: +SKIP
    ...     found = client.segment(Path("cells.png"))
    ...     image = client.run(image=Path("cells.png")).generation.image
    """

    def segment(
        self,
        image: Image,
        *,
        segmenter: str = "",
        channel: int | None = None,
        diameter_px: float | None = None,
        nuclei_channel: int | None = None,
        cells_channel: int | None = None,
        pixel_size_um: float | None = None,
        first_frame: Image | None = None,
    ) -> SegmentationResult:
        """Find cells, nuclei and the wound. channel: from 0, for a file of several channels; segmenter "": `auto`.

        diameter_px: of a typical object; None: estimated. nuclei_channel, cells_channel: in place of `channel`, for an
        image of stained nuclei beside one that shows cells; each nucleus then lies in its cell. pixel_size_um: for the
        measures in um; None: as the TIFF file says. first_frame: of the time series that `image` is a later frame of,
        for segmenters `wound` and `cell-free`.
        """
        request = filled(
            segmentation_pb2.SegmentRequest,
            image=self._image(image),
            channel=channel,
            segmenter=segmenter,
            delivery=_RASTER,
            diameter_px=diameter_px,
            nuclei_channel=nuclei_channel,
            cells_channel=cells_channel,
            pixel_size_um=pixel_size_um,
            first_frame=None if first_frame is None else self._image(first_frame),
        )
        return SegmentationResult.of(self.segmentation.Segment(request))

    def render(
        self,
        segmentation: Segmentation,
        *,
        schema: str,
        image: Image | None = None,
        channel: int | None = None,
        boundary_thickness_px: int = 0,
        size: tuple[int, int] | None = None,
        tier_limits: Sequence[float] = (),
        absent_parts: Sequence[str] = (),
    ) -> ReferenceResult:
        """Draw the reference. schema: a name, or a schema of your own as YAML (text of more than one line).

        image: needed where the schema has grey tiers. size: (height, width), None: the segmentation's.
        boundary_thickness_px 0: the schema's own. tier_limits (): the schema's, else measured on the image.
        absent_parts: parts that the image does not show, such as `wound`; they are drawn as none.
        """
        height, width = size or (0, 0)
        request = filled(
            reference_pb2.RenderRequest,
            segmentation=self._segmentation(segmentation),
            image=None if image is None else self._image(image),
            channel=channel,
            boundary_thickness_px=boundary_thickness_px,
            height_px=height,
            width_px=width,
            tier_limits=tier_limits,
            absent_parts=absent_parts,
            delivery=_RASTER,
        )
        if "\n" in schema:
            request.schema_yaml = schema
        else:
            request.schema_name = schema
        return ReferenceResult.of(self.reference.Render(request))

    def generate(
        self,
        reference: Image,
        *,
        model: str,
        model_version: str = "",
        seed: int = 0,
        appearance: Appearance | None = None,
        like: Image | Look | None = None,
        like_reference: Image | None = None,
        like_channel: int | None = None,
        tiling: Literal["exact", "whole", "blend", "concat"] = "exact",
    ) -> GenerationResult:
        """Generate an image. reference: (H, W) uint8 level indices. model_version "": the newest.

        like: a real image to imitate, or the look of an earlier result; None: a look is drawn by seed. like_reference:
        what the image to imitate shows, under the model's schema; None: the same as `reference`, which must then have
        its size. appearance: values that take the place of the look's. tiling: `exact` gives the image of `whole`, the
        network's in one piece, at any size; `blend` (patches that overlap, averaged) and `concat` (patches side by
        side, with seams) are there to be compared.
        """
        if tiling not in TILINGS:
            raise InvalidInputError(f"expected tiling to be one of {', '.join(TILINGS)}; got {tiling!r}")
        request = filled(
            generation_pb2.GenerateRequest,
            reference=self._reference(reference),
            model=model,
            model_version=model_version,
            seed=seed,
            appearance=appearance,
            tiling=TILINGS[tiling],
            delivery=_RASTER,
        )
        if (like is None or isinstance(like, Look)) and not (like_reference is None and like_channel is None):
            raise InvalidInputError("expected an image as like, with like_reference or like_channel")
        if isinstance(like, Look):
            request.look.CopyFrom(like)
        elif like is not None:
            own = None if like_reference is None else self._reference(like_reference)
            request.like.CopyFrom(filled(Likeness, image=self._image(like), channel=like_channel, reference=own))
        return GenerationResult.of(self.generation.Generate(request))

    def generate_shard(
        self,
        references: Mapping[str, Image] | ObjectRef,
        *,
        model: str,
        model_version: str = "",
        seed: int = 0,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> ObjectRef:
        """Generate many images into one tar file of the store, which `download` gets.

        references: by the names that their files in the shard are to have; or a ShardManifest in the store, put there
        by someone who may write to the bucket. For looks of their own call `generation.GenerateShard` with `entries`.
        model_version "": the newest. seed: of the shard; each image's own is made of it and of its name. on_progress:
        told how many images of how many are done.
        """
        request = filled(generation_pb2.GenerateShardRequest, model=model, model_version=model_version, seed=seed)
        if isinstance(references, ObjectRef):
            request.manifest.CopyFrom(references)
        else:
            for name, reference in references.items():
                content = self._reference(reference)
                request.entries.append(filled(generation_pb2.ShardEntry, name=name, reference=content))
        responses, shard = self.generation.GenerateShard(request), None
        try:
            for response in responses:
                if response.HasField("shard"):
                    shard = response.shard
                if on_progress is not None:
                    on_progress(response.done, response.total)
            if shard is None:
                raise unexpected("the shard ended without a result")
            return shard
        finally:
            responses.cancel()  # as in `run`

    def run(
        self,
        *,
        image: Image | None = None,
        reference: Image | None = None,
        scenario: Scenario | None = None,
        channel: int | None = None,
        segmenter: str = "",
        schema: str = "",
        model: str = "",
        model_version: str = "",
        seed: int = 0,
        appearance: Appearance | None = None,
        boundary_thickness_px: int = 0,
        tier_limits: Sequence[float] = (),
        look: Literal["", "measured", "drawn"] = "",
        diameter_px: float | None = None,
        nuclei_channel: int | None = None,
        cells_channel: int | None = None,
        pixel_size_um: float | None = None,
        until: Literal["", "segment", "render"] = "",
        stop_if_unsuitable: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> RunOutcome:
        """Run the pipeline from one of image, reference and scenario; names left empty are chosen to fit.

        model_version: of `model`; empty: the newest. diameter_px, nuclei_channel, cells_channel, pixel_size_um: as for
        `segment`; tier_limits: as for `render`.
        until: the last stage to do, without a model; `render` needs a schema. stop_if_unsuitable: end after a
        segmentation whose `unsuitable` says why nothing should be made of it; else an image is made whatever was found.

        look: of the generated image, measured on `image` (its default) or drawn by seed from training images.
        After a failure that may pass, the run begins again and finds its earlier results in the store; `on_progress`
        may then be told of a stage twice.
        """
        if sum(source is not None for source in (image, reference, scenario)) != 1:
            raise InvalidInputError("expected exactly one of image, reference and scenario")
        if look not in _LOOKS:
            raise InvalidInputError(f"expected look to be measured, drawn or empty; got {look!r}")
        if until not in _LAST_STAGES:
            raise InvalidInputError(f"expected until to be segment, render or empty; got {until!r}")
        request = filled(
            pipeline_pb2.RunRequest,
            image=None if image is None else self._image(image),
            reference=None if reference is None else self._reference(reference),
            scenario=scenario,
            channel=channel,
            segmenter=segmenter,
            schema=schema,
            model=model,
            model_version=model_version,
            seed=seed,
            appearance=appearance,
            boundary_thickness_px=boundary_thickness_px,
            tier_limits=tier_limits,
            delivery=_RASTER,
            look_source=_LOOKS[look],
            diameter_px=diameter_px,
            nuclei_channel=nuclei_channel,
            cells_channel=cells_channel,
            pixel_size_um=pixel_size_um,
            stop_if_unsuitable=stop_if_unsuitable,
            last_stage=_LAST_STAGES[until],
        )
        responses, outcome = self.pipeline.Run(request), None
        try:
            # Read to the very end: the server and its metrics count a stream that is left earlier as a cancelled call.
            for response in responses:
                if response.WhichOneof("event") == "result":
                    outcome = RunOutcome.of(response.result)
                elif on_progress is not None and response.WhichOneof("event") == "progress":
                    on_progress(Progress.of(response.progress))
            if outcome is None:
                raise unexpected("the run ended without a result")
            return outcome
        finally:
            responses.cancel()  # no effect after the end; before it, as at Ctrl-C, the server may stop too

    def compare(self, real: Image, generated: Image, *, channel: int | None = None) -> tuple[Metric, ...]:
        """Compare a generated image with the real one, pixel by pixel; both of one size and bit depth.

        Returns all metrics, always in the same order; one without a value says why. channel: of the real image.
        """
        request = filled(
            evaluation_pb2.ComparePairRequest, real=self._image(real), generated=self._image(generated), channel=channel
        )
        return tuple(self.evaluation.ComparePair(request).metrics)

    def list_segmenters(self) -> tuple[Segmenter, ...]:
        """The segmenters that the server offers, by name."""
        return tuple(self.segmentation.ListSegmenters(segmentation_pb2.ListSegmentersRequest()).segmenters)

    def list_schemas(self) -> tuple[Schema, ...]:
        """The built-in schemas, by name."""
        return tuple(self.reference.ListSchemas(reference_pb2.ListSchemasRequest()).schemas)

    def list_models(self) -> tuple[Model, ...]:
        """The models that the server can use, by name."""
        return tuple(self.generation.ListModels(generation_pb2.ListModelsRequest()).models)

    def get_model(self, name: str, version: str = "") -> GetModelResponse:
        """One model and its card; version "": the newest."""
        return self.generation.GetModel(filled(generation_pb2.GetModelRequest, name=name, version=version))

    def load_model(self, name: str, version: str = "") -> Model:
        """Have the server load a model, such as one pushed to the store since its start; version "": the newest."""
        return self.generation.LoadModel(filled(generation_pb2.LoadModelRequest, name=name, version=version)).model

    def unload_model(self, name: str, version: str = "") -> None:
        """Have the server drop a model from its memory; version "": the default one."""
        self.generation.UnloadModel(filled(generation_pb2.UnloadModelRequest, name=name, version=version))

    def upload(self, source: bytes | Path) -> ObjectRef:
        """Put a PNG, TIFF or JPEG file into the store, unless it is there; returns its name for later requests."""
        request = pipeline_pb2.CreateUploadRequest(
            sha256=transfer.sha256_of(source),
            size_bytes=transfer.size_of(source),
            extension=transfer.extension_of(source),
        )
        link = self.pipeline.CreateUpload(request)
        if link.url:  # empty where it is in the store already
            transfer.put(link.url, link.headers, source, link.object.key, self._timeout_s)
        return link.object

    def download(self, ref: ObjectRef, *, max_bytes: int = 1024 * MIB) -> bytes:
        """The bytes of an object. Raises BiosynthCallError where `ref` names a SHA-256 that is not theirs."""
        link = self.pipeline.CreateDownload(pipeline_pb2.CreateDownloadRequest(object=ref))
        data = transfer.get(link.url, ref.key, max_bytes, self._timeout_s)
        found = hashlib.sha256(data).hexdigest()
        if ref.sha256 and found != ref.sha256:
            text = f"expected {ref.key} with SHA-256 {ref.sha256}; got {len(data)} bytes with {found}"
            raise BiosynthCallError(grpc.StatusCode.DATA_LOSS, text, "SHA256_MISMATCH")
        return data

    def _image(self, image: Image) -> Content:
        if isinstance(image, np.ndarray) and image.ndim == 2:
            image, note = scaled(image)
            if note:
                warnings.warn(note, ScalingWarning, stacklevel=3)
        return self._reference(image)

    def _reference(self, reference: Image) -> Content:
        """Pixels whose values stay as they are."""
        if not isinstance(reference, np.ndarray):
            return self._file(reference)
        packed = raster.image_raster(reference)
        if len(packed.zlib_samples) > INLINE_BYTES:
            return Content(object=self.upload(encode_png(reference)))
        return Content(raster=packed)

    def _segmentation(self, segmentation: Segmentation) -> Content:
        if isinstance(segmentation, SegmentationResult):
            return _inline(raster.segmentation_raster(segmentation.parts))
        if isinstance(segmentation, Mapping):
            return _inline(raster.segmentation_raster(segmentation))
        return self._file(segmentation)

    def _file(self, file: File) -> Content:
        if isinstance(file, ObjectRef):
            return Content(object=file)
        if not isinstance(file, bytes | Path):
            raise InvalidInputError(f"expected an array, bytes, a Path or an ObjectRef; got {type(file).__name__}")
        if transfer.size_of(file) > INLINE_BYTES:
            return Content(object=self.upload(file))
        return Content(file=file if isinstance(file, bytes) else file.read_bytes())


def _inline(packed: Raster) -> Content:
    if len(packed.zlib_samples) > INLINE_BYTES:
        raise InvalidInputError(
            f"an array may take {INLINE_BYTES} bytes when compressed; this one takes {len(packed.zlib_samples)}: "
            "save it as a file and pass the path, which will be uploaded"
        )
    return Content(raster=packed)
