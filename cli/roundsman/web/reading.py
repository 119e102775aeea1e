"""What clients of Alertmanager post, read with care: whatever is wrong with it is said in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from roundsman.alerts.external import Posted
from roundsman.alerts.matchers import Matcher, MatcherError, Matchers, Operator, in_order

from .asking import RefusedError

Model = TypeVar("Model", bound=BaseModel)


def _in_utc(at: datetime) -> datetime | None:
    """Clients of Alertmanager write the first year for a time that is not set."""
    if at.year == 1:
        return None
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("is beyond all years") from None


def _identifying(labels: dict[str, str]) -> dict[str, str]:
    """Labels without a value are none."""
    kept = {name: value for name, value in labels.items() if value}
    if not kept or not all(kept):
        raise ValueError("an alert has at least one label with a name and a value")
    return kept


def _storable(text: str) -> str:
    """JSON can escape halves of characters; no database takes them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("is not Unicode") from None
    return text


Text = Annotated[str, AfterValidator(_storable)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class _Document(BaseModel):
    # Keys of other versions are not ours to refuse.
    model_config = ConfigDict(extra="ignore", strict=False)


class _Alert(_Document):
    labels: Annotated[dict[Text, Text], AfterValidator(_identifying)]
    annotations: dict[Text, Text] = Field(default_factory=dict)
    starts_at: Moment | None = Field(default=None, alias="startsAt")
    ends_at: Moment | None = Field(default=None, alias="endsAt")
    generator_url: Text = Field(default="", alias="generatorURL")

    def posted(self, now: datetime, ends_at: datetime | None) -> Posted:
        starts_at = self.starts_at or self.ends_at or now
        if ends_at is not None and ends_at < starts_at:
            raise RefusedError("startsAt is after endsAt")
        return Posted(self.labels, self.annotations, starts_at, ends_at, self.generator_url)


class _WebhookAlert(_Alert):
    status: Literal["firing", "resolved"]


class _Matcher(_Document):
    name: Text = Field(min_length=1)
    value: Text
    is_regex: bool = Field(default=False, alias="isRegex")
    is_equal: bool = Field(default=True, alias="isEqual")

    def matcher(self) -> Matcher:
        operators = {
            (False, True): Operator.EQUAL,
            (False, False): Operator.NOT_EQUAL,
            (True, True): Operator.REGEX,
            (True, False): Operator.NOT_REGEX,
        }
        return Matcher(self.name, operators[self.is_regex, self.is_equal], self.value)


class _Silence(_Document):
    id: str | None = None
    matchers: list[_Matcher] = Field(min_length=1)
    starts_at: Moment = Field(alias="startsAt")
    ends_at: Moment = Field(alias="endsAt")
    created_by: Text = Field(alias="createdBy")
    comment: Text


@dataclass(frozen=True)
class PostedSilence:
    """A silence as somebody wants it; with an id, instead of the one that has it."""

    id: str | None
    matchers: Matchers
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str


@dataclass(frozen=True)
class Read:
    """The alerts that are fit to be taken, and what is wrong with the others."""

    posts: list[Posted]
    faults: list[str]


def alerts(body: bytes, now: datetime, resolve_at: datetime) -> Read:
    """What POST /api/v2/alerts brings. Without an end an alert holds until `resolve_at`."""
    plain = _json(body)
    if not isinstance(plain, list):
        raise RefusedError("the body is no list of alerts")
    return _each(plain, lambda one: (read := _model(_Alert, one)).posted(now, read.ends_at or resolve_at))


def notification(body: bytes, now: datetime, ours: str) -> Read:
    """What an Alertmanager posts to a webhook; alerts with the label `ours` came from here and are passed over.

    It says once that an alert fires, and once that it is over, so none ends by itself.
    """
    plain = _json(body)
    if not isinstance(plain, dict) or not isinstance(plain.get("alerts"), list):
        raise RefusedError("the body is no notification of an Alertmanager: it has no list of alerts")

    def posted(one: object) -> Posted:
        read = _model(_WebhookAlert, one)
        return read.posted(now, (read.ends_at or now) if read.status == "resolved" else None)

    found = _each(plain["alerts"], posted)
    return Read([one for one in found.posts if ours not in one.labels], found.faults)


def silence(body: bytes) -> PostedSilence:
    read = _model(_Silence, _json(body))
    try:
        matchers = in_order(one.matcher() for one in read.matchers)
    except MatcherError as error:
        raise RefusedError(f"matchers: {error}") from None
    if read.starts_at is None or read.ends_at is None:
        raise RefusedError("a silence has startsAt and endsAt")
    return PostedSilence(read.id or None, matchers, read.starts_at, read.ends_at, read.created_by, read.comment)


def _each(items: Iterable[object], read: Any) -> Read:
    posts, faults = [], []
    for number, one in enumerate(items):
        try:
            posts.append(read(one))
        except RefusedError as error:
            faults.append(f"alert {number}: {error}")
    return Read(posts, faults)


def _json(body: bytes) -> object:
    try:
        plain: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"the body is no JSON: {error}") from None
    return plain


def _model(kind: type[Model], plain: object) -> Model:
    if not isinstance(plain, Mapping):
        raise RefusedError("is no JSON object")
    try:
        return kind.model_validate(plain)
    except ValidationError as error:
        words = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise RefusedError("; ".join(words)) from None
