"""The layers are those of a real inventory, in the order in which Ansible itself takes them."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

ROLE = Path(__file__).parents[3] / "roles/health"
BIN = Path(sys.executable).parent
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
EXPLAIN = "- hosts: all\n  gather_facts: false\n  tasks: [{roundsman.fleet.health_explain: }]\n"


class Tree:
    """A directory with inventories and playbooks; `write` and `run` are relative to it."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, text):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text) if isinstance(text, str) else json.dumps(text))

    def checks(self, name, *checks):
        self.write(name, {"roundsman_checks": list(checks)})

    def run(self, program, *arguments, **environment):
        environment = dict(
            os.environ, ANSIBLE_HOME=str(self.folder / ".ansible"), ANSIBLE_CALLBACK_RESULT_FORMAT="json", **environment
        )
        return subprocess.run(
            [BIN / program, *arguments], cwd=self.folder, capture_output=True, text=True, env=environment,
            timeout=600, check=False,
        )  # fmt: skip

    def results(self, playbook, *arguments, **environment):
        """host -> what its task returned, verbosely."""
        done = self.run("ansible-playbook", playbook, "-v", *arguments, **environment)
        found = {}
        for part in done.stdout.replace("fatal: [", "ok: [").split("ok: [")[1:]:
            host, _arrow, text = part.partition("]")
            found[host] = json.JSONDecoder().raw_decode(text[text.index("{") :])[0]
        assert found, done.stdout + done.stderr
        return found


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def keys_of(result, name):
    (check,) = [check for check in result["checks"] if check["id"] == name]
    return {row["key"]: row for row in check["keys"]}


def tag(name):
    return {"id": "which", "type": "http", "contains": name}


def said(name):
    return {"roundsman_checks": [tag(name)]}


def named(*hosts):
    return {host: {} for host in hosts}


SOURCES = ("-i", "one/hosts.json", "-i", "two")


@pytest.fixture
def crowded(tree):
    """Every place in which Ansible looks for variables says something else; hosts h0 … h7 have ever more of them."""
    hosts = {f"h{number}": {} for number in range(8)}
    hosts["h6"] = hosts["h7"] = said("h in file")
    tree.write(
        "one/hosts.json",
        {
            "all": {
                "vars": dict(LOCAL, **said("all in file")),
                "hosts": hosts,
                "children": {
                    "outer": {
                        "vars": said("outer in file"),
                        "hosts": {"h1": {}},
                        "children": {
                            "inner": {"vars": said("inner in file"), "hosts": named("h2", "h3", "h6", "h7")}
                        },
                    },
                    "zeta": {"hosts": named("h3", "h4", "h6", "h7"), "vars": said("zeta in file")},
                    "first": {
                        "hosts": named("h4", "h7"),
                        "vars": dict(said("first in file"), ansible_group_priority=10),
                    },
                    "bare": {"hosts": {"h5": {}}},
                },
            }
        },
    )
    tree.write("two/hosts.ini", "[inner]\nh5\n")
    tree.checks("one/group_vars/all.json", tag("all beside one"))
    tree.checks("one/group_vars/zeta.json", tag("zeta beside one"))
    tree.checks("two/group_vars/outer.json", tag("outer beside two"))
    tree.checks("group_vars/all.json", tag("all beside play"))
    tree.checks("group_vars/inner.json", tag("inner beside play"))
    tree.checks("one/host_vars/h7.json", tag("h beside one"))
    tree.checks("host_vars/h7/a.json", tag("overwritten by b"))
    tree.checks("host_vars/h7/b.json", tag("h beside play"))
    tree.write("explain.yml", EXPLAIN)
    return tree


OTHER_ORDER = "all_plugins_play,all_inventory,groups_plugins_inventory,groups_inventory"


@pytest.mark.parametrize("precedence", [None, OTHER_ORDER])
def test_the_strongest_layer_is_what_ansible_itself_takes(crowded, precedence):
    environment = {"ANSIBLE_PRECEDENCE": precedence} if precedence else {}
    listed = crowded.run("ansible-inventory", *SOURCES, "--list", "--playbook-dir", ".", **environment)
    expected = {
        host: variables["roundsman_checks"][0]["contains"]
        for host, variables in json.loads(listed.stdout)["_meta"]["hostvars"].items()
    }
    found = crowded.results("explain.yml", *SOURCES, **environment)
    assert {host: keys_of(result, "which")["contains"]["value"] for host, result in found.items()} == expected
    assert len(set(expected.values())) > 3


def test_all_layers_take_part_in_ansibles_order(crowded):
    row = keys_of(crowded.results("explain.yml", *SOURCES, "--limit", "h7")["h7"], "which")["contains"]
    places = [one["value"] for one in [*row["overrode"][::-1], row]]
    assert places == [
        "all in file", "outer in file", "zeta in file", "first in file", "inner in file",
        "all beside one", "all beside play",
        "zeta beside one", "outer beside two", "inner beside play",
        "h in file", "h beside one", "h beside play",
    ]  # fmt: skip
    assert row["layer"] == "host h7"
    assert row["place"] == f"{crowded.folder}/host_vars/h7/b.json"


@pytest.mark.parametrize("way", ["play", "set_fact", "extra", "include_vars"])
def test_what_is_stronger_than_any_inventory_comes_last(tree, way):
    tree.write("hosts.json", {"all": {"hosts": {"h": LOCAL}}})
    tree.checks("host_vars/h.json", {"id": "port", "type": "tcp", "port": 1, "warn": "1s"})
    checks = [{"id": "port", "warn": "2s"}]
    play = {"hosts": "all", "gather_facts": False, "tasks": [{"roundsman.fleet.health_explain": {}}]}
    if way == "play":
        play["vars"] = {"roundsman_checks": checks}
    if way == "set_fact":
        play["tasks"].insert(0, {"ansible.builtin.set_fact": {"roundsman_checks": checks}})
    if way == "include_vars":
        tree.checks("more.json", *checks)
        play["tasks"].insert(0, {"ansible.builtin.include_vars": "more.json"})
    tree.write("play.yml", [play])
    extra = ["-e", json.dumps({"roundsman_checks": checks})] if way == "extra" else []
    row = keys_of(tree.results("play.yml", "-i", "hosts.json", *extra)["h"], "port")["warn"]
    assert (row["value"], row["layer"]) == ("2s", "play or extra variables")
    assert [(one["value"], one["layer"]) for one in row["overrode"]] == [("1s", "host h"), ("1s", "default of tcp")]


def test_the_role_runs_what_the_groups_made_of_the_default_set(tree):
    tree.write("hosts.json", {"all": {"hosts": {"h": LOCAL}, "vars": {"roundsman_psutil": "host"}}})
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())["roundsman_default_checks"]
    off = [{"id": one["type"], "enabled": False} for one in defaults if one["type"] not in ("load", "memory")]
    tree.checks("group_vars/all.json", *off, {"id": "port", "type": "tcp", "port": "{{ number }}"})
    tree.write("host_vars/h.json", {"roundsman_checks": [{"id": "swap", "enabled": True, "warn": "99%"}], "number": 1})
    result = tree.results("roundsman.fleet.health", "-i", "hosts.json")["h"]
    assert [(check["id"], check["target"]) for check in result["checks"]] == [
        ("load", ""), ("memory", ""), ("swap", ""), ("port", "localhost:1"),
    ]  # fmt: skip
    assert result["checks"][2]["warn"] == "99%"


def test_values_are_rendered_for_their_host(tree):
    tree.write("hosts.json", {"all": {"hosts": {"a": dict(LOCAL, number=81), "b": dict(LOCAL, number=82)}}})
    tree.checks(
        "group_vars/all.json",
        {"id": "port", "type": "tcp", "warn": "{{ omit }}", "port": "{{ number }}", "host": "{{ hostvars.b.number }}"},
    )
    tree.write("host_vars/a.json", {"roundsman_checks": "{{ [{'id': 'more', 'type': 'load', 'warn': number}] }}"})
    tree.write("explain.yml", EXPLAIN)
    found = tree.results("explain.yml", "-i", "hosts.json")
    for host, number in (("a", 81), ("b", 82)):
        port = keys_of(found[host], "port")
        assert (port["port"]["value"], str(port["host"]["value"]), port["warn"]["value"]) == (number, "82", "1s")
    assert keys_of(found["a"], "more")["warn"]["value"] == 81
    assert [result["faults"] for result in found.values()] == [[], []]


def test_faults_are_named_with_layer_check_and_line_and_nothing_runs(tree):
    tree.write("hosts.json", {"all": {"hosts": {"h": LOCAL}, "children": {"db": {"hosts": {"h": {}}}}}})
    tree.write(
        "group_vars/db.yml",
        """\
        roundsman_checks:
          - {id: memroy, enabled: false}
          - {id: memory,
             warn: "{{ nobody }}"}
          - {id: load, crit: 9 parsecs}
        """,
    )
    tree.write("host_vars/h.yml", "roundsman_checks: all of them\n")
    message = tree.results("roundsman.fleet.health", "-i", "hosts.json")["h"]["msg"]
    assert message.startswith("these health checks cannot run, so none did")
    db = f"{tree.folder}/group_vars/db.yml"
    assert f'group db ({db}:2): it switches off a check that nobody declares, "memroy" (did you mean "memory' in message
    assert f"check memory (default set, group db): warn in {db}:4: 'nobody' is undefined" in message
    assert f'check load (default set, group db): crit in {db}:5: "9 parsecs"' in message
    assert f"host h ({tree.folder}/host_vars/h.yml:1): it is text, not a list of checks" in message


def test_a_task_without_any_checks_is_no_good_result(tree):
    tree.write("play.yml", "- hosts: all\n  gather_facts: false\n  tasks: [{roundsman.fleet.health: }]\n")
    tree.write("hosts.json", {"all": {"hosts": {"h": LOCAL}}})
    assert "define roundsman_checks" in tree.results("play.yml", "-i", "hosts.json")["h"]["msg"]


@pytest.fixture
def vault(tree):
    """A vault with a whole file, and a value of its own in an open one."""
    tree.write("password", "open sesame\n")
    tree.write("hosts.json", {"all": {"hosts": {"h": LOCAL}}})
    tree.write("explain.yml", EXPLAIN)
    tree.write("group_vars/all/vault.yml", "vault_key: hush-in-file\n")
    options = ["--vault-password-file", "password"]
    assert tree.run("ansible-vault", "encrypt", *options, "group_vars/all/vault.yml").returncode == 0
    inline = tree.run("ansible-vault", "encrypt_string", *options, "hush-inline").stdout
    tree.write(
        "group_vars/all/open.yml",
        "key: !vault |\n" + textwrap.indent(inline.partition("\n")[2], "  ")
        + "token: \"{{ vault_key }}\"\nroundsman_checks:\n"
        '  - {id: site, type: http, contains: "{{ key }}", ca: /etc/vault,\n'
        '     url: "http://shop/?k={{ token }}&l={{ key }}"}\n',
    )  # fmt: skip
    return tree


def test_what_a_vault_holds_is_not_shown(vault):
    done = vault.run("ansible-playbook", "explain.yml", "-i", "hosts.json", "--vault-password-file", "password")
    assert "hush" not in done.stdout + done.stderr
    result = vault.results("explain.yml", "-i", "hosts.json", "--vault-password-file", "password")["h"]
    site = keys_of(result, "site")
    assert site["url"]["value"] == "http://shop/?k=***&l=***"
    assert (site["contains"]["value"], site["ca"]["value"]) == ("***", "/etc/vault")


def test_a_vault_that_does_not_open_is_named_with_the_check(vault):
    (vault.folder / "group_vars/all/vault.yml").unlink()
    vault.write("explain.yml", EXPLAIN.replace("tasks:", "vars: {vault_key: x}\n  tasks:"))
    (fault,) = [
        fault for fault in vault.results("explain.yml", "-i", "hosts.json")["h"]["faults"] if "contains" in fault
    ]
    assert fault.startswith(f"check site (group all): contains in {vault.folder}/group_vars/all/open.yml:")
    assert "vault" in fault


def test_the_command_explains_and_records_nothing(tree):
    tree.write("roundsman.yml", "inventory: inventory\nstate_dir: state\n")
    tree.write("inventory/hosts.yml", {"all": {"children": {"db": {"hosts": {"db1.invalid": {}}}}}})
    tree.write("inventory/group_vars/db.yml", "roundsman_checks:\n  - {id: memory, warn: 70%}\n")
    done = tree.run("roundsman", "health", "explain", "db1.invalid")
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "70%" in line]
    assert " ".join(line.split()) == "warn 70% group db, inventory/group_vars/db.yml:2 90% (default of memory)"
    (host,) = json.loads(tree.run("roundsman", "health", "explain", "db1.invalid", "--json").stdout)
    assert (host["host"], host["faults"]) == ("db1.invalid", [])
    assert not (tree.folder / "state").exists()

    tree.checks("inventory/host_vars/db1.invalid.yml", {"id": "memroy", "enabled": False})
    done = tree.run("roundsman", "health", "explain", "db1.invalid")
    assert (done.returncode, "did you mean" in done.stdout) == (64, True), done.stdout
    done = tree.run("roundsman", "health", "explain", "nobody")
    assert (done.returncode, "nobody" in done.stderr) == (64, True)


@pytest.mark.parametrize("groups", [200])
def test_many_groups_cost_little(tree, groups):
    """Of 20 hosts in 200 groups each, which Ansible itself works through once a task."""
    hosts = {f"h{number}": {} for number in range(20)}
    children = {f"g{number}": {"hosts": hosts} for number in range(groups)}
    children["g7"]["vars"] = {"roundsman_checks": [{"id": "memory", "warn": "1%"}]}
    tree.write("hosts.json", {"all": {"vars": LOCAL, "children": children}})
    for number in range(groups):
        tree.write(f"group_vars/g{number}.json", {"something": number})
    tree.write("explain.yml", EXPLAIN)
    tree.write("nothing.yml", EXPLAIN.replace("roundsman.fleet.health_explain:", "ansible.builtin.debug: {msg: x}"))

    def seconds(playbook):
        """Of processors: what it waits for them is not its own."""
        before = os.times()
        assert tree.run("ansible-playbook", playbook, "-i", "hosts.json").returncode == 0
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert seconds("explain.yml") < 2 * seconds("nothing.yml") + 10
