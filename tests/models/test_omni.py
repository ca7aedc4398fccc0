"""The model class with the tiny checkpoint: inputs, answers, failures, and what the results report."""

import json
import os
import shutil
import signal
import threading
import weakref
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from loguru import logger

from lmms_humansense.models import chat, omni
from lmms_humansense.models.inputs.conversation import VideoPart, read_messages
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.media.types import FrameRule
from lmms_humansense.models.runtime.progress import Progress
from lmms_humansense.models.runtime.signals import RunStopped
from lmms_humansense.tasks.humansense import utils
from lmms_humansense.tasks.humansense.metrics import scoring
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.engines import decoded
from tests.helpers.waits import LIMIT

SENSES = {"wrapper": "humansense_omni"}
SOUNDLESS_CLIP = ROOT / "videos" / "action" / "ball.mp4"


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> omni.HumanSenseOmni:
    return omni.HumanSenseOmni(pretrained=str(tiny_model), device="cpu", batch_size=3, max_batch_size=None)


class Request:
    """The parts of lmms-eval's Instance that `generate_until` reads."""

    def __init__(self, messages: Any, **generation_kwargs: Any) -> None:
        self.metadata: dict[str, Any] = {}
        self.args = ("context", lambda doc: messages, {"max_new_tokens": 6, **generation_kwargs}, 0, "task", "test")


@pytest.fixture
def results(model: omni.HumanSenseOmni) -> Any:
    model.task_dict = {"task": {"test": [None]}}
    model.failures.clear()
    model.remarks.clear()
    model._time_axes.clear()
    return lambda *requests: list(model.generate_until(list(requests)))


@pytest.fixture
def answer(results: Any) -> Any:
    return lambda *requests: [result.text for result in results(*requests)]


def sample(code: str, place: int = 0) -> Any:
    doc = utils.docs(code, str(ROOT), complete=False)[place]
    return utils.doc_to_messages(doc, SENSES)


def user(*content: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [*content, {"type": "text", "text": "What is it?"}]}]


@pytest.mark.parametrize("code", ["hc", "tr", "ld"])
def test_frames_and_tokens_are_the_same_as_with_the_releases_code(model: omni.HumanSenseOmni, code: str) -> None:
    """In the release, qwen-omni-utils reads the frames, and the processor gets them without a frame rate."""
    from qwen_omni_utils.v2_5 import vision_process

    messages = sample(code)
    video, *_, text = messages[0]["content"]
    prepared = decoded(model.engine, messages)
    element = {"type": "video", "video": video["url"], "fps": video["fps"], "max_pixels": 360 * 420}
    pixels, _, _ = vision_process._read_video_decord(element)
    frames = vision_process.fetch_video({**element, "video": str(video["url"])})
    assert frames.shape == prepared.videos[0].shape
    assert len(pixels) == len(frames)
    assert torch.equal(frames.to(torch.uint8), prepared.videos[0])
    processor = model.engine.family.processor
    prompt = processor.apply_chat_template(prepared.messages, add_generation_prompt=True, tokenize=False)
    # The processor's arguments have other names from transformers 5.23 on.
    heard: dict[str, Any] = {"use_audio_in_video": True}
    if hasattr(processor, "load_audio_from_video"):
        heard = {"load_audio_from_video": True, "audio_from_video_indices": [0]}
    reference = processor(
        text=[prompt], videos=[frames], audio=prepared.sounds or None,
        return_tensors="pt", padding=True, do_sample_frames=False,
        **(heard if prepared.interleaved else {}),
    )  # fmt: skip
    ours = model.engine.family.encode(prepared).tensors
    assert set(ours) == set(reference)
    for name, value in reference.items():
        expected = torch.as_tensor(value)
        if name in ("input_features", "feature_attention_mask"):
            # Ours is not padded to the window of 300 s: the part left out contains no sound.
            assert not reference["feature_attention_mask"][..., ours[name].shape[-1] :].any()
            expected = expected[..., : ours[name].shape[-1]]
        assert torch.equal(expected, ours[name]), name
    assert text["text"] in processor.tokenizer.decode(ours["input_ids"][0])


@pytest.mark.parametrize(
    ("code", "sounds"), [("ar", 0), ("pa", 0), ("hc", 0), ("ld", 0), ("tr", 1), ("fr1", 1), ("es", 1)]
)
def test_exactly_the_tasks_with_sound_get_sound(model: omni.HumanSenseOmni, code: str, sounds: int) -> None:
    prepared = decoded(model.engine, sample(code))
    assert (len(prepared.videos), len(prepared.sounds), prepared.interleaved) == (1, sounds, bool(sounds))


@pytest.mark.parametrize("code", ["fr2", "pc"])
def test_audio_tasks_get_only_sound(model: omni.HumanSenseOmni, code: str) -> None:
    prepared = decoded(model.engine, sample(code))
    assert (len(prepared.videos), len(prepared.sounds), prepared.interleaved) == (0, 1, False)
    assert prepared.sounds[0].dtype == np.float32


def test_answers_come_in_the_order_of_requests_in_any_batch(answer: Any) -> None:
    requests = [Request(sample(code)) for code in ("hc", "tr", "fr2", "ar", "es")]
    first = answer(*requests)
    assert len(set(first)) > 2
    assert answer(*reversed(requests)) == first[::-1]
    assert [answer(request)[0] for request in requests] == first


def test_requests_with_other_arguments_do_not_share_a_batch(answer: Any) -> None:
    long, short = Request(sample("hc")), Request(sample("hc"), max_new_tokens=1)
    together = answer(long, short, long)
    assert together == [*answer(long), *answer(short), *answer(long)]
    assert len(together[0]) > len(together[1]) == 1


def test_generation_arguments_are_not_changed(answer: Any) -> None:
    request = Request(sample("hc"), until=["x"], temperature=0, top_p=1.0, image_aspect_ratio="pad")
    before = dict(request.args[2])
    answer(request, request)
    assert request.args[2] == before


def test_a_failing_sample_is_marked_and_does_not_affect_others(
    answer: Any, model: omni.HumanSenseOmni, tmp_path: Path
) -> None:
    (tmp_path / "broken.mp4").write_text("not a video")
    broken = Request(user({"type": "video", "url": str(tmp_path / "broken.mp4")}))
    good = Request(sample("ar"))
    responses = answer(good, broken, good)
    assert responses[0] == responses[2]
    assert responses[1].startswith(f"{chat.FAILURE_MARK} MediaError: {tmp_path / 'broken.mp4'}")
    (failure,) = model.failures
    assert (str(failure), failure.media) == ("task doc 0", (str(tmp_path / "broken.mp4"),))
    assert responses[1] == f"{chat.FAILURE_MARK} {failure.reason}"
    assert scoring.score(responses[1], "single", "A", ["A. x", "B. y"]).failed


def test_the_requests_of_a_failed_batch_are_asked_one_by_one(
    answer: Any, model: omni.HumanSenseOmni, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [Request(sample("hc", place)) for place in range(2)]
    expected = answer(*requests)
    generate, sizes = model.engine.family.generate, []

    def refuse_batches(samples: Any, *rest: Any) -> Any:
        sizes.append(len(samples))
        if len(samples) > 1:
            raise RuntimeError("too large")
        return generate(samples, *rest)

    monkeypatch.setattr(model.engine.family, "generate", refuse_batches)
    assert answer(*requests) == expected
    assert sizes == [2, 1, 1]
    assert model.failures == []


def test_tasks_and_models_mark_failures_alike() -> None:
    assert chat.FAILURE_MARK == scoring.FAILURE_MARK


def test_tasks_and_models_mark_ends_alike() -> None:
    assert (chat.COMPLETE_MARK, chat.TRUNCATED_MARK) == (scoring.COMPLETE_MARK, scoring.TRUNCATED_MARK)


def test_only_tasks_that_take_marks_off_get_them(model: omni.HumanSenseOmni, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = datasets.Dataset.from_dict({"ends": ["read"]})
    monkeypatch.setattr(model, "task_dict", {"task": {"test": docs}, "other": {"test": [None]}})
    ours, others = Request(sample("hc")), Request(sample("hc"))
    others.args = (*others.args[:4], "other", "test")
    marked, plain = [result.text for result in model.generate_until([ours, others])]
    assert marked == f"{chat.TRUNCATED_MARK} {plain}"
    assert model.truncated == {"task": 1, "other": 1}


def test_a_clip_that_should_be_heard_and_has_no_sound_track_fails(answer: Any) -> None:
    heard = user({"type": "video", "url": str(SOUNDLESS_CLIP)}, {"type": "audio", "url": str(SOUNDLESS_CLIP)})
    (response,) = answer(Request(heard))
    assert response.startswith(f"{chat.FAILURE_MARK} MediaError: {SOUNDLESS_CLIP} has no sound track")


def test_with_sound_always_a_clip_without_sound_is_shown_and_listed(
    tiny_model: Path, answer: Any, model: omni.HumanSenseOmni
) -> None:
    always = omni.HumanSenseOmni(str(tiny_model), device="cpu", use_audio_in_video="always")
    always.task_dict = {"task": {"test": [None]}}
    request = Request(user({"type": "video", "url": str(SOUNDLESS_CLIP)}))
    assert [result.text for result in always.generate_until([request])] == answer(request)
    assert always.remarks == {"Shown without sound, as there is none": {str(SOUNDLESS_CLIP)}}
    assert always.failures == []


def test_each_sample_reports_how_much_was_shown_and_heard(results: Any) -> None:
    video, audio, failed = results(
        Request(sample("tr")), Request(sample("fr2")), Request(user({"type": "video", "url": "/no/such/clip.mp4"}))
    )
    counts = video.token_counts.to_dict()
    assert counts["time_axis"] == "release"
    assert counts["frames"] == 8
    assert counts["seconds_heard"] == pytest.approx(9.5, abs=0.1)
    assert counts["seconds_heard"] == pytest.approx(counts["seconds_present"], abs=0.1)
    assert 0 < counts["output_tokens"] <= 6 < counts["input_tokens"]
    assert audio.token_counts.to_dict()["frames"] == 0
    assert failed.token_counts.to_dict()["frames"] == 0


def test_text_and_images_are_answered(answer: Any) -> None:
    from PIL import Image

    picture = {"type": "image", "url": Image.new("L", (64, 48), 200)}
    assert not any(
        response.startswith(chat.FAILURE_MARK) for response in answer(Request(user()), Request(user(picture)))
    )


def test_stop_strings_end_an_answer(answer: Any, results: Any) -> None:
    (whole,) = answer(Request(sample("hc")))
    assert len(whole) > 1
    (stopped,) = results(Request(sample("hc"), until=[whole[1]]))
    assert stopped.text == whole[: whole.index(whole[1])]
    assert stopped.token_counts.output_tokens == whole.index(whole[1]) + 1, "generation ends there"
    # In a batch, the padding after a finished response is not part of it.
    both = results(Request(sample("hc"), until=[whole[1]]), Request(sample("hc", 1), until=[whole[1]]))
    assert both[0].token_counts.output_tokens == stopped.token_counts.output_tokens
    assert both[1].token_counts.output_tokens > stopped.token_counts.output_tokens


def test_beams_and_sampling_are_honoured(model: omni.HumanSenseOmni, answer: Any) -> None:
    torch.manual_seed(0)
    sampled = {answer(Request(sample("hc"), temperature=2.0, do_sample=True))[0] for _ in range(4)}
    assert len(sampled) > 1
    asked = sample("er")
    greedy, beams = answer(Request(asked), Request(asked, num_beams=3))
    (short,) = answer(Request(asked, num_beams=3, length_penalty=0.0))
    assert len({greedy, beams, short}) == 3
    assert 0 < len(short) < len(beams)


def test_the_system_prompt_is_the_familys_unless_given(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Be brief.\n")
    asked = user()
    texts = []
    for argument in (None, str(tmp_path / "prompt.txt")):
        engine = Engine(
            read_local_settings({"pretrained": str(tiny_model), "device": "cpu", "system_prompt": argument})
        )
        texts.append(decoded(engine, asked).messages[0])
    assert "You are Qwen, a virtual human" in texts[0]["content"][0]["text"]
    assert texts[1] == {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}


def test_a_system_message_of_the_task_is_kept(model: omni.HumanSenseOmni) -> None:
    theirs = [{"role": "system", "content": "Theirs."}, *user()]
    messages = decoded(model.engine, theirs).messages
    assert [turn["role"] for turn in messages] == ["system", "user"]
    assert messages[0]["content"] == [{"type": "text", "text": "Theirs."}]


def test_the_part_of_a_clip_that_is_asked_for_is_shown(model: omni.HumanSenseOmni) -> None:
    parade = {"type": "video", "url": str(ROOT / "videos" / "count" / "parade.mp4"), "fps": 1.0}
    whole = decoded(model.engine, user(parade)).stats
    part = decoded(model.engine, user({**parade, "start_time": 5.0, "end_time": 13.0})).stats
    assert part.frames < whole.frames


def test_a_prompt_longer_than_the_context_fails_with_its_length(
    answer: Any, model: omni.HumanSenseOmni, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.engine.family, "context", 50)
    (response,) = answer(Request(sample("hc")))
    assert "PromptTooLongError: The prompt has 922 tokens and" in response
    assert "context holds 50" in response


def test_decoding_that_takes_too_long_is_given_up(tiny_model: Path) -> None:
    hurried = omni.HumanSenseOmni(str(tiny_model), device="cpu", media_timeout=1e-4)
    hurried.task_dict = {"task": {"test": [None]}}
    (result,) = hurried.generate_until([Request(sample("ld"))])
    assert result.text.startswith(f"{chat.FAILURE_MARK} StalledError: Decoding ")
    assert "took more than 0.0001 s and was given up" in result.text


def test_the_model_info_names_what_results_depend_on(model: omni.HumanSenseOmni, answer: Any) -> None:
    answer(Request(sample("hc")))
    info = model.get_model_info()
    assert info["time_axis_of_tasks"] == {"task": "release"}
    assert len(info["checkpoint"]["fingerprint"]) == 64
    assert (info["dtype"], info["attn_implementation"], info["device"]) == ("float32", "sdpa", "cpu")
    assert {"lmms_eval", "transformers", "torch", "av", "qwen-omni-utils"} <= info["versions"].keys()
    assert info["batch_size"] == 3
    assert json.loads(json.dumps(info)) == info


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"pretraind": "x"}, r"no argument 'pretraind'\. Did you mean pretrained\?"),
        ({"pretrained": "/no/such/folder"}, "pretrained=/no/such/folder is not a checkpoint that can be read"),
        ({"device": "cuda:7"}, "device=cuda:7, but torch finds no CUDA GPU"),
        ({"device": "gpu"}, "device=gpu is not a device that torch knows"),
        ({"attn_implementation": "quick"}, "attn_implementation=quick is not one that transformers knows: eager, "),
    ],
)
def test_bad_arguments_are_named(tiny_model: Path, arguments: dict[str, Any], sentence: str) -> None:
    if "cuda" in sentence and torch.cuda.is_available():
        pytest.skip("needs a machine without a GPU")
    with pytest.raises(ValueError, match=sentence):
        omni.HumanSenseOmni(**{"pretrained": str(tiny_model), "device": "cpu", **arguments})


def test_a_checkpoint_without_its_weights_is_refused_before_it_is_needed(tiny_model: Path, tmp_path: Path) -> None:
    checkpoint = Path(shutil.copytree(tiny_model, tmp_path / "checkpoint"))
    (checkpoint / "model.safetensors").rename(checkpoint / "model-1.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"lacks 1 files of weights, such as model-2.safetensors: it is not complete"):
        omni.HumanSenseOmni(str(checkpoint), device="cpu")
    (checkpoint / "model.safetensors.index.json").write_text("{")
    with pytest.raises(ValueError, match=r"model.safetensors.index.json cannot be read \(.*: the checkpoint is not"):
        omni.HumanSenseOmni(str(checkpoint), device="cpu")
    (checkpoint / "model-1.safetensors").unlink()
    with pytest.raises(ValueError, match="has no weights: no file in it ends in"):
        omni.HumanSenseOmni(str(checkpoint), device="cpu")


def test_a_checkpoint_that_cannot_be_loaded_ends_the_run_with_a_sentence(tiny_model: Path, tmp_path: Path) -> None:
    """It is loaded for the first question, where the command line still reports it as bad arguments."""
    checkpoint = Path(shutil.copytree(tiny_model, tmp_path / "checkpoint"))
    (checkpoint / "model.safetensors").write_bytes(b"cut off")
    broken = omni.HumanSenseOmni(str(checkpoint), device="cpu", media_workers=0)
    broken.task_dict = {"task": {"test": [None]}}
    with pytest.raises(SystemExit, match=f"HumanSense: pretrained={checkpoint} cannot be loaded: SafetensorError"):
        list(broken.generate_until([Request(sample("hc"))]))


@pytest.mark.parametrize("first", ["vLLM's processes", "this process"])
def test_sigterm_while_vllm_starts_ends_the_run_as_sigterm(
    tiny_model: Path, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler sends it to all processes of a job. If vLLM's end by it, this one gets an error, or waits forever."""
    starting = omni.HumanSenseOmni(str(tiny_model), device="cpu", media_workers=0)
    starting.task_dict = {"task": {"test": [None]}}

    def current() -> Any:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        if first == "this process":
            threading.Event().wait(LIMIT)
        raise ValueError("vLLM cannot run pretrained=x: RuntimeError: Engine core initialization failed.")

    monkeypatch.setattr(starting, "_current", current)
    with pytest.raises(RunStopped, match=r"The run was ended by SIGTERM\."):
        list(starting.generate_until([Request(sample("hc"))]))


@pytest.mark.parametrize("family", ["tiny_model", "tiny_qwen3", "tiny_qwen2_audio"])
@pytest.mark.parametrize("given", [{}, {"dtype": "bfloat16", "attn_implementation": "eager"}])
def test_results_say_the_same_of_a_checkpoint_before_and_after_it_is_loaded(
    family: str, given: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    made = omni.HumanSenseOmni(str(request.getfixturevalue(family)), device="cpu", media_workers=0, **given)
    before, identity = made.get_model_info(), made.identity()
    assert made._loaded is None
    assert made.engine.info == made._description
    assert made.get_model_info() == before
    assert made.identity() == identity


def test_a_checkpoint_of_another_family_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="'bert'; it runs qwen2_5_omni"):
        omni.HumanSenseOmni(pretrained=str(tmp_path))


def test_a_run_starts_without_the_failures_of_the_run_before(results: Any, model: omni.HumanSenseOmni) -> None:
    results(Request(user({"type": "video", "url": "/no/such/clip.mp4"})))
    assert len(model.failures) == 1
    results(Request(sample("hc")))
    assert model.failures == []


def test_a_model_that_was_freed_is_loaded_again_for_another_run(tiny_model: Path) -> None:
    model = omni.HumanSenseOmni(str(tiny_model), device="cpu", media_workers=1)
    model.task_dict = {"first": {"test": [None]}, "task": {"test": [None]}}
    request, other = Request(sample("tr")), Request(sample("ar"))
    other.args = (*other.args[:4], "first", "test")
    before = [result.text for result in model.generate_until([request, other])]
    engine = weakref.ref(model.engine)
    model.clean()
    assert engine() is None
    assert set(model.get_model_info()["time_axis_of_tasks"]) == {"first", "task"}
    (after,) = model.generate_until([request])
    assert after.text == before[0]
    assert set(model.get_model_info()["time_axis_of_tasks"]) == {"task"}
    assert set(model.get_model_info()["generation_of_tasks"]) == {"task"}
    model.clean()
    model.clean()


def test_a_response_can_be_taken_by_its_index(model: omni.HumanSenseOmni, answer: Any) -> None:
    requests = [Request(sample("hc")), Request(sample("ar"))]
    responses = model.generate_until(requests)
    assert len(responses) == 2
    assert [responses[1].text, responses[0].text] == answer(*requests)[::-1]


def test_a_task_of_several_steps_is_answered(model: omni.HumanSenseOmni, answer: Any) -> None:
    """lmms-eval takes the first response of each step."""
    from lmms_eval.api.instance import Instance
    from lmms_eval.evaluator import _run_generate_until_agentic

    heard = []

    def following(doc: Any, previous_output: list[str], round_idx: int, **_: Any) -> Any:
        heard.append(previous_output[-1])
        return [], "Why?", round_idx == 2, None, None

    arguments: tuple[Any, ...] = ("What is it?", {"max_new_tokens": 6}, lambda doc: [], following, 0, "task", "test")
    metadata = {"task": "task", "doc_id": 0, "repeats": 1}
    (last,) = _run_generate_until_agentic(model, [Instance("generate_until_agentic", arguments, 0, metadata)])
    first, second = answer(Request(user()), Request([{"role": "user", "content": "Why?"}]))
    assert heard == [first, second]
    assert first != second
    assert last == second


def _never() -> Any:
    raise AssertionError("the question was read")


class Unread(Request):
    """A request whose messages must not be read."""

    def __init__(self, **generation_kwargs: Any) -> None:
        super().__init__(None, **generation_kwargs)
        self.args = (self.args[0], lambda doc: _never(), *self.args[2:])


def test_values_that_cannot_be_used_are_refused_before_anything_is_asked(
    model: omni.HumanSenseOmni, results: Any
) -> None:
    with pytest.raises(SystemExit, match="HumanSense: generation_kwargs of task: max_new_tokens='abc' cannot be used"):
        model.generate_until([Unread(), Unread(max_new_tokens="abc")])
    with pytest.raises(SystemExit, match="do_sample=True contradicts temperature=0"):
        model.generate_until([Unread(temperature=0, do_sample=True)])


def test_requests_whose_messages_were_lost_are_refused(model: omni.HumanSenseOmni, results: Any) -> None:
    lost: Any = Request(None)
    lost.args = (lost.args[0], None, *lost.args[2:])
    with pytest.raises(SystemExit, match="the requests of task have no messages, because --cache_requests loses"):
        model.generate_until([lost])


def test_a_temperature_alone_samples_and_what_was_done_is_recorded(model: omni.HumanSenseOmni, answer: Any) -> None:
    torch.manual_seed(0)
    of_the_task = {"do_sample": False, "num_beams": 1, "until": []}
    sampled = {answer(Request(sample("hc"), temperature=2, **of_the_task))[0] for _ in range(4)}
    assert len(sampled) > 1
    recorded = model.get_model_info()["generation_of_tasks"]["task"]
    assert recorded == {"do_sample": True, "temperature": 2.0, "max_new_tokens": 6, "num_beams": 1, "until": []}
    answer(Request(sample("hc"), temperature=0, **of_the_task))
    assert model.generation_of_tasks["task"]["do_sample"] is False


def test_a_system_instruction_is_the_system_prompt_and_a_remark_says_what_it_replaces(
    tiny_model: Path, model: omni.HumanSenseOmni, results: Any
) -> None:
    given = omni.HumanSenseOmni(str(tiny_model), device="cpu", system_prompt="Be brief.")
    given.task_dict = model.task_dict
    (expected,) = given.generate_until([Request(sample("hc"))])
    (usual,) = results(Request(sample("hc")))
    said: list[str] = []
    number = logger.add(said.append, level="WARNING", format="{message}")
    try:
        model.use_system_instruction("Be brief.")
        assert [result.text for result in results(Request(sample("hc")))] == [expected.text]
        (instructed,) = results(Request(sample("hc")))
        assert model.get_model_info()["system_prompt"] == "Be brief."
    finally:
        model.use_system_instruction(None)
        logger.remove(number)
    assert instructed.token_counts.input_tokens == expected.token_counts.input_tokens
    assert usual.token_counts.input_tokens != instructed.token_counts.input_tokens
    (remark,) = [line for line in said if "system_instruction" in line]
    assert "--system_instruction is the system message of this run, in place of 'You are Qwen, a virtual" in remark
    assert "not comparable with the paper's" in remark
    assert results(Request(sample("hc")))[0].text == usual.text
    assert model.get_model_info()["system_prompt"].startswith("You are Qwen")
    with pytest.raises(SystemExit, match="system_prompt= and --system_instruction are the same; give one of them"):
        given.use_system_instruction("Be long.")
    with pytest.raises(SystemExit, match="HumanSense: --system_instruction is empty"):
        model.use_system_instruction(" ")


def test_bad_arguments_of_the_command_line_end_the_run(tiny_model: Path) -> None:
    with pytest.raises(SystemExit, match="HumanSense: batch_size is in --model_args; use --batch_size instead"):
        omni.HumanSenseOmni.create_from_arg_string("pretrained=x,batch_size=2", {"batch_size": 1, "device": None})
    model = omni.HumanSenseOmni.create_from_arg_string(f"pretrained={tiny_model},time_axis=true", {"batch_size": 1})
    assert model.settings.time_axis == "true"


def test_log_likelihoods_are_refused(model: omni.HumanSenseOmni) -> None:
    with pytest.raises(NotImplementedError, match="log-likelihoods"):
        model.loglikelihood([])


def test_the_hint_of_the_release_is_followed() -> None:
    (turn,) = read_messages(sample("hc"))
    (video,) = [part for part in turn.parts if isinstance(part, VideoPart)]
    assert video.rule == FrameRule(fps=sample("hc")[0]["content"][0]["fps"], max_pixels=360 * 420)
    assert not video.true_time


def test_the_progress_is_told_after_each_response(
    model: omni.HumanSenseOmni, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Progress] = []
    monkeypatch.setattr(model, "on_progress", told.append)
    answer(Request(sample("hc")), Request(sample("fr2", 1)), Request(sample("hc", 2)))
    assert [each.done for each in told] == [0, 1, 2, 3, 3]
    assert {each.total for each in told} == {3}
    assert 0 < (told[-1].busy or 0) <= 1
    assert told[-1].truncated == model.truncated.total()
    assert (told[-1].failed, told[-1].recalled, told[-1].kept) == (0, 0, 0)


def test_other_processes_than_the_first_count_their_responses(
    model: omni.HumanSenseOmni, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Progress] = []
    monkeypatch.setattr(model, "on_progress", told.append)
    monkeypatch.setattr(model, "_rank", 1)
    answer(Request(sample("hc")))
    assert [each.done for each in told] == [0, 1, 1]
