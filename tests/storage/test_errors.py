"""Errors are reported in one sentence without secrets."""

import pytest

from lmms_humansense.storage.errors import StorageError, naming, one_line, without_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/data/videos/a?b@c.mp4", "/data/videos/a?b@c.mp4"),
        ("https://user:secret@host:80/a/b.zip", "https://host:80/a/b.zip"),
        ("https://host/a.zip?X-Signature=secret&x=1", "https://host/a.zip"),
        ("503, url='https://me:secret@host/a.zip?token=secret'", "503, url='https://host/a.zip'"),
        ("ftp://user:secret@host/a", "ftp://host/a"),
        ("s3://bucket/what?", "s3://bucket/what?"),
        ("hf://datasets/owner/name@main/bench_data", "hf://datasets/owner/name@main/bench_data"),
        ("https://host/path/name@main.zip", "https://host/path/name@main.zip"),
    ],
)
def test_addresses_are_shown_without_secrets(text: str, shown: str) -> None:
    assert without_credentials(text) == shown
    assert "secret" not in one_line(OSError(text))


def test_whatever_goes_wrong_is_named_in_one_line() -> None:
    with pytest.raises(StorageError) as error, naming("https://me:secret@host/a.zip"):
        raise RuntimeError("first\n\n  second of https://me:secret@host/a.zip?secret")
    expected = "https://host/a.zip cannot be read (RuntimeError: first second of https://host/a.zip)."
    assert str(error.value) == expected


def test_what_is_a_sentence_already_stays() -> None:
    with pytest.raises(StorageError, match=r"^As it is\.$"), naming("a file"):
        raise StorageError("As it is.")
