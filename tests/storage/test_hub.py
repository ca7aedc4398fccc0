"""Addresses of folders in dataset repositories."""

from pathlib import Path

import pytest

from lmms_humansense.storage.hub import HubFolder, commit_of, parse


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("hf://datasets/owner/name", HubFolder("owner/name", "main")),
        ("hf://datasets/owner/name/", HubFolder("owner/name", "main")),
        ("hf://datasets/owner/name@v1.0", HubFolder("owner/name", "v1.0")),
        ("hf://datasets/owner/name@v1.0/a/b", HubFolder("owner/name", "v1.0", "a/b")),
        ("hf://datasets/owner/name/a/b", HubFolder("owner/name", "main", "a/b")),
        ("hf://datasets/owner/name@refs/pr/3/a", HubFolder("owner/name", "refs/pr/3", "a")),
        ("hf://datasets/owner/name@refs%2Fpr%2F3/a", HubFolder("owner/name", "refs/pr/3", "a")),
        ("hf://datasets/owner/name@next%2F2", HubFolder("owner/name", "next/2")),
    ],
)
def test_an_address_names_a_place(address: str, place: HubFolder) -> None:
    assert parse(address) == place
    assert parse(str(place)) == place


@pytest.mark.parametrize(
    "address", ["/data", "s3://datasets/owner/name", "hf://owner/name", "hf://datasets/name", "hf:"]
)
def test_other_addresses_name_none(address: str) -> None:
    assert parse(address) is None


def test_a_folder_lies_within_a_place() -> None:
    assert HubFolder("o/n", "main").within("a").within("b") == HubFolder("o/n", "main", "a/b")


def test_the_commit_is_the_folder_of_the_snapshot() -> None:
    file = Path("/snapshots/cache/datasets--o--n/snapshots/abc123/bench_data/HumanSense_VQA.json")
    assert commit_of(file) == "abc123"
