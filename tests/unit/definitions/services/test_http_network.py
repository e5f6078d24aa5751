"""Which addresses requests of graphs may go to."""

from __future__ import annotations

import ipaddress

import pytest

from definitions.shared.public_addresses import _SPECIAL, is_public


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "192.0.1.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "2002:808:808::1"],
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("network", [str(network) for network in _SPECIAL])
def test_no_address_of_a_special_purpose_range_is_public(network: str) -> None:
    found = ipaddress.ip_network(network)
    middle = found.network_address + found.num_addresses // 2
    assert not any(is_public(str(one)) for one in (found.network_address, middle, found.broadcast_address))


@pytest.mark.parametrize(
    "address",
    [
        "::1",
        "::",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "fe80::1%eth0",
        "fec0::1",
        "3fff::1",
        "5f00::1",
        "192.0.0.170",
        "192.88.99.1",
        "2001:0:a9fe:a9fe::1",
        "255.255.255.255",
        "0.0.0.0",
    ],
)
def test_an_address_that_carries_or_is_a_private_one_is_not_public(address: str) -> None:
    assert not is_public(address)
