"""Templates of messages: the default text, and a receiver's own, in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from roundsman.notify.view import AlertView, one_line, rfc3339, utc

# Twenty alerts in full: nobody reads more of them on a phone.
DEFAULT_TEXT = """\
{% if firing | length > 20 %}
{{ counts }}

{% endif %}
{% for alert in alerts[:20] %}
{{ alert | headline }}
  {{ alert.summary }}
  Where:    {{ alert.host ~ ", " if alert.host }}check {{ alert.check }}
{% if alert.priority %}
  Priority: {{ alert.priority }}
{% endif %}
  Since:    {{ alert.since | utc }}
{% if alert.until %}
  Until:    {{ alert.until | utc }}
{% endif %}
{% if alert.acknowledged_by %}
  Taken by: {{ alert.acknowledged_by }}
{% endif %}
{% if alert.facts %}
  Evidence: {{ alert.facts }}
{% endif %}
{% if alert.run %}
  Run:      {{ alert.run }}
{% endif %}
{% if alert.firing %}
{% if alert.backup %}
  Backup:   {{ alert.backup }}
{% endif %}
{% if alert.runbook_url %}
  Runbook:  {{ alert.runbook_url }}
{% endif %}
  Try:      {{ alert.recommended }}
{% endif %}
  More:     {{ alert.command }}
{% if alert.url and alert.firing %}
  Answer:   {{ alert.url }}
{% endif %}

{% endfor %}
{% if alerts | length > 20 %}
and {{ alerts | length - 20 }} more: roundsman alerts list
{% endif %}
"""


@dataclass(frozen=True)
class Style:
    """What a receiver's messages look like; None is the default."""

    title: str | None = None
    text: str | None = None
    external_url: str | None = None  # where people reach `roundsman serve`


class TemplateError(Exception):
    """A template cannot be used; the text says why."""


def render(source: str, facts: Mapping[str, Any]) -> str:
    """Raises TemplateError, whatever the template does."""
    try:
        return _template(source).render(facts)
    except TemplateSyntaxError as error:
        raise TemplateError(f"line {error.lineno}: {error.message}") from error
    except Exception as error:  # a template may call anything with anything
        raise TemplateError(f"{type(error).__name__}: {error}") from error


@cache
def _template(source: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        autoescape=False,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"headline": _headline, "utc": utc, "rfc3339": rfc3339, "line": one_line}
    return environment.from_string(source)


def _headline(alert: AlertView) -> str:
    by = f" by {alert.resolved_by}" if alert.resolved_by else ""
    return f"{alert.status} ({alert.kind})" if alert.firing else f"RESOLVED{by} (was {alert.severity})"
