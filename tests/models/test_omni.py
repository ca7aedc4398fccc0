"""The model class on the tiny checkpoint: what is fed, what is answered, what fails."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lmms_humansense.models import omni
from lmms_humansense.models.conversation import Conversation, Text, Turn, Video, read_messages
from lmms_humansense.models.media import FrameRule
from lmms_humansense.models.prepare import prepare
from lmms_humansense.tasks.humansense import scoring, utils
from lmms_humansense.tasks.humansense_sample.utils import ROOT

SENSES = {"sees": True, "hears": True}
SILENT_CLIP = ROOT / "videos" / "action" / "ball.mp4"


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> omni.HumanSenseOmni:
    return omni.HumanSenseOmni(pretrained=str(tiny_model), device="cpu", batch_size=1, max_batch_size=None)


class Request:
    """What `generate_until` reads of lmms-eval's Instance."""

    def __init__(self, messages: Any, **generation_kwargs: Any) -> None:
        self.args = ("context", lambda doc: messages, {"max_new_tokens": 6, **generation_kwargs}, 0, "task", "test")


@pytest.fixture
def answer(model: omni.HumanSenseOmni) -> Any:
    model.task_dict = {"task": {"test": [None]}}
    model.failures.clear()
    model.soundless.clear()
    return lambda *requests: list(model.generate_until(list(requests)))


def sample(code: str, place: int = 0) -> Any:
    doc = utils.docs(code, str(ROOT), complete=False)[place]
    return utils.doc_to_messages(doc, SENSES)


def user(*content: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [*content, {"type": "text", "text": "What is it?"}]}]


def fed(model: omni.HumanSenseOmni, messages: Any) -> dict[str, torch.Tensor]:
    return model.family.encode(prepare(read_messages(messages), model.family.frame_factor))


@pytest.mark.parametrize("code", ["hc", "tr", "ld"])
def test_frames_and_tokens_are_those_of_the_releases_stack(model: omni.HumanSenseOmni, code: str) -> None:
    """The release: qwen-omni-utils reads the frames, the processor gets them and no frame rate."""
    from qwen_omni_utils.v2_5 import vision_process

    messages = sample(code)
    video, *_, text = messages[0]["content"]
    prepared = prepare(read_messages(messages), model.family.frame_factor)
    element = {"type": "video", "video": video["url"], "fps": video["fps"], "max_pixels": 360 * 420}
    pixels, _, _ = vision_process._read_video_decord(element)
    frames = vision_process.fetch_video({**element, "video": str(video["url"])})
    assert frames.shape == prepared.videos[0].shape
    assert len(pixels) == len(frames)
    assert torch.equal(frames.to(torch.uint8), prepared.videos[0])
    prompt = model.family.processor.apply_chat_template(prepared.messages, add_generation_prompt=True, tokenize=False)
    # The same question to the processor has other words from transformers 5.23 on.
    heard: dict[str, Any] = {"use_audio_in_video": True}
    if hasattr(model.family.processor, "load_audio_from_video"):
        heard = {"load_audio_from_video": True, "audio_from_video_indices": [0]}
    reference = model.family.processor(
        text=[prompt], videos=[frames], audio=prepared.sounds or None,
        return_tensors="pt", padding=True, do_sample_frames=False,
        **(heard if prepared.interleaved else {}),
    )  # fmt: skip
    ours = model.family.encode(prepared)
    assert set(ours) == set(reference)
    for name, value in reference.items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(ours[name])), name
    assert text["text"] in model.family.processor.tokenizer.decode(ours["input_ids"][0])


@pytest.mark.parametrize(
    ("code", "sounds"), [("ar", 0), ("pa", 0), ("hc", 0), ("ld", 0), ("tr", 1), ("fr1", 1), ("es", 1)]
)
def test_exactly_the_tasks_with_sound_are_heard(model: omni.HumanSenseOmni, code: str, sounds: int) -> None:
    prepared = prepare(read_messages(sample(code)), model.family.frame_factor)
    assert (len(prepared.videos), len(prepared.sounds), prepared.interleaved) == (1, sounds, bool(sounds))


@pytest.mark.parametrize("code", ["fr2", "pc"])
def test_audio_tasks_are_heard_alone(model: omni.HumanSenseOmni, code: str) -> None:
    prepared = prepare(read_messages(sample(code)), model.family.frame_factor)
    assert (len(prepared.videos), len(prepared.sounds), prepared.interleaved) == (0, 1, False)
    assert prepared.sounds[0].dtype == np.float32


def test_what_is_heard_changes_the_inputs(model: omni.HumanSenseOmni) -> None:
    heard = sample("tr")
    silent = [{**heard[0], "content": [item for item in heard[0]["content"] if item["type"] != "audio"]}]
    assert "input_features" in fed(model, heard)
    assert "input_features" not in fed(model, silent)


def test_answers_come_in_request_order_and_again_the_same(answer: Any) -> None:
    requests = [Request(sample(code)) for code in ("hc", "tr", "fr2", "ar")]
    first = answer(*requests)
    assert len(set(first)) > 1
    assert answer(*reversed(requests)) == first[::-1]


def test_a_failing_sample_is_marked_and_costs_no_other(answer: Any, model: omni.HumanSenseOmni, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_text("not a video")
    broken = Request(user({"type": "video", "url": str(tmp_path / "broken.mp4")}))
    good = Request(sample("ar"))
    responses = answer(good, broken, good)
    assert responses[0] == responses[2]
    assert responses[1].startswith(f"{omni.FAILURE_MARK} MediaError: {tmp_path / 'broken.mp4'}")
    assert model.failures == [("task doc 0", responses[1].removeprefix(f"{omni.FAILURE_MARK} "))]
    assert scoring.score(responses[1], "single", "A", ["A. x", "B. y"]).failed


def test_tasks_and_models_mark_failures_alike() -> None:
    assert omni.FAILURE_MARK == scoring.FAILURE_MARK


def test_a_clip_without_sound_track_is_shown_and_listed(answer: Any, model: omni.HumanSenseOmni) -> None:
    shown = user({"type": "video", "url": str(SILENT_CLIP)})
    heard = user({"type": "video", "url": str(SILENT_CLIP)}, {"type": "audio", "url": str(SILENT_CLIP)})
    assert answer(Request(heard)) == answer(Request(shown))
    assert model.soundless == {str(SILENT_CLIP)}
    assert model.failures == []


def test_sound_in_memory_is_resampled_to_mono(model: omni.HumanSenseOmni) -> None:
    stereo = np.ones((2, 8000), np.float32)
    prepared = prepare(read_messages(user({"type": "audio", "url": {"array": stereo, "sampling_rate": 8000}})), 28)
    assert prepared.sounds[0].shape == (16_000,)


def test_text_and_images_are_answered(answer: Any) -> None:
    from PIL import Image

    picture = {"type": "image", "url": Image.new("L", (64, 48), 200)}
    assert not any(
        response.startswith(omni.FAILURE_MARK) for response in answer(Request(user()), Request(user(picture)))
    )


def test_stop_strings_end_an_answer(answer: Any) -> None:
    (whole,) = answer(Request(sample("hc")))
    assert len(whole) > 1
    assert answer(Request(sample("hc"), until=[whole[1]])) == [whole[: whole.index(whole[1])]]


def test_the_system_prompt_is_qwens_unless_given(model: omni.HumanSenseOmni, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Be brief.\n")
    own = omni.HumanSenseOmni(pretrained=str(tiny_model), device="cpu", system_prompt=str(tmp_path / "prompt.txt"))
    asked: Conversation = (Turn("user", (Text("?"),)),)
    assert own._with_system_prompt(asked)[0] == Turn("system", (Text("Be brief."),))
    assert "You are Qwen, a virtual human" in model._with_system_prompt(asked)[0].parts[0].text  # type: ignore[union-attr]


def test_a_system_message_of_the_task_is_kept(model: omni.HumanSenseOmni) -> None:
    conversation = (Turn("system", (Text("Theirs."),)), Turn("user", (Text("?"),)))
    assert model._with_system_prompt(conversation) == conversation


def test_the_part_of_a_clip_that_is_asked_for_is_shown(model: omni.HumanSenseOmni) -> None:
    parade = str(ROOT / "videos" / "count" / "parade.mp4")
    rule = FrameRule(fps=1.0)
    whole = prepare((Turn("user", (Video(parade, rule),)),), 28).videos[0]
    part = prepare((Turn("user", (Video(parade, rule, start=5.0, end=13.0),)),), 28).videos[0]
    assert len(part) < len(whole)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"pretraind": "x"}, r"no argument 'pretraind'\. Did you mean pretrained\?"),
        ({"dtype": "float8"}, "dtype=float8 is not known; use auto, float32"),
        ({"pretrained": "/no/such/folder"}, "pretrained=/no/such/folder is no checkpoint that can be read"),
    ],
)
def test_bad_arguments_are_named(tiny_model: Path, arguments: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        omni.HumanSenseOmni(**{"pretrained": str(tiny_model), "device": "cpu", **arguments})  # type: ignore[arg-type]


def test_a_checkpoint_of_another_family_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="'bert'; it runs qwen2_5_omni"):
        omni.HumanSenseOmni(pretrained=str(tmp_path))


def test_log_likelihoods_are_refused(model: omni.HumanSenseOmni) -> None:
    with pytest.raises(NotImplementedError, match="log-likelihoods"):
        model.loglikelihood([])
