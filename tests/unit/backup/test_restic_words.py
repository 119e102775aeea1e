"""What restic says, and what we take it for. The texts are restic's own."""

from __future__ import annotations

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.engines import restic_words as words
from ansible_collections.roundsman.fleet.plugins.module_utils.redaction import redactor, without_credentials

NO_CONFIG = "Fatal: unable to open config file: "
LOCATION = "\nIs there a repository at the following location?\n/x"
REFUSED = 'client.Head: Head "http://v:4040/config": dial tcp 127.0.0.1:4040: connect: connection refused'
NO_SFTP = "Fatal: unable to open repository at sftp:v:/x: unable to start the sftp session, error: EOF"
LOCKED = "unable to create lock in backend: repository is already locked by PID 1 on x"


@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (None, "", "timeout"),
        (10, "", "repository_missing"),
        (11, "", "repository_locked"),
        (12, "", "wrong_password"),
        (1, "Fatal: wrong password or no key found", "wrong_password"),
        (1, NO_CONFIG + "stat /x/config: no such file or directory" + LOCATION, "repository_missing"),
        (1, NO_CONFIG + "<config/> does not exist" + LOCATION, "repository_missing"),
        (1, NO_CONFIG + "Stat: The specified key does not exist." + LOCATION, "repository_missing"),
        (1, NO_CONFIG + REFUSED + LOCATION, "repository_unavailable"),
        (1, NO_CONFIG + "open /x/config: permission denied" + LOCATION, "unprivileged"),
        (1, NO_SFTP, "repository_unavailable"),
        (1, LOCKED, "repository_locked"),
        (1, "Fatal: invalid lock file: LoadRaw(<lock/e3>): invalid data returned", "repository_locked"),
        (1, "Fatal: unable to save snapshot: write /r/tmp/x: no space left on device", "no_space"),
        (1, "unable to create lock in backend: write /r/locks/x: no space left on device", "no_space"),
        (1, "Fatal: repository contains errors", "repository_damaged"),
        (1, "ciphertext verification failed", "repository_damaged"),
        (2, "panic", "engine_failed"),
    ],
)
def test_reason(code: int | None, text: str, reason: str) -> None:
    assert words.reason_of(code, text) == reason


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-11-23T18:10:51.508214643Z", "2026-11-23T18:10:51.508Z"),
        ("2026-11-23T01:10:51.5+01:30", "2026-11-22T23:40:51.500Z"),
        ("2026-11-23T23:10:51-08:00", "2026-11-24T07:10:51.000Z"),
    ],
)
def test_time(written: str, utc: str) -> None:
    assert words.utc(written) == utc


def test_version() -> None:
    assert words.version("restic 0.14.0 compiled with go1.19.8 on linux/amd64") == (0, 14, 0)
    assert words.version("restic 0.18.0-dev (compiled manually)") == (0, 18, 0)
    assert words.version("bash: restic: not found") is None


def test_last_words_are_short_and_say_each_thing_once() -> None:
    text = (
        "Stat(<config/>) returned error, retrying after 1.05s: refused\n"
        "Stat(<config/>) returned error, retrying after 22.49s: refused\n"
        '{"message_type":"status","percent_done":0}\n'
        '{"message_type":"exit_error","code":1,"message":"Fatal: it\\nbroke"}\n'
        "\x1b[2Ksignal terminated received, cleaning up\n"
    )
    assert words.last_words(text) == (
        "Stat(<config/>) returned error, retrying after 22.49s: refused | Fatal: it broke | "
        "signal terminated received, cleaning up"
    )
    assert len(words.last_words("x y " * 1000)) < 620


def test_secrets_are_never_arguments() -> None:
    argv = words.save_command([b"/a"], [b"*.tmp"], "anna", ["roundsman"], None)
    assert argv == [
        "backup",
        "--json",
        "--host",
        "anna",
        "--tag",
        "roundsman",
        "--force",
        b"--exclude=*.tmp",
        "--",
        b"/a",
    ]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rest:https://anna:pw%2Fd@vault:8000/x/", "rest:https://vault:8000/x/"),
        ("rest:https://vault/x", "rest:https://vault/x"),
        ("sftp:anna@vault:/srv/x", "sftp:anna@vault:/srv/x"),
        ("/var/backups/roundsman", "/var/backups/roundsman"),
        ("s3:https://s3.example/bucket/x@y", "s3:https://s3.example/bucket/x@y"),
    ],
)
def test_address_without_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_redaction_knows_every_way_to_quote() -> None:
    redact = redactor("rest:https://anna:pw%2Fword@vault/", ["p4ss/word", "yes"])
    for leak in ("pw%2Fword", "pw/word", "p4ss/word", "p4ss%2Fword"):
        assert leak not in redact(f"failed with {leak} at https://anna:{leak}@vault/")
    assert redact("yes, it failed") == "yes, it failed"
