"""Addresses that strangers name: none inside the network is connected to, in whatever form it is written."""

from __future__ import annotations

import ipaddress
import socket
import threading
from functools import partial

import pytest

from apps.matches.public_addresses import (
    AddressRefusedError,
    Target,
    addresses_in_time,
    checked_target,
    connect,
    is_public,
)

PUBLIC = "93.184.215.14"


def names(*addresses: str):
    """A resolver that knows one name."""
    return lambda host: addresses


INTERNAL = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1"),
    # IPv4 within IPv6: mapped, compatible, NAT64, local NAT64, 6to4, Teredo.
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::10.0.0.1", "64:ff9b::127.0.0.1"),
    *(
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:5db8:d70e::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ),
]


@pytest.mark.parametrize("address", INTERNAL)
def test_an_internal_address_is_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", [PUBLIC, "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1111", "64:ff9b::1.1.1.1"]
)
def test_an_address_of_the_internet_is_public(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", INTERNAL)
def test_a_name_that_leads_inside_is_refused(address):
    with pytest.raises(AddressRefusedError):
        checked_target("https://example.org/", look_up=names(address))


def test_a_name_is_refused_when_one_of_its_addresses_leads_inside():
    with pytest.raises(AddressRefusedError, match="not on the public internet"):
        checked_target("https://example.org/", look_up=names(PUBLIC, "10.0.0.1"))


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "0x7f000001", "017700000001", "127.1", "0177.0.0.1", "0x7f.0.0.1", "127.0.0.01", "1.2.3"),
        *("127.0.0.1.", "[::1]", "[::ffff:7f00:1]", "[fe80::1%25eth0]", "[::]", "0", "0x", "a.0x7f", "a.1"),
        *("-a.org", "a-.org", "a..org", ".org", "a" * 64 + ".org", "a b.org", "a\x00.org", "a\n.org", "bücher.org"),
    ],
)
def test_a_host_in_a_form_that_hides_an_address_is_refused(host):
    with pytest.raises(AddressRefusedError):
        checked_target(f"https://{host}/", look_up=names("127.0.0.1"))


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.org/", "ftp://example.org/", "file:///etc/passwd", "//example.org/", "example.org", ""),
        *("https://user@example.org/", "https://user:pass@example.org/", "https://@example.org/"),
        *("https://example.org:22/", "https://example.org:0/", "https://example.org:99999/", "https://example.org:x/"),
        *(
            "https://example.org\\@10.0.0.1/",
            "https://example.org/ a",
            "https:///",
            "https://[::1/",
            "https://" + "a" * 2000,
        ),
    ],
)
def test_what_is_no_public_https_address_is_refused(url):
    with pytest.raises(AddressRefusedError):
        checked_target(url, look_up=names(PUBLIC))


def test_a_name_that_nobody_knows_is_refused():
    def unknown(host: str):
        raise socket.gaierror("unknown")

    with pytest.raises(AddressRefusedError, match="cannot be found"):
        checked_target("https://example.org/", look_up=unknown)
    with pytest.raises(AddressRefusedError, match="cannot be found"):
        checked_target("https://example.org/", look_up=names())


def test_a_resolver_that_hangs_ends_with_the_time_limit(monkeypatch):
    ends = threading.Event()

    def hang(*_, **__):
        ends.wait(60)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with pytest.raises(AddressRefusedError, match="cannot be found"):
        checked_target("https://slow.example/", look_up=partial(addresses_in_time, seconds=0.01))
    monkeypatch.setitem(addresses_in_time.__kwdefaults__, "seconds", 0.01)
    with pytest.raises(AddressRefusedError, match="cannot be found"):
        checked_target("https://slow.example/")
    ends.set()


def test_a_public_address_keeps_its_host_path_and_query():
    found = checked_target("https://Example.org/hooks/a?b=c#d", look_up=names(PUBLIC))
    assert found == Target("https", "example.org", 443, "example.org", "/hooks/a?b=c", (PUBLIC,))
    assert checked_target("https://[2606:4700::1111]:80", look_up=names()).authority == "[2606:4700::1111]:80"


def test_hosts_and_networks_of_the_operator_are_allowed_on_every_port_and_over_http():
    assert (
        checked_target("http://hooks.internal:8080/", allowed=["hooks.internal"], look_up=names("10.0.0.1")).port
        == 8080
    )
    assert checked_target("http://a.test/", allowed=["10.0.0.0/8"], look_up=names("10.9.9.9")).addresses == (
        "10.9.9.9",
    )
    for addresses in (["11.0.0.1"], ["10.0.0.1", "192.168.0.1"]):
        with pytest.raises(AddressRefusedError):
            checked_target("http://a.test/", allowed=["10.0.0.0/8"], look_up=names(*addresses))


def test_the_connection_goes_to_the_checked_address_and_the_name_is_not_looked_up_again(monkeypatch):
    looked_up = []
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: looked_up.append(host) or real(host, *rest, **more)
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        target = checked_target(f"http://rebound.test:{port}/", allowed=["rebound.test"], look_up=names("127.0.0.1"))
        accepted = threading.Thread(target=lambda: server.accept()[0].close())
        accepted.start()
        connect(target, timeout=30).close()
        accepted.join()
    assert looked_up == ["127.0.0.1"]
