"""Checks that `throughput.py` measures what it should."""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from bench_package import ThisPackage
from bench_systems import SENSES, ReleaseLoop, doc_path

from lmms_humansense.models.inputs.conversation import VideoPart, media_of
from lmms_humansense.models.inputs.media_cache import MediaCache
from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.tasks.humansense import utils

MEL_TOLERANCE = 1e-3
"""The largest mean difference between two spectrograms of one sound; their values are around 0."""


def refuse_other_inputs(release: ReleaseLoop, ours: ThisPackage, doc: Any) -> None:
    """Raise SystemExit unless both models get the same inputs; otherwise their times could not be compared.

    Sounds may differ a little, because the ffmpeg program and PyAV may decode with different versions of FFmpeg.
    """
    engine = ours.omni.engine
    (result,) = engine.encoder.encode([engine.encoder.read(utils.doc_to_messages(doc, SENSES))])
    assert isinstance(result.encoded, EncodedPrompt), result.reason
    given = result.encoded.tensors
    theirs = {name: torch.as_tensor(value).float() for name, value in release.inputs(doc).items()}
    different = {name for name, value in theirs.items() if not torch.equal(value, given[name].float())}
    mel = given["input_features"]
    apart = (theirs["input_features"][..., : mel.shape[-1]] - mel).abs().mean()  # the release pads it to 300 s
    if different - {"input_features", "feature_attention_mask"} or apart > MEL_TOLERANCE:
        raise SystemExit(f"The release's loop and this package give the model different {', '.join(different)}.")


def refuse_equal_pictures(ours: ThisPackage, docs: Any, numbers: Sequence[int]) -> None:
    """Raise SystemExit if a picture that is shown of one of these docs is shown of another, too.

    A store would decode such clips less often than clips of a camera. With a filled store, this takes little time.
    """
    encoder = ours.omni.engine.encoder
    shown: dict[str, str] = {}
    for number in numbers:
        (video,) = media_of(encoder.read(utils.doc_to_messages(docs[number], SENSES)))
        assert isinstance(video, VideoPart)
        media = MediaCache(encoder.family.frame_factor, ours.omni.settings.clip_store())
        clip = doc_path(docs[number])
        for picture in media.clip(video, lambda seconds: False).frames.pixels:
            before = shown.setdefault(hashlib.sha256(picture.numpy().tobytes()).hexdigest(), clip)
            if before != clip:
                raise SystemExit(f"{before} and {clip} show an equal picture.")
