"""Ports that are listened on, and those that should not be."""

import socket
import sys

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import sockets
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import (
    listen,
)
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import read

from tests.ports import refusing_port

from .builders import keys_of, result_of


def test_listeners_of_this_machine_are_found_with_their_program():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.2", 0))
        tcp, udp = server.getsockname()[1], datagrams.getsockname()[1]
        found = {(one.protocol, one.address, one.port): one.inode for one in sockets.listeners()}
        inode = found["tcp", "127.0.0.1", tcp]
        assert ("udp", "127.0.0.2", udp) in found
        assert sockets.programs({inode}) == {inode: {sockets.command_name("self")}}
        both = {"type": "listen", "ports": [tcp, f"{udp}/udp"]}
        assert result_of(both)["message"] == f"{tcp}, {udp}/udp are listened on"
        there = {"type": "listen", "ports": [tcp]}
        assert result_of(dict(there, program="nginx*"))["message"].startswith(f"{tcp}/tcp is held by ")
        assert result_of(dict(there, address="*"))["message"] == (
            f"{tcp}/tcp listens on 127.0.0.1 only, not on every address (crit 0)"
        )
    silent = refusing_port()
    gone = result_of({"type": "listen", "ports": [silent]})
    message = f"nobody listens on {silent}/tcp (crit 0)"
    assert (gone["status"], gone["message"], gone["value"]) == ("CRITICAL", message, 1)


TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   111        0 1001 1
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1002 1
   2: 0100007F:1538 0100007F:9C40 01 00000000:00000000 00:00000000 00000000   111        0 1003 1
garbage
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the kernel wrote this table on a little-endian machine")
def test_only_sockets_that_listen_count():
    found = sockets.parse("tcp", "0A", TABLE.splitlines())
    assert found == [("tcp", "127.0.0.1", 5432, "1001"), ("tcp", "0.0.0.0", 22, "1002")]
    assert sockets.address_of("0000000000000000FFFF00000100007F") == "127.0.0.1"
    assert sockets.address_of("00000000000000000000000001000000") == "::1"


def listener(port, address="0.0.0.0", protocol="tcp"):
    return sockets.Listener(protocol, address, port, str(port))


@pytest.mark.parametrize(
    ("keys", "ports"),
    [
        ({"ports": [22]}, [53, 8080, 5432]),
        ({"ports": [22], "allow": ["53/udp", "8000-8100"]}, [5432]),
        ({"allow": ["22", "53/udp", 8080]}, [5432]),
        ({"ports": [5432], "address": "127.0.0.1"}, [22, 53, 8080, 5432]),
        ({"ports": [22, 8080, 5432], "address": "*", "allow": "53/udp"}, []),
    ],
)
def test_ports_that_nobody_listed_are_unexpected_when_others_reach_them(keys, ports):
    found = [listener(22), listener(53, protocol="udp"), listener(8080, "::"), listener(5432)]
    found += [listener(6379, "127.0.0.1"), listener(631, "::1"), listener(40000, protocol="udp")]
    spec = keys_of(dict(keys, type="listen", only=True))
    assert [one.port for one in listen.unexpected(found, spec, (32768, 60999))] == ports


@pytest.mark.parametrize(
    ("bound", "address", "fine"),
    [
        ("0.0.0.0", "10.0.0.5", True),
        ("::", "10.0.0.5", True),
        ("0.0.0.0", "::1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "10.0.0.5", False),
        ("10.0.0.5", "*", False),
        ("::", "*", True),
    ],
)
def test_a_wildcard_takes_every_address(bound, address, fine):
    assert listen.is_on(listener(80, bound), address) is fine


@pytest.mark.parametrize(
    "keys",
    [{}, {"ports": ["http"]}, {"ports": ["1-2"]}, {"ports": [0]}, {"ports": [22], "allow": [80]},
     {"ports": [22], "address": "localhost"}, {"only": True, "allow": ["9-3"]}],
)  # fmt: skip
def test_ports_that_make_no_sense_are_refused(keys):
    assert read([dict(keys, type="listen")], 10)[1]
