"""What the writer of a prediction log works by, in its server's process or in its own."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from evergreen.project.model.serving import PredictionLog


class LogConfig(BaseModel):
    """The prediction log of one server.

    Attributes:
        settings: The project's `serving.log`.
        model: The served model's name; the log lies below `predictions/<model>/` in the store.
        spool: A local folder for what is not shipped yet; several servers may share it.
        store: Where segments are shipped to: a folder, `s3://…` or `gs://…`.
        salt: Of hashed columns (`evergreen.serving.predictions.salt.find_salt(spool)`), never logged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: PredictionLog
    model: str
    spool: Path
    store: str
    salt: str = Field(repr=False)


class WriterOrder(BaseModel):
    """The line that a writer's process reads at its start.

    Attributes:
        config: What it works by.
        ring: The descriptor of the queue.
        catalog: The descriptor of the models in it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: LogConfig
    ring: int
    catalog: int
