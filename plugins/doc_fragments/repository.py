# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that all backup modules share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  repository:
    description:
      - Where the snapshots are kept, as restic takes it, for example C(/var/backups/roundsman),
        C(sftp:backup@vault:/srv/web1), C(rest:https://vault.example/web1) or C(s3:https://s3.example/bucket/web1).
      - A password in the address is never shown.
    type: str
    required: true
  password:
    description:
      - The password of the repository. It is handed to the engine by its environment, never on a command line.
    type: str
    required: true
  environment:
    description:
      - More environment variables for the engine, for example the keys of an S3 store. All values count as secret.
    type: dict
    default: {}
  engine:
    description:
      - The backup program. C(restic) 0.14 or newer must be installed on the host.
    type: str
    choices: [restic]
    default: restic
  state_dir:
    description:
      - A private directory on the host for manifests, cache, locks and scratch copies. It is never part of a backup.
      - Defaults to C(/var/lib/roundsman) for root and to C(~/.local/state/roundsman) for any other user.
    type: path
  host:
    description:
      - The name under which snapshots are kept, usually C({{ inventory_hostname }}).
    type: str
    required: true
  timeout_s:
    description:
      - How long the module may work, in seconds. The engine is stopped when the time is over.
    type: int
    default: 21600
  lock_timeout_s:
    description:
      - How long to wait for other users of the repository, in seconds. Locks that nobody holds any more are cleared.
    type: int
    default: 300
  low_priority:
    description:
      - Work with the lowest priority for processor and disk.
    type: bool
    default: true
  limit_upload_kib_s:
    description:
      - How many KiB the engine may send to the repository in a second. V(0) means no limit.
    type: int
    default: 0
  limit_download_kib_s:
    description:
      - How many KiB the engine may fetch from the repository in a second. V(0) means no limit.
    type: int
    default: 0
  connections:
    description:
      - How many connections to the repository the engine may use at once. V(0) leaves the number to the engine.
    type: int
    default: 0
  processors:
    description:
      - How many processors the work may use at once. V(0) means all.
    type: int
    default: 0
notes:
  - Needs Python 3.8 or newer on the host.
"""
