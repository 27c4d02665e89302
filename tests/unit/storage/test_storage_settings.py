"""What the environment says about stores, and what is said when it says nothing."""

import json
import os
from pathlib import Path

import pytest

from evergreen.errors import StorageError
from evergreen.storage import default_store, delta_options, open_store
from evergreen.storage.settings import s3_settings

KEYS = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "s3cr3t-value"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith(("AWS_", "EVERGREEN_", "GOOGLE_", "STORAGE_EMULATOR", "KUBERNETES_", "KFP_")):
            monkeypatch.delenv(name)
    return monkeypatch


def credentials(environment: pytest.MonkeyPatch, **more: str) -> None:
    for name, value in {**KEYS, **more}.items():
        environment.setenv(name, value)


def test_the_endpoint_given_wins_then_ours_then_the_common_one(environment):
    credentials(environment)
    assert s3_settings("s3://bucket").endpoint == "https://s3.amazonaws.com"
    environment.setenv("AWS_ENDPOINT_URL", "http://aws:1")
    assert s3_settings("s3://bucket").endpoint == "http://aws:1"
    environment.setenv("EVERGREEN_S3_ENDPOINT", "http://ours:2/")
    assert s3_settings("s3://bucket").endpoint == "http://ours:2"
    given = s3_settings("s3://bucket", "https://given:3")
    assert (given.endpoint, given.host, given.secure) == ("https://given:3", "given:3", True)


def test_the_store_of_kfp_serves_when_nobody_names_another(environment):
    environment.setenv("KFP_S3_ACCESS_KEY_ID", "minio")
    environment.setenv("KFP_S3_SECRET_ACCESS_KEY", "minio123")
    environment.setenv("KFP_S3_ENDPOINT", "http://minio-service.kubeflow:9000")
    settings = s3_settings("s3://mlpipeline")
    assert (settings.access_key, settings.endpoint) == ("minio", "http://minio-service.kubeflow:9000")
    environment.setenv("AWS_ENDPOINT_URL", "http://elsewhere:1")
    assert s3_settings("s3://mlpipeline").endpoint == "http://elsewhere:1"
    environment.setenv("AWS_ACCESS_KEY_ID", "someone")
    with pytest.raises(StorageError, match="Set AWS_SECRET_ACCESS_KEY;"):
        s3_settings("s3://mlpipeline")
    credentials(environment)
    assert s3_settings("s3://mlpipeline").access_key == "someone"


def test_settings_do_not_show_the_secret(environment):
    credentials(environment, AWS_SESSION_TOKEN="t0ken-value")
    shown = repr(s3_settings("s3://bucket"))
    assert "s3cr3t-value" not in shown
    assert "t0ken-value" not in shown


@pytest.mark.parametrize(
    "url",
    ["minio:9000", "127.0.0.1:9000", "ftp://host", "http://", "http://host/console", "http://host:port"],
)
def test_an_endpoint_that_is_no_server_is_refused(environment, url):
    credentials(environment)
    with pytest.raises(StorageError, match=r"expected http://HOST:PORT"):
        s3_settings("s3://bucket", url)


def test_an_endpoint_with_a_password_is_refused_without_showing_it(environment):
    credentials(environment)
    with pytest.raises(StorageError) as caught:
        s3_settings("s3://bucket", "http://user:hunter2@host:9000")
    assert "hunter2" not in str(caught.value)


def test_missing_credentials_are_named(environment):
    remedy = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    with pytest.raises(StorageError, match=remedy):
        open_store("s3://bucket/x")
    environment.setenv("AWS_ACCESS_KEY_ID", "someone")
    with pytest.raises(StorageError, match="Set AWS_SECRET_ACCESS_KEY;"):
        open_store("s3://bucket/x")


def test_unusable_google_credentials_are_named(environment, tmp_path: Path):
    environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    with pytest.raises(StorageError, match=r"gs://bucket/x.*Set GOOGLE_APPLICATION_CREDENTIALS"):
        open_store("gs://bucket/x")


def test_the_default_store_in_its_order(environment, tmp_path: Path):
    environment.chdir(tmp_path)
    assert default_store() == f"{tmp_path}/.evergreen/store"
    environment.setenv("EVERGREEN_STORE", "s3://bucket/from-environment/")
    assert default_store() == "s3://bucket/from-environment"
    assert default_store(None, "here") == f"{tmp_path}/here"


def test_a_pod_has_no_default_store(environment):
    environment.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(StorageError, match="the disk of a pod is lost with it"):
        default_store()
    assert default_store(None, "/mnt/volume") == "/mnt/volume"


def test_delta_options_by_place(environment):
    assert delta_options("/data/table") == {}
    credentials(environment, AWS_ENDPOINT_URL="http://host:1", AWS_REGION="eu-west-1", AWS_SESSION_TOKEN="t")
    options = delta_options("s3://bucket/table")
    assert options["conditional_put"] == "etag"
    assert options["aws_allow_http"] == "true"
    assert (options["aws_endpoint_url"], options["aws_region"]) == ("http://host:1", "eu-west-1")
    assert options["aws_session_token"] == "t"
    assert delta_options("s3://bucket/table", "https://host:2")["aws_allow_http"] == "false"
    environment.setenv("STORAGE_EMULATOR_HOST", "http://host:3")
    account = json.loads(delta_options("gs://bucket/table")["google_service_account_key"])
    assert (account["gcs_base_url"], account["disable_oauth"]) == ("http://host:3", True)
