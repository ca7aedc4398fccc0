#!/usr/bin/env python3
"""Train the tiny Qwen2.5-Omni on drawn and spoken scenes, so that it answers the embedded sample's kind of questions.

It learns in four stages (`tiny_stages.py`). Its state is written now and then, and the same command continues from
there. The same seed, number of threads and libraries give the same weights. espeak-ng is needed.

    python scripts/train_tiny_model.py OUT [--seed 0] [--size 1.0]
"""

import math
import random
import tempfile
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from make_sample import SampleError, check_tools
from tiny_learning import Writer, give_meanings, new_model, save, write_config
from tiny_stages import Ears, Eyes, Progress, Together, Words
from tqdm import tqdm
from training_inputs import SpeechBank

STATE = "training.pt"
SAVE_EVERY = 50  # steps
WARM_UP = 40  # steps
LEAST_RATE = 0.03  # of the highest one, at the end of a stage

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


def train(stages: list[Stage], model: Any, file: Path) -> None:
    """Run the stages one after the other, from the state in `file` on if there is one."""
    state = torch.load(file) if file.exists() else None
    first, begin = (state["stage"], state["step"]) if state else (0, 0)
    if state:
        model.load_state_dict(state["model"])
    for number in range(first, len(stages)):
        stage = stages[number]
        optimizer = torch.optim.AdamW(stage.parameters, lr=stage.rate, betas=(0.9, 0.98), weight_decay=0.02)
        if state and number == first:
            optimizer.load_state_dict(state["optimizer"])
        start = begin if number == first else 0
        with tqdm(initial=start, total=stage.steps, desc=stage.name, dynamic_ncols=True) as bar:
            for step in range(start, stage.steps):
                progress = learn(stage, optimizer, step)
                bar.update()
                bar.set_postfix({"loss": f"{progress.loss.item():.3f}", **progress.shown})
                if (step + 1) % SAVE_EVERY == 0 or step + 1 == stage.steps:
                    keep({"stage": number, "step": step + 1, "model": model.state_dict(),
                          "optimizer": optimizer.state_dict()}, file)  # fmt: skip


def keep(state: dict[str, Any], file: Path) -> None:
    """Write the state, so that at every moment there is a whole one."""
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as scratch:
        torch.save(state, scratch)
    Path(scratch.name).replace(file)


def main(
    out: Annotated[Path, typer.Argument(help="The folder for the checkpoint and the state of the training.")],
    seed: Annotated[int, typer.Option(help="Chooses weights, scenes, voices and orders.")] = 0,
    size: Annotated[float, typer.Option(help="Steps, as a multiple of the usual number.")] = 1.0,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
) -> None:
    """Train the tiny model."""
    try:
        check_tools()
    except SampleError as error:
        raise SystemExit(f"train_tiny_model: {error}") from error
    torch.set_num_threads(threads)
    random.seed(seed)
    write_config(out)
    model = new_model(out, seed)
    writer = Writer(out, model)
    give_meanings(model, writer.tokenizer)
    name = f"train {seed}"
    bank = SpeechBank(out / "voices.npz", voices=4, seed=name)

    def steps(usual: int) -> int:
        return max(1, round(usual * size))

    stages: list[Stage] = [
        Words(writer, model, name, steps(3000), batch=24, easy=steps(400)),
        Eyes(writer, model, name, steps(4000), batch=16),
        Ears(writer, model, bank, name, steps(3000), batch=12),
        Together(writer, model, bank, name, steps(400), batch=8),
    ]
    train(stages, model, out / STATE)
    save(model, out)
    print(f"{out / 'model.safetensors'}: {(out / 'model.safetensors').stat().st_size:,} bytes")


if __name__ == "__main__":
    typer.run(main)
