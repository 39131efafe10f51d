"""Every service with its own user of the store, as deployed: together they need no more rights than they have."""

from __future__ import annotations

import numpy as np
import pytest
from biosynth import Client
from biosynth.v1.evaluation_pb2 import ComparePairRequest, CompareSetsRequest, Field, ImageSet
from biosynth.v1.pipeline_pb2 import RunRequest
from biosynth.v1.types_pb2 import Content, Delivery

from services.cli.composition import SERVICES
from services.common.imaging.images import decode_image, encode_png
from services.evaluation.model_evaluations import newest_keys, read_evaluation
from services.generation.model import SHIPPED, read_model
from services.generation.repository import push_model
from tests.integration.storage.conftest import MinioWithUsers, each_alone
from tests.support.pictures import nuclei_picture


def test_with_models_from_the_store_an_image_goes_in_and_a_generated_one_comes_out(
    minio: MinioWithUsers, tmp_path_factory: pytest.TempPathFactory
) -> None:
    push_model(minio.store("models"), read_model(SHIPPED / "fluo-nuclei"))
    folder, picture = tmp_path_factory.mktemp("s"), nuclei_picture()
    with each_alone(minio, SERVICES, folder), Client(f"unix:{folder}/pipeline", timeout_s=60) as client:
        image = client.upload(encode_png(picture))
        request = RunRequest(image=Content(object=image), delivery=Delivery.DELIVERY_OBJECT)
        [result] = [response.result for response in client.pipeline.Run(request) if response.HasField("result")]
        generated = result.generation.image.object
        assert generated.key.startswith("results/generate/")
        assert decode_image(client.download(generated)).shape == picture.shape
        with Client(f"unix:{folder}/generation", timeout_s=60) as generation:
            references = {"a": np.zeros((32, 32), np.uint8)}
            assert generation.generate_shard(references, model="fluo-nuclei").key.startswith("results/generate-shard/")
        with Client(f"unix:{folder}/evaluation", timeout_s=60) as evaluation:
            pair = ComparePairRequest(real=Content(object=image), generated=Content(object=generated))
            assert len(evaluation.evaluation.ComparePair(pair).metrics) == 11
            real = ImageSet(name="real", fields=[Field(name="a", image=Content(object=image))])
            made = ImageSet(
                name="made", model="fluo-nuclei/2", fields=[Field(name="a", image=Content(object=generated))]
            )
            before = set(newest_keys(minio.store("evaluation")))  # of other tests with this store
            list(evaluation.evaluation.CompareSets(CompareSetsRequest(real=real, candidates=[made])))
    (key,) = set(newest_keys(minio.store("evaluation"))) - before
    assert read_evaluation(minio.store("evaluation"), key).figures.keys() == {"spectrum_distance"}
