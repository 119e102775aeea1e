"""roundsman.yml as typed settings. Errors name file, line and key, all at once."""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from . import alertmanager_file, config_file, oncall_config
from .alertmanager_file import AlertmanagerFile
from .alerts import routing
from .alerts.acknowledgement import ACKNOWLEDGED_FOR
from .alerts.escalation import Policy
from .alerts_config import Place, PriorityRule, Rules, complain, faults_of_priorities
from .config_base import Duration, Section
from .escalation_config import policy
from .oncall_config import OnCall
from .receivers_config import Heartbeat, Receiver, fallback_faults
from .serve_config import Serve

ENVIRONMENT_VARIABLE = "ROUNDSMAN_CONFIG"
FILE_NAME = "roundsman.yml"
SQLITE = "sqlite:///"


class Alerts(OnCall):
    group_wait: Duration = timedelta(seconds=30)
    deliver_for: Duration = timedelta(minutes=2)
    tick: Duration = Field(default=timedelta(seconds=15), ge=timedelta(seconds=1))
    storm: int = Field(default=10, ge=1)
    acknowledged_for: Duration = Field(default=ACKNOWLEDGED_FOR, gt=timedelta(0))
    expect_rounds: Duration | None = Field(default=None, gt=timedelta(0))
    priorities: list[PriorityRule] = Field(default_factory=list)
    external_url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+")
    heartbeat: Heartbeat | None = None
    receivers: list[Receiver] = Field(default_factory=list)
    alertmanager: Annotated[AlertmanagerFile | None, BeforeValidator(alertmanager_file.load)] = None

    @model_validator(mode="after")
    def _one_source_of_rules(self) -> Alerts:
        if self.alertmanager is not None:
            complain(list(alertmanager_file.faults(self.alertmanager, self)))
        return self

    @model_validator(mode="after")
    def _priorities_know_their_times(self) -> Alerts:
        complain(list(faults_of_priorities(self.priorities, list(self.rules.intervals()))))
        return self

    @model_validator(mode="after")
    def _fallbacks_lead_somewhere(self) -> Alerts:
        places: dict[Place, Receiver] = {("receivers", number): one for number, one in enumerate(self.receivers)}
        places |= {("people", name): one for name, one in self.people.items()}
        complain(list(fallback_faults(places)))
        return self

    @model_validator(mode="after")
    def _escalations_reach_somebody(self) -> Alerts:
        complain(list(oncall_config.faults(self, self.receivers, self.rules.intervals())))
        return self

    @property
    def rules(self) -> Rules:
        """Where routes, inhibition rules and time intervals are written: here, or in an alertmanager.yml."""
        return self.alertmanager or self

    def tree(self) -> routing.Route | None:
        """The routes; the only receiver needs none. None while nobody is to be told."""
        if self.alertmanager and self.alertmanager.route:
            return routing.tree(self.alertmanager.route.spec())
        only = {"receiver": self.receivers[0].name} if len(self.receivers) == 1 else None
        spec = self.route.spec() if self.route else only
        return routing.tree({"group_by": ("host",), "group_wait": self.group_wait, **spec}) if spec else None

    def policies(self) -> dict[str, Policy]:
        """How each receiver escalates that does, by its name."""
        shared = {one.name: one.policy() for one in self.escalations}
        named = {one.name: shared[one.escalation] for one in self.receivers if one.escalation}
        return named | {one.name: policy(one.name, one.escalate) for one in self.receivers if one.escalate}

    @property
    def everybody(self) -> list[Receiver]:
        """Who can be told: receivers and people."""
        return [*self.receivers, *self.people.values()]

    def receiver(self) -> Receiver | None:
        """The receiver of what no other route takes."""
        tree = self.tree()
        return next((receiver for receiver in self.receivers if tree and receiver.name == tree.receiver), None)


class History(Section):
    """How long measurements are kept: as they came, then by the hour, then by the day; and alerts after their end."""

    raw: Duration = Field(default=timedelta(days=2), ge=timedelta(hours=1))
    hourly: Duration = timedelta(days=42)
    daily: Duration = timedelta(days=400)
    alerts: Duration = Field(default=timedelta(days=400), ge=timedelta(days=1))

    @model_validator(mode="after")
    def _coarser_is_longer(self) -> History:
        if not self.raw <= self.hourly <= self.daily:
            raise ValueError("what is coarser is kept longer: raw <= hourly <= daily")
        return self


def default_state_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/roundsman")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "roundsman"


class Settings(Section):
    """Everything that roundsman.yml may hold. Relative paths start at the file's directory."""

    inventory: list[str] = Field(default_factory=list)
    state_dir: Path = Field(default_factory=default_state_dir)
    store: str | None = Field(default=None, pattern="^sqlite:///.")
    forks: int = Field(default=20, ge=1, le=500)
    connect_timeout: Duration = timedelta(seconds=10)
    pass_environment: list[str] = Field(default_factory=list)
    alerts: Alerts = Field(default_factory=Alerts)
    history: History = Field(default_factory=History)
    serve: Serve = Field(default_factory=Serve)

    @model_validator(mode="after")
    def _one_way_to_everyone(self) -> Settings:
        if len(self.alerts.receivers) > 1 and self.alerts.tree() is None:
            raise ValueError("alerts.route: name the receiver that gets the alerts: route: {receiver: NAME}")
        return self

    @property
    def store_url(self) -> str:
        return self.store or f"sqlite:///{self.state_dir / 'store.db'}"

    @property
    def ledger_dir(self) -> Path:
        return self.state_dir / "ledger"

    @property
    def inventories(self) -> list[str]:
        return self.inventory or [str(embedded_inventory())]


def embedded_inventory() -> Path:
    """The inventory that ships: this machine. In a wheel it lies in the package, in a checkout at its root."""
    packaged = Path(str(resources.files("roundsman"))) / "inventory"
    return packaged if packaged.is_dir() else packaged.parents[2] / "inventory"


def find_file(explicit: str | None) -> Path | None:
    """The configuration file: as named, else $ROUNDSMAN_CONFIG, else the first of the usual places.

    Raises ConfigError.
    """
    named = explicit or os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        return Path(named)
    usual = [Path(FILE_NAME), Path.home() / ".config/roundsman" / FILE_NAME, Path("/etc/roundsman") / FILE_NAME]
    return next((path for path in usual if _is_there(path)), None)


def _is_there(path: Path) -> bool:
    """Raises ConfigError where that cannot be told: one's own store, empty, would not say what the fleet is like."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise config_file.ConfigError(
            f"{path}: cannot be read: {error.strerror}; with --config you may name another"
        ) from error
    return stat.S_ISREG(mode)


def load(explicit: str | None = None) -> Settings:
    """Read the settings; without any file, the embedded defaults.

    Raises ConfigError that lists every fault with file, line and key.
    """
    path = find_file(explicit)
    if path is None:
        return Settings()
    return parse(config_file.read(path), path)


def parse(text: str, path: Path) -> Settings:
    return config_file.parse(Settings, text, path, lambda raw: _with_paths(raw, path.absolute().parent))


def _with_paths(raw: dict[str, Any], base: Path) -> dict[str, Any]:
    settings = dict(raw)
    if isinstance(settings.get("inventory"), str):
        settings["inventory"] = [settings["inventory"]]
    if isinstance(settings.get("inventory"), list):
        # "host," is Ansible's way of naming hosts on the spot.
        settings["inventory"] = [
            item if not isinstance(item, str) or "," in item else str(base / Path(item).expanduser())
            for item in settings["inventory"]
        ]
    if str(settings.get("store", "")).startswith(SQLITE):
        settings["store"] = SQLITE + str(base / Path(settings["store"].removeprefix(SQLITE)).expanduser())
    alerts = settings.get("alerts")
    if isinstance(alerts, dict) and isinstance(alerts.get("alertmanager"), str):
        settings["alerts"] = {**alerts, "alertmanager": base / Path(alerts["alertmanager"]).expanduser()}
    if isinstance(settings.get("state_dir"), str):
        settings["state_dir"] = base / Path(settings["state_dir"]).expanduser()
    return settings
