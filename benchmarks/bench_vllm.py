"""Think questions per second with vLLM and with `generate`, side by side; and the CPU seconds that media cost.

Needs the environment of `scripts/vllm_env.sh`, and these variables: VLLM_CPU_KVCACHE_SPACE=2, VLLM_CPU_OMP_THREADS_BIND
=nobind and OMP_NUM_THREADS=1, so that both have one thread.

    FOLDER/bin/python benchmarks/bench_vllm.py [--tiny] [--questions 32] [--rounds 2]

The model is a random Qwen2.5-Omni thinker of 50 million parameters (`--tiny`: of half a million), in float32. Answer
lengths are drawn from 32 to 512 tokens. `generate` works on a batch until its longest answer ends, so each batch gets
the length of its longest; vLLM gets each length itself.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lmms_humansense.demo import tiny_model
from lmms_humansense.demo.tiny_recipes import RECIPES
from lmms_humansense.models.local.batching import pick_batch
from lmms_humansense.models.local.encoder import LocalEncoder
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.runtime.ledger import Ledger
from lmms_humansense.models.runtime.request import Request
from lmms_humansense.models.runtime.settings import RunSettings
from lmms_humansense.models.runtime.signals import SigtermGuard
from lmms_humansense.models.vllm.encoder import VllmEncoder
from lmms_humansense.models.vllm.engine import VllmEngine, plan
from lmms_humansense.models.vllm.runner import VllmRunner
from lmms_humansense.models.vllm.settings import read_vllm_settings
from lmms_humansense.tasks import humansense_sample
from lmms_humansense.tasks.humansense import data, messages
from lmms_humansense.tasks.humansense.taxonomy import BY_CODE
from lmms_humansense.tasks.humansense.variants import BY_NAME

BATCH = 16
SHORTEST, LONGEST = 32, 512
SAMPLE = Path(str(humansense_sample.__file__)).parent
THINK = BY_NAME["think"]


def main() -> None:
    """Measure, and print a line for each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="half a million parameters instead of 50")
    parser.add_argument("--questions", type=int, default=2 * BATCH, metavar="N", help="questions of a round (32)")
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="rounds (2)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        checkpoint = write_checkpoint(Path(work, "model"), *((64, 2) if arguments.tiny else (640, 9)))
        measure(checkpoint, arguments.questions, arguments.rounds)


def write_checkpoint(folder: Path, width: int, layers: int) -> Path:
    """Write a random thinker whose text model has this width and number of layers, and heads of 32 or 64 numbers."""
    heads, head = (2, 32) if width == 64 else (width // 64, 64)
    text = {
        "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": max(1, heads // 5), "intermediate_size": 4 * width,
        "rope_scaling": {"mrope_section": [head // 8, head * 3 // 16, head * 3 // 16], "rope_type": "default",
                         "type": "default"},
    }  # fmt: skip
    towers = {"d_model": 64, "hidden_size": 64, "output_dim": width, "out_hidden_size": width}
    recipe = RECIPES["qwen2_5_omni"]

    def settings(ids: dict[str, int]) -> dict[str, dict[str, Any]]:
        made = recipe.settings(ids)
        thinker = made["config.json"]["thinker_config"]
        for name in ("audio_config", "vision_config"):
            thinker[name] = {key: towers.get(key, value) for key, value in thinker[name].items()}
        thinker["text_config"] = {**thinker["text_config"], **text}
        return made

    folder.mkdir(parents=True)
    tiny_model._write_files(folder, 0, replace(recipe, settings=settings))
    return folder


def measure(checkpoint: Path, count: int, rounds: int) -> None:
    """Answer the same questions with both, in turns."""
    local = Engine(read_local_settings({"pretrained": str(checkpoint), "device": "cpu", "nframes": 4}))
    settings = read_vllm_settings(
        {"pretrained": str(checkpoint), "max_num_seqs": BATCH, "media_workers": 0, "nframes": 4}
    )
    served = VllmEngine(settings, plan(settings))
    parameters = sum(one.numel() for one in local.family.model.parameters())
    print(f"{parameters / 1e6:.1f} million parameters, {count} questions, answers of {SHORTEST} to {LONGEST} tokens")
    docs = [doc for code in BY_CODE for doc in data.load(code, str(SAMPLE), complete=False)]
    chooser = random.Random(0)
    asked = [docs[number % len(docs)] for number in range(count)]
    lengths = [chooser.randint(SHORTEST, LONGEST) for _ in asked]
    requests = [
        Request("think", number, {"max_new_tokens": length, "min_new_tokens": length}, partial(_messages, doc))
        for number, (doc, length) in enumerate(zip(asked, lengths, strict=True))
    ]
    print_media_costs(local, served, requests)
    for number in range(rounds):
        seconds = {
            "generate": timed(lambda: generate(local, requests)),
            "vllm": timed(lambda: with_vllm(served, requests)),
        }
        rates = {name: count / taken for name, taken in seconds.items()}
        shown = ", ".join(f"{name} {rate:.3f} questions/s" for name, rate in rates.items())
        print(f"round {number + 1}: {shown}; {rates['vllm'] / rates['generate']:.2f} times as many", flush=True)
    served.close()


def _messages(doc: Any) -> list[dict[str, Any]]:
    media = str(data.local_media(doc))
    video, sound = media if THINK.sees(doc) else None, media if THINK.hears(doc) else None
    return messages.build(doc, video, sound, THINK.prompt(doc))


def generate(engine: Engine, requests: Sequence[Request]) -> None:
    """Answer the requests in batches of prompts of similar length, as `local.runner` does."""
    results = engine.encoder.encode([engine.encoder.read(request.messages()) for request in requests])
    waiting = [(result.encoded, request.generation_kwargs) for result, request in zip(results, requests, strict=True)]
    while waiting:
        prompts: list[Any] = [prompt for prompt, _ in waiting]
        chosen = pick_batch(prompts, BATCH)
        longest = max(waiting[index][1]["max_new_tokens"] for index in chosen)
        kwargs: Mapping[str, int] = {"max_new_tokens": longest, "min_new_tokens": longest}
        engine.respond([prompts[index] for index in chosen], kwargs)
        waiting = [one for index, one in enumerate(waiting) if index not in chosen]


def with_vllm(engine: VllmEngine, requests: Sequence[Request]) -> None:
    """Answer the requests, as a run does."""
    runner = VllmRunner(engine, None, Ledger(RunSettings(), len(requests)), SigtermGuard())
    responses = list(runner.run(requests))
    assert [response.output_tokens for response in responses] == [
        request.generation_kwargs["max_new_tokens"] for request in requests
    ]


def print_media_costs(local: Engine, served: VllmEngine, requests: Sequence[Request]) -> None:
    """Print the CPU seconds of this process for the media of all requests, each asked alone and shown as usual."""
    ours = LocalEncoder(replace(local.settings, nframes=None), "qwen2_5_omni")
    theirs = VllmEncoder(replace(served.settings, nframes=None), "qwen2_5_omni")
    conversations = [ours.read(request.messages()) for request in requests]

    def ask_local() -> None:
        for conversation in conversations:
            ours.encode([conversation])

    def ask_vllm() -> list[Any]:
        return [theirs.encode([conversation])[0].encoded for conversation in conversations]

    def give(prompts: Sequence[Any]) -> None:
        for number, prompt in enumerate(prompts):
            served.add(f"media-{number}", prompt, {"max_new_tokens": 1})
            served.abort([f"media-{number}"])

    give(ask_vllm())  # the first time, libraries are loaded
    costs = [cpu(ask_local), cpu(ask_vllm), cpu(partial(give, ask_vllm()))]
    print(
        f"media: {costs[0]:.2f} CPU seconds for generate; for vLLM {costs[1]:.2f}, and {costs[2]:.2f} to give them to "
        f"its process: {sum(costs[1:]) / costs[0]:.2f} times as many",
        flush=True,
    )


def timed(work: Callable[[], Any]) -> float:
    """The seconds that the work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def cpu(work: Callable[[], Any]) -> float:
    """The CPU seconds of this process that the work takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
