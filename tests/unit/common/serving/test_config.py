"""Configuration: read once from a mapping, and what is wrong names its variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.errors import ConfigError
from services.common.serving.config import EndpointsConfig, ServerConfig, TlsFiles
from services.common.storage.config import StoreConfig

CONTENT = "from-a-file"
S3 = {
    "BIOSYNTH_STORE": "s3",
    "BIOSYNTH_STORE_ENDPOINT": "http://store:9000/",
    "BIOSYNTH_STORE_BUCKET": "biosynth",
    "BIOSYNTH_STORE_ACCESS_KEY": "the-access-key",
    "BIOSYNTH_STORE_SECRET_KEY": "the-secret-key",
}


def test_an_empty_environment_gives_a_server_on_the_loopback_without_metrics_or_reflection() -> None:
    config = ServerConfig.from_env({})
    assert config == ServerConfig()
    assert config.address.startswith("127.0.0.1:")
    assert config.metrics_port is None
    assert not config.reflection


def test_every_variable_of_the_server_is_read(tmp_path: Path) -> None:
    for name in ("cert", "key", "ca", "token"):
        (tmp_path / name).write_text("x")
    config = ServerConfig.from_env(
        {
            "BIOSYNTH_ADDRESS": "[::]:50051",
            "BIOSYNTH_METRICS_PORT": "9464",
            "BIOSYNTH_REFLECTION": "Yes",
            "BIOSYNTH_MAX_MESSAGE_BYTES": str(2**22),
            "BIOSYNTH_MAX_IN_FLIGHT_BYTES": str(2**26),
            "BIOSYNTH_MEMORY_BYTES": str(2**33),
            "BIOSYNTH_DRAIN_SECONDS": "2.5",
            "BIOSYNTH_CONNECTION_AGE_SECONDS": "300",
            "BIOSYNTH_WORKER_THREADS": "2",
            "BIOSYNTH_LOG_LEVEL": "DEBUG",
            "BIOSYNTH_TLS_CERT_FILE": str(tmp_path / "cert"),
            "BIOSYNTH_TLS_KEY_FILE": str(tmp_path / "key"),
            "BIOSYNTH_TLS_CLIENT_CA_FILE": str(tmp_path / "ca"),
            "BIOSYNTH_TOKEN_FILE": str(tmp_path / "token"),
            "BIOSYNTH_OTLP_ENDPOINT": "http://collector:4317",
        }
    )
    tls = TlsFiles(tmp_path / "cert", tmp_path / "key", tmp_path / "ca")
    assert config == ServerConfig(
        "[::]:50051", 9464, True, 2**22, 2**26, 2**33, 2.5, 300.0, 2, "debug", tls, tmp_path / "token",
        otlp_endpoint="http://collector:4317",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BIOSYNTH_ADDRESS", "localhost"),
        ("BIOSYNTH_ADDRESS", "localhost:65536"),
        ("BIOSYNTH_ADDRESS", "unix:relative"),
        ("BIOSYNTH_ADDRESS", "http://localhost:1"),
        ("BIOSYNTH_METRICS_PORT", "-1"),
        ("BIOSYNTH_METRICS_PORT", "http"),
        ("BIOSYNTH_REFLECTION", "maybe"),
        ("BIOSYNTH_MAX_MESSAGE_BYTES", "20MiB"),
        ("BIOSYNTH_MEMORY_BYTES", "1"),
        ("BIOSYNTH_DRAIN_SECONDS", "nan"),
        ("BIOSYNTH_CONNECTION_AGE_SECONDS", "-1"),
        ("BIOSYNTH_WORKER_THREADS", "0"),
        ("BIOSYNTH_LOG_LEVEL", "loud"),
        ("BIOSYNTH_TOKEN_FILE", "/nowhere/token"),
        ("BIOSYNTH_TLS_CERT_FILE", "/nowhere/cert"),
        ("BIOSYNTH_OTLP_ENDPOINT", "collector:4317"),
        ("BIOSYNTH_OTLP_ENDPOINT", "http://collector"),
    ],
)
def test_a_wrong_value_names_its_variable_and_shows_what_came(variable: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerConfig.from_env({variable: value})
    assert variable in caught.value.message
    assert value in caught.value.message


def test_a_certificate_without_its_key_is_an_error_that_names_the_key(tmp_path: Path) -> None:
    (tmp_path / "cert").write_text("x")
    with pytest.raises(ConfigError, match="BIOSYNTH_TLS_KEY_FILE is not set"):
        ServerConfig.from_env({"BIOSYNTH_TLS_CERT_FILE": str(tmp_path / "cert")})


def test_a_folder_store_needs_its_path() -> None:
    assert StoreConfig.from_env({"BIOSYNTH_STORE_PATH": "data"}) == StoreConfig(path=Path("data"))
    with pytest.raises(ConfigError, match="BIOSYNTH_STORE_PATH"):
        StoreConfig.from_env({"BIOSYNTH_STORE_PATH": "  "})


@pytest.mark.parametrize("missing", [name for name in S3 if name != "BIOSYNTH_STORE"])
def test_an_s3_store_needs_endpoint_bucket_and_keys(missing: str) -> None:
    with pytest.raises(ConfigError, match=missing):
        StoreConfig.from_env({name: value for name, value in S3.items() if name != missing})


def test_an_s3_store_signs_for_its_own_endpoint_unless_told_another() -> None:
    assert StoreConfig.from_env(S3).public_endpoint == "http://store:9000"
    told = StoreConfig.from_env(S3 | {"BIOSYNTH_STORE_PUBLIC_ENDPOINT": "https://files.example.org"})
    assert (told.endpoint, told.public_endpoint) == ("http://store:9000", "https://files.example.org")


def test_an_endpoint_without_a_scheme_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"BIOSYNTH_STORE_ENDPOINT.*store:9000"):
        StoreConfig.from_env(S3 | {"BIOSYNTH_STORE_ENDPOINT": "store:9000"})


def test_secrets_come_from_a_file_as_well_but_not_from_both(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{CONTENT}\n")
    without = {name: value for name, value in S3.items() if name != "BIOSYNTH_STORE_SECRET_KEY"}
    assert StoreConfig.from_env(without | {"BIOSYNTH_STORE_SECRET_KEY_FILE": str(secret)}).secret_key == CONTENT
    with pytest.raises(ConfigError, match="got both"):
        StoreConfig.from_env(S3 | {"BIOSYNTH_STORE_SECRET_KEY_FILE": str(secret)})
    secret.write_text("\n")
    with pytest.raises(ConfigError, match="BIOSYNTH_STORE_SECRET_KEY_FILE"):
        StoreConfig.from_env(without | {"BIOSYNTH_STORE_SECRET_KEY_FILE": str(secret)})


def test_a_printed_configuration_shows_no_secret() -> None:
    shown = repr(StoreConfig.from_env(S3))
    assert "biosynth" in shown
    assert "the-access-key" not in shown
    assert "the-secret-key" not in shown


def test_the_pipeline_needs_the_address_of_each_service() -> None:
    env = {f"BIOSYNTH_{name}_ENDPOINT": f"dns:///{name.lower()}:50051" for name in ("SEGMENTATION", "REFERENCE")}
    with pytest.raises(ConfigError, match="BIOSYNTH_GENERATION_ENDPOINT"):
        EndpointsConfig.from_env(env)
    config = EndpointsConfig.from_env(env | {"BIOSYNTH_GENERATION_ENDPOINT": "unix:/run/generation.sock"})
    assert config == EndpointsConfig("dns:///segmentation:50051", "dns:///reference:50051", "unix:/run/generation.sock")


def test_mutual_tls_towards_services_needs_all_three_files(tmp_path: Path) -> None:
    (tmp_path / "cert").write_text("x")
    env = {f"BIOSYNTH_{name}_ENDPOINT": "localhost:1" for name in ("SEGMENTATION", "REFERENCE", "GENERATION")}
    with pytest.raises(ConfigError, match="BIOSYNTH_ENDPOINT_KEY_FILE"):
        EndpointsConfig.from_env(env | {"BIOSYNTH_ENDPOINT_CERT_FILE": str(tmp_path / "cert")})
