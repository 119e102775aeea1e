"""What every section of roundsman.yml is made of."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationInfo

from .times import seconds


def _duration(value: object) -> object:
    return timedelta(seconds=seconds(value)) if isinstance(value, str) else value


def _secret(value: object, info: ValidationInfo) -> object:
    """A secret is written as text, or by reference: {env: NAME} or {file: PATH}."""
    if not isinstance(value, dict):
        return value
    if set(value) == {"env"}:
        if str(value["env"]) not in os.environ:
            raise ValueError(f"the environment variable {value['env']} is not set")
        return os.environ[str(value["env"])]
    if set(value) == {"file"}:
        return read_named(value["file"], info).strip()
    raise ValueError("is written as text, {env: NAME} or {file: PATH}")


def read_named(file: object, info: ValidationInfo) -> str:
    """The text of a file that the configuration names, relative to its own directory (the context of the validation).

    Raises ValueError, which becomes a fault of its key.
    """
    try:
        return (info.context or Path()).joinpath(Path(str(file)).expanduser()).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: is not UTF-8") from error
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from error


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Secret = Annotated[SecretStr, BeforeValidator(_secret)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
