"""What each of the store's users may do on a real MinIO set up by deploy/minio/init.py, and what nobody may."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from biosynth.connections import SERVICES
from minio import Minio
from minio.error import MinioAdminException, S3Error

from services.common.errors import ConfigError, ObjectNotFound
from services.common.storage.s3 import S3Store
from tests.integration.storage.conftest import BUCKET, MinioWithUsers
from tests.support import s3_servers

# One of each kind, those that nobody may touch included.
PREFIXES = (
    "inputs/",
    "datasets/",
    "results/segment/",
    "results/render/",
    "results/generate/",
    "results/generate-shard/",
    "results/compare-pair/",
    "results/compare-sets/",
    "results/evaluations/",
    "results/other/",
    "datasets/generated/",
    "evaluations/",
    "models/",
    "other/",
)
EVALUATIONS = {"results/evaluations/"}
COMPARED = {"results/compare-pair/", "results/compare-sets/"} | EVALUATIONS
IMAGES = {prefix for prefix in PREFIXES if prefix.startswith(("inputs/", "datasets/", "results/"))}
DATA = {"inputs/", "datasets/", "datasets/generated/"}
MODELS = {"models/"}


@dataclass(frozen=True)
class Rights:
    """Prefixes that a user may read, write and list."""

    reads: set[str]
    writes: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)


TABLE = {
    "segmentation": Rights(reads=IMAGES, writes={"results/segment/"}),
    "reference": Rights(reads=IMAGES, writes={"results/render/"}),
    "generation": Rights(reads=IMAGES | MODELS, writes={"results/generate/", "results/generate-shard/"}, lists=MODELS),
    "evaluation": Rights(reads=IMAGES, writes=COMPARED, lists=EVALUATIONS),
    "pipeline": Rights(reads=IMAGES, writes={"inputs/"}),
    "models": Rights(reads=MODELS, writes=MODELS, lists=MODELS),
    "bulk-generation": Rights(reads=DATA, writes={"datasets/generated/"}, lists=DATA),
    "evaluation-job": Rights(
        reads=IMAGES | {"evaluations/"},
        writes={"inputs/", "results/compare-sets/", "evaluations/"} | EVALUATIONS,
        lists=DATA | EVALUATIONS,
    ),
}
_names = (f"object-{number}" for number in count())


@pytest.fixture(params=TABLE)
def user(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def allowed(call: Callable[[str], object], prefixes: Iterable[str] = PREFIXES) -> set[str]:
    """The prefixes for which the server allows the call; any error but AccessDenied fails the test."""
    return {prefix for prefix in prefixes if _goes_through(call, prefix)}


def _goes_through(call: Callable[[str], object], prefix: str) -> bool:
    try:
        call(prefix)
    except ConfigError as error:
        if "403 AccessDenied" not in error.message:
            raise
        return False
    return True


def test_the_table_has_every_user_with_a_policy() -> None:
    assert set(TABLE) == set(s3_servers.USERS)


def test_a_user_reads_its_prefixes_and_no_others(minio: MinioWithUsers, user: str) -> None:
    root, store, name = minio.store("root"), minio.store(user), next(_names)
    for prefix in PREFIXES:
        root.put(prefix + name, b"hello", "x/y")
    assert allowed(lambda prefix: store.get(prefix + name, 5)) == TABLE[user].reads
    assert allowed(lambda prefix: store.head(prefix + name)) == TABLE[user].reads


def test_what_is_absent_is_absent_to_users_who_may_not_list(minio: MinioWithUsers, user: str) -> None:
    store = minio.store(user)
    for prefix in TABLE[user].reads:
        assert store.head(f"{prefix}absent") is None
        with pytest.raises(ObjectNotFound):
            store.get(f"{prefix}absent", 5)


def test_a_user_writes_under_its_own_prefix_alone(minio: MinioWithUsers, user: str) -> None:
    root, store, name = minio.store("root"), minio.store(user), next(_names)
    assert allowed(lambda prefix: store.put(prefix + name, b"mine", "x/y")) == TABLE[user].writes
    assert {prefix for prefix in PREFIXES if root.head(prefix + name)} == TABLE[user].writes
    for prefix in TABLE[user].writes:
        assert store.put(prefix + name, b"another", "x/y").size == 4  # the first writer's stays
        assert store.get(prefix + name, 5) == b"mine"


def test_a_user_lists_what_it_must_and_no_more(minio: MinioWithUsers, user: str) -> None:
    store, places, name = minio.store(user), ("", "results/", *PREFIXES), next(_names)
    assert allowed(lambda prefix: list(store.list(prefix)), places) == TABLE[user].lists
    for prefix in TABLE[user].lists:
        minio.store("root").put(prefix + name, b"hello", "x/y")
        assert prefix + name in store.list(prefix)


def test_no_user_deletes_or_touches_buckets(minio: MinioWithUsers, user: str) -> None:
    client, root, name = minio.client(user), minio.store("root"), next(_names)
    for prefix in PREFIXES:
        root.put(prefix + name, b"hello", "x/y")
    refused: list[Callable[[], object]] = [
        *(lambda key=prefix + name: client.remove_object(BUCKET, key) for prefix in PREFIXES),
        lambda: client.make_bucket("another"),
        lambda: client.remove_bucket(BUCKET),
        lambda: client.list_buckets(),
        lambda: client.set_bucket_policy(BUCKET, "{}"),
        lambda: client.get_bucket_policy(BUCKET),
        lambda: client.delete_bucket_lifecycle(BUCKET),
    ]
    for call in refused:
        with pytest.raises(S3Error) as error:
            call()
        assert error.value.code == "AccessDenied"
    assert all(root.head(prefix + name) for prefix in PREFIXES)


def test_no_user_administers_not_even_itself(minio: MinioWithUsers, user: str) -> None:
    admin, own = minio.admin(user), minio.config(user).access_key
    refused: list[Callable[[], object]] = [
        admin.info,
        admin.user_list,
        admin.policy_list,
        lambda: admin.user_add("another", "another-secret"),
        lambda: admin.policy_set("readwrite", user=own),
        # MinIO lets users do both of these to themselves unless a policy denies it; a thief would keep access.
        lambda: admin.add_service_account(access_key=f"hidden-{user}", secret_key="hidden-secret"),  # noqa: S106
        lambda: admin.user_add(own, "another-secret"),
    ]
    for call in refused:
        with pytest.raises(MinioAdminException, match="AccessDenied"):
            call()


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_passes_the_stores_check(minio: MinioWithUsers, service: str) -> None:
    minio.store(service).check()


def test_the_check_tells_a_user_without_rights_what_to_grant(minio: MinioWithUsers) -> None:
    with pytest.raises(
        ConfigError, match=r"s3:GetObject on inputs/\*, results/\*, datasets/\* .* s3:ListBucket"
    ) as error:
        minio.store("models").check()
    assert minio.server.endpoint in error.value.message


def test_another_bucket_is_as_good_as_absent(minio: MinioWithUsers) -> None:
    with pytest.raises(ConfigError, match=r"BIOSYNTH_STORE_BUCKET.* got 403 AccessDenied; check the bucket's name"):
        S3Store(replace(minio.config("segmentation"), bucket="biosynth")).check()


def test_strangers_get_nothing(minio: MinioWithUsers) -> None:
    stranger = Minio(minio.server.endpoint.removeprefix("http://"), secure=False, region="us-east-1")
    minio.store("root").put("inputs/private", b"hello", "x/y")
    for call in (lambda: stranger.get_object(BUCKET, "inputs/private"), lambda: list(stranger.list_objects(BUCKET))):
        with pytest.raises(S3Error, match="AccessDenied"):
            call()
