# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What disks say of their own health (SMART), asked with smartctl; the worst disk decides."""

from __future__ import annotations

import collections
import json
import os

from ..family import (
    BY_SEVERITY,
    CRITICAL,
    OK,
    UNKNOWN,
    CannotLookError,
    NotThereError,
    family,
    finding,
    judge,
    key,
    limits,
    perf,
    threshold,
    told,
    worst,
)

# ATA attributes that count sectors which the disk lost or is about to lose.
SECTORS = {5: "reallocated", 197: "pending", 198: "uncorrectable"}
# Bits of the critical warning of NVMe (NVM Express Base Specification, SMART / Health Information).
NVME_WARNINGS = (
    "spare blocks run out",
    "temperature out of range",
    "reliability degraded",
    "read-only",
    "the backup of its memory failed",
    "persistent memory is unreliable",
)
COULD_NOT_OPEN = 0x2  # exit status of smartctl(8), bit 1
ROOT = "check as root (roundsman_health_become: true)"

# `faults` is {what: number}, `failing` the disk's own words of doom, `problem` why nothing is known.
Disk = collections.namedtuple("Disk", "name model failing faults wear_percent temperature problem asleep")
Verdict = collections.namedtuple("Verdict", "status words perfdata defects")


def scanned(answer):
    """Arguments for each device of `smartctl --scan --json`."""
    return [[device["name"], "-d", device["type"]] for device in json.loads(answer).get("devices", [])]


def named(devices):
    """Arguments for devices as a person writes them: `/dev/sda`, or `/dev/sda megaraid,0`."""
    split = [device.split() for device in devices]
    return [[parts[0], "-d", parts[1]] if len(parts) > 1 else parts for parts in split]


def understand(answer, name):
    """The Disk of an answer of `smartctl --json`, or None where it is none that keeps SMART data."""
    words = [message.get("string", "") for message in answer.get("smartctl", {}).get("messages", [])]
    if any("STANDBY" in text or "SLEEP" in text for text in words):
        return Disk(name, "", [], {}, None, None, None, True)
    if answer.get("smartctl", {}).get("exit_status", 0) & COULD_NOT_OPEN:
        return Disk(name, "", [], {}, None, None, "; ".join(words) or "smartctl could not open it", False)
    if "smart_status" not in answer:
        return None
    log = answer.get("nvme_smart_health_information_log", {})
    failing = [] if answer["smart_status"].get("passed", True) else ["says that it is failing"]
    warning = log.get("critical_warning", 0)
    failing += [text for bit, text in enumerate(NVME_WARNINGS) if warning & (1 << bit)]
    model = answer.get("model_name", "")
    temperature = answer.get("temperature", {}).get("current")
    return Disk(name, model, failing, _faults(answer, log), log.get("percentage_used"), temperature, None, False)


def _faults(answer, log):
    faults = {}
    for attribute in answer.get("ata_smart_attributes", {}).get("table", []):
        if attribute.get("id") in SECTORS:
            faults[SECTORS[attribute["id"]]] = attribute["raw"]["value"]
    if "scsi_grown_defect_list" in answer:
        faults["reallocated"] = answer["scsi_grown_defect_list"]
    if "media_errors" in log:
        faults["media errors"] = log["media_errors"]
    return faults


def verdict(disk, spec):
    if disk.problem:
        return Verdict(UNKNOWN, "%s: %s" % (disk.name, disk.problem), [], 0)
    label = "%s (%s)" % (disk.name, disk.model) if disk.model else disk.name
    if disk.asleep:
        return Verdict(OK, label + " is asleep", [], 0)
    statuses, words, data = [CRITICAL] if disk.failing else [], list(disk.failing), []
    defects = sum(disk.faults.values())
    counted = ", ".join("%d %s" % (count, what) for what, count in disk.faults.items() if count)
    for what, value, unit, prefix, text in (
        ("defects", defects, "", "", counted),
        ("wear", disk.wear_percent, "%", "wear_", "%d%% worn" % (disk.wear_percent or 0)),
        ("temperature", disk.temperature, "", "temperature_", "%d °C" % (disk.temperature or 0)),
    ):
        if value is not None:
            thresholds = spec[prefix + "warn"], spec[prefix + "crit"]
            statuses.append(judge(value, *thresholds))
            words += [text + limits(statuses[-1], *thresholds)] if text else []
            data.append(perf("%s %s" % (disk.name, what), value, unit, thresholds, (0,)))
    return Verdict(worst(statuses), "%s %s" % (label, ", ".join(words) or "is well"), data, defects)


def ask(context, arguments):
    """The Disk that `arguments` name, or None. A disk that sleeps is not woken."""
    _code, stdout, stderr = context.run(["smartctl", "--json", "--nocheck=standby", "-iHA", *arguments])
    try:
        return understand(json.loads(stdout), " ".join(arguments[:1] + arguments[2:] * ("," in arguments[-1])))
    except ValueError as error:
        said = (stderr.strip() or stdout.strip())[:200]
        raise CannotLookError("smartctl gave no JSON: %s" % said, "install smartmontools 7.0 or newer") from error


def run(spec, context):
    if spec["devices"]:
        devices = named(spec["devices"])
    else:
        devices = scanned(context.run(["smartctl", "--scan", "--json"])[1] or "{}")
    if not devices:
        raise NotThereError("smartctl finds no disk that it could ask", "name them as devices, or remove the check")
    if os.geteuid() != 0:
        raise CannotLookError("only root can ask disks for their health", ROOT)
    disks = [disk for disk in (ask(context, arguments) for arguments in devices) if disk]
    if not disks:
        raise NotThereError("no disk keeps SMART data (virtual disks do not)", "remove the check")
    verdicts = [verdict(disk, spec) for disk in disks]
    verdicts.sort(key=lambda each: (-BY_SEVERITY.index(each.status), -each.defects))
    data = " ".join(item for each in verdicts for item in each.perfdata)
    return finding(
        verdicts[0].status, told(verdicts, "%d disks, worst "), max(each.defects for each in verdicts), "", data
    )


def judge_spec(spec):
    wrong = [device for device in spec["devices"] if not device.startswith("/dev/") or len(device.split()) > 2]
    return ['devices: "%s" is not of the form /dev/sda or "/dev/sda megaraid,0"' % device for device in wrong]


FAMILY = family(
    "smart",
    "resources",
    "what disks say of their own health, asked with smartctl as root",
    {
        "devices": key("list", "disks to ask, `/dev/sda` or `/dev/sda megaraid,0`, instead of all that are found", ()),
        "warn": threshold("count", "reallocated, pending and uncorrectable sectors or media errors of a disk", "0"),
        "crit": threshold("count", "reallocated, pending and uncorrectable sectors or media errors of a disk", "100"),
        "wear_warn": threshold("percent", "used share of the lifetime of an NVMe disk", "80%"),
        "wear_crit": threshold("percent", "used share of the lifetime of an NVMe disk", "100%"),
        "temperature_warn": threshold("count", "degrees Celsius", "60"),
        "temperature_crit": threshold("count", "degrees Celsius", "70"),
    },
    run,
    target=lambda spec: ", ".join(spec["devices"]),
    judge_spec=judge_spec,
)
