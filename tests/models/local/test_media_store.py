"""The inputs of a model are bit by bit the same without a store of clips, while it is filled, and from it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
import torch

from lmms_humansense.models.local.encoder import LocalEncoder
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.tasks.humansense import utils
from lmms_humansense.tasks.humansense_sample.utils import ROOT

SENSES = {"wrapper": "humansense_omni"}
CODES = {"qwen2_audio": ("fr2", "pc")}
SEEN = ("ar", "hc", "tr", "fr1", "ld", "fr2", "pc")


def messages_of(code: str) -> list[Any]:
    return [utils.doc_to_messages(doc, SENSES) for doc in utils.docs(code, str(ROOT), complete=False).select([0])]


@pytest.mark.parametrize("family", ["qwen2_5_omni", "qwen3_omni_moe", "qwen2_audio"])
@pytest.mark.parametrize("time_axis", ["auto", "true"])
def test_every_tensor_is_the_same_with_and_without_a_store(
    family: str, time_axis: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixtures = {"qwen2_5_omni": "tiny_model", "qwen3_omni_moe": "tiny_qwen3", "qwen2_audio": "tiny_qwen2_audio"}
    checkpoint = str(request.getfixturevalue(fixtures[family]))

    def encoded(**arguments: Any) -> list[Any]:
        encoder = LocalEncoder(
            read_local_settings({"pretrained": checkpoint, "time_axis": time_axis, **arguments}), family
        )
        said = [encoder.read(messages) for code in CODES.get(family, SEEN) for messages in messages_of(code)]
        return [result for one in said for result in encoder.encode([one])]

    plain = encoded()
    filling = encoded(media_cache=str(tmp_path))

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(av, "open", refused)
    stored = encoded(media_cache=str(tmp_path))
    assert all(not result.reason for result in plain)
    for results in (filling, stored):
        assert [(result.reason, result.stats, result.remarks) for result in results] == [
            (result.reason, result.stats, result.remarks) for result in plain
        ]
        for one, other in zip(results, plain, strict=True):
            assert one.encoded.tensors.keys() == other.encoded.tensors.keys()
            for name, tensor in other.encoded.tensors.items():
                assert torch.equal(one.encoded.tensors[name], tensor), name
                assert one.encoded.tensors[name].dtype == tensor.dtype, name


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_the_folder_is_named_by_an_argument_or_the_environment(
    by: str, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "environment":
        monkeypatch.setenv("HUMANSENSE_MEDIA_CACHE", str(tmp_path / "store"))
    given = {"media_cache": str(tmp_path / "store")} if by == "argument" else {}
    encoder = LocalEncoder(read_local_settings({"pretrained": str(tiny_model), **given}), "qwen2_5_omni")
    (result,) = encoder.encode([encoder.read(messages_of("ar")[0])])
    assert not result.reason
    assert len(list((tmp_path / "store").glob("??/*.parquet"))) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (lambda folder: {"media_cache": str(folder / "file")}, r"media_cache=.*file is not a folder\."),
        (lambda folder: {"media_cache_gb": 1}, r"media_cache_gb=1 limits media_cache, which is not given\."),
        (lambda folder: {"media_cache": str(folder), "media_cache_gb": 0}, "media_cache_gb=0: the value should be"),
    ],
)
def test_what_cannot_be_a_store_is_refused(
    arguments: Callable[[Path], dict[str, Any]], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=sentence):
        read_local_settings({"pretrained": "x", **arguments(tmp_path)})
