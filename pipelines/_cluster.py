"""What tasks need on a cluster and a laptop ignores: credentials, the endpoint, memory, retries."""

from kfp import dsl, kubernetes

SECRET = "evergreen-object-store"  # noqa: S105 - the Secret's name, not a secret
CONFIG = "evergreen"
KFP_ENDPOINT = "http://minio-service.kubeflow:9000"
KFP_SECRET = "mlpipeline-minio-artifact"  # noqa: S105 - the Secret that every KFP installation has


def on_cluster(*tasks: dsl.PipelineTask) -> None:
    """Give tasks that talk to the object store their credentials; every Secret and ConfigMap is optional.

    KFP's own object store Secret comes first, so a stock installation needs no further step; the Secret
    `evergreen-object-store` and the ConfigMap `evergreen` override it (manifests/README.md).
    """
    for task in tasks:
        task.set_env_variable("KFP_S3_ENDPOINT", KFP_ENDPOINT)
        kubernetes.use_secret_as_env(
            task,
            secret_name=KFP_SECRET,
            secret_key_to_env={"accesskey": "KFP_S3_ACCESS_KEY_ID", "secretkey": "KFP_S3_SECRET_ACCESS_KEY"},
            optional=True,
        )
        kubernetes.use_secret_as_env(
            task,
            secret_name=SECRET,
            secret_key_to_env={
                key: key for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
            },
            optional=True,
        )
        kubernetes.use_config_map_as_env(
            task,
            config_map_name=CONFIG,
            config_map_key_to_env={key: key for key in ("AWS_ENDPOINT_URL", "AWS_REGION", "EVERGREEN_STORE")},
            optional=True,
        )


def with_rollouts(*tasks: dsl.PipelineTask) -> None:
    """Tell tasks where rollouts are recorded, where the ConfigMap `evergreen` names another place."""
    for task in tasks:
        kubernetes.use_config_map_as_env(
            task,
            config_map_name=CONFIG,
            config_map_key_to_env={"EVERGREEN_ROLLOUT_STATE": "EVERGREEN_ROLLOUT_STATE"},
            optional=True,
        )


def prepared(*tasks: dsl.PipelineTask) -> None:
    """Pull a pinned tag only when it is not there."""
    for task in tasks:
        kubernetes.set_image_pull_policy(task, "IfNotPresent")
