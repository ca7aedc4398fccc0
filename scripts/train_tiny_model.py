#!/usr/bin/env python3
"""Train the tiny Qwen2.5-Omni on drawn and spoken scenes, so that it answers questions about the demo's small world.

It learns in five stages (`tiny_stages.py`). The first three share no weights, so they can run at the same time in
several processes, each with --only. The state of each is written now and then, and the same command continues from
there. A training with another seed or size, or of other scenes, is refused in the same folder. The same seed, number of
threads and libraries give the same weights. espeak-ng is needed.

    python scripts/train_tiny_model.py OUT --only eyes &
    python scripts/train_tiny_model.py OUT --only ears && python scripts/train_tiny_model.py OUT --only words
    wait; python scripts/train_tiny_model.py OUT --threads 2

The weights in the package were made by these commands.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import typer
from make_sample import SampleError, check_tools
from tiny_learning import Writer, give_meanings, new_model, save, write_config
from tiny_stages import Ears, Eyes, Progress, Together, Words
from tqdm import tqdm
from training_inputs import SpeechBank
from training_states import VOICES, OtherTrainingError, Training, refuse_others, save_state

SAVE_EVERY = 50  # steps
WARM_UP = 40  # steps
LEAST_RATE = 0.03  # of the highest one, at the end of a stage
EACH = 8  # voices for each line and kind of person

Stage = Words | Eyes | Ears | Together


def rate(stage: Stage, step: int) -> float:
    """The learning rate of a step: it rises, and then falls as a cosine."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / stage.steps))
    return stage.rate * min(1.0, (step + 1) / WARM_UP) * max(LEAST_RATE, cosine)


def learn(stage: Stage, optimizer: torch.optim.Optimizer, step: int) -> Progress:
    """One step of a stage."""
    for group in optimizer.param_groups:
        group["lr"] = rate(stage, step)
    progress = stage.step(step)
    optimizer.zero_grad()
    progress.loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(stage.parameters, 1.0)
    optimizer.step()
    return progress


def train(stage: Stage, training: Training, file: Path) -> None:
    """Run a stage of a training, from its state in `file` on if there is one."""
    optimizer = torch.optim.AdamW(stage.parameters, lr=stage.rate, betas=(0.9, 0.98), weight_decay=0.02)
    start = 0
    if file.exists():
        state = torch.load(file)
        start = state["step"]
        optimizer.load_state_dict(state["optimizer"])
        with torch.no_grad():
            for parameter, value in zip(stage.parameters, state["parameters"], strict=True):
                parameter.copy_(value)
    with tqdm(initial=start, total=stage.steps, desc=stage.name, dynamic_ncols=True) as bar:
        for step in range(start, stage.steps):
            progress = learn(stage, optimizer, step)
            bar.update()
            bar.set_postfix({"loss": f"{progress.loss.item():.3f}", **progress.shown})
            if (step + 1) % SAVE_EVERY == 0 or step + 1 == stage.steps:
                parameters = [parameter.detach() for parameter in stage.parameters]
                state = {"step": step + 1, "parameters": parameters, "optimizer": optimizer.state_dict()}
                save_state(state, training, file)


def main(
    out: Annotated[Path, typer.Argument(help="The folder for the checkpoint and the states of the training.")],
    seed: Annotated[int, typer.Option(help="Chooses weights, scenes, voices and orders.")] = 0,
    size: Annotated[float, typer.Option(help="Steps, as a multiple of the usual number.")] = 1.0,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 1,
    only: Annotated[str, typer.Option(help="Run one stage alone: eyes, ears or words.")] = "",
) -> None:
    """Train the tiny model."""
    training = Training(seed, size)
    try:
        check_tools()
        refuse_others(out, training)
    except (SampleError, OtherTrainingError) as error:
        raise SystemExit(f"train_tiny_model: {error}") from error
    torch.set_num_threads(threads)
    write_config(out)
    model = new_model(out, seed)
    writer = Writer(out, model)
    give_meanings(model, writer.tokenizer)
    name = f"train {seed}"

    def steps(usual: int) -> int:
        return max(1, round(usual * size))

    def bank() -> SpeechBank:
        return SpeechBank(out / VOICES, EACH, name, training)

    stages: dict[str, Callable[[], Stage]] = {
        "eyes": lambda: Eyes(writer, model, name, steps(1500), batch=16),
        "ears": lambda: Ears(writer, model, bank(), name, steps(400), batch=24),
        "words": lambda: Words(writer, model, name, steps(600), batch=30, short=True),
        "prompts": lambda: Words(writer, model, name, steps(200), batch=15, short=False),
        "together": lambda: Together(writer, model, bank(), name, steps(80), batch=15),
    }
    if only and only not in ("eyes", "ears", "words"):
        raise SystemExit(f"train_tiny_model: --only {only} is not a stage that runs alone: eyes, ears or words.")
    for stage in [only] if only else stages:
        train(stages[stage](), training, out / f"{stage}.pt")
    if not only:
        save(model, out)
        print(f"{out / 'model.safetensors'}: {(out / 'model.safetensors').stat().st_size:,} bytes")


if __name__ == "__main__":
    typer.run(main)
