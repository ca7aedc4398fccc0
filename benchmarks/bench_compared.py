"""What `throughput.py` compares: all systems with one checkpoint, and the clips that they are asked about."""

import time
from pathlib import Path
from typing import Any

from bench_camera import make_clips
from bench_checks import refuse_equal_pictures, refuse_other_inputs
from bench_package import Filling, ModelAlone, ThisPackage, this_package
from bench_sized import make_sized
from bench_systems import LmmsEvalWrapper, ReleaseLoop, System, provide_ffmpeg
from bench_workloads import FORMS, WORKLOADS, Counts, write_release

from lmms_humansense.demo.tiny_model import write_tiny_model
from lmms_humansense.tasks.humansense import utils

WITH_STORE = ("distinct", "shared")
"""The workloads that are also asked with a store of clips."""


class Compared:
    """All systems with one checkpoint, warmed up, and the docs of all workloads.

    Args:
        folder: An empty folder.
        count: How many questions there are.
        gpu_sized: Whether the model has the size of the 7B, on a GPU.
    """

    def __init__(self, folder: Path, count: Counts, gpu_sized: bool) -> None:
        self.count = count
        device = "cuda" if gpu_sized else "cpu"
        provide_ffmpeg(folder)
        checkpoint = write_tiny_model(folder / "checkpoint")
        if gpu_sized:
            make_sized(checkpoint)
        self.bit_rates: dict[str, float] = {}
        self.docs = self._docs(folder)
        release = ReleaseLoop(checkpoint, device)
        self.others: list[System] = [release, LmmsEvalWrapper(checkpoint, device)]
        self.ours = this_package(checkpoint, device)
        refuse_other_inputs(release, self.ours, self.docs["distinct"][0])
        (folder / "store").mkdir()
        with_store = this_package(checkpoint, device, media_cache=str(folder / "store"))
        self._with_store = Filling(with_store.omni, "filling"), ThisPackage(with_store.omni, "stored")
        stored = self._with_store[1]
        self._alone = ModelAlone(stored, "model alone"), ModelAlone(stored, "model, 1 thread", threads=1)
        self._warm_up()

    def asked(self, workload: str) -> list[tuple[System, int]]:
        """The systems of a workload, in the order of a round, and how many questions each is asked."""
        systems: list[tuple[System, int]] = [(system, self.count.others) for system in self.others]
        ours: list[System] = [self.ours]
        if workload in WITH_STORE:
            ours += [*self._with_store, *self._alone]
        return systems + [(system, self.count.ours) for system in ours]

    def clean(self) -> None:
        """End all workers."""
        self.ours.omni.clean()
        self._with_store[0].omni.clean()

    def _docs(self, folder: Path) -> dict[str, Any]:
        """Make the clips and the releases: one for each workload, and `memory`, where clips have several names."""
        clips = {}
        for name, form in FORMS.items():
            clips[name] = [folder / f"{name}_{number:03}.mp4" for number in range(self.count.ours)]
            started = time.perf_counter()
            rate = self.bit_rates[name] = make_clips(clips[name], form)
            clip = f"{form.seconds} s at {form.width}x{form.height}"
            spent = time.perf_counter() - started
            print(f"{len(clips[name])} clips of {clip}, {rate:.1f} Mbit/s, made in {spent:.0f} s", flush=True)
        releases = {
            name: (form, self.count.ours // questions, questions) for name, (form, questions) in WORKLOADS.items()
        }
        releases["memory"] = ("long", self.count.memory[1], 1)
        for name, (kind, names, questions) in releases.items():
            write_release(folder / name, clips[kind], FORMS[kind].seconds, names, questions)
        return {name: utils.docs("TR", str(folder / name), complete=False) for name in releases}

    def _warm_up(self) -> None:
        """Let libraries load and workers start, and look at what is shown of the clips."""
        for system in [*self.others, self.ours]:
            system.answer(self.docs["short"], range(min(4, self.count.ours)))
        numbers = range(self.count.ours)
        self._with_store[0].answer(self.docs["distinct"], numbers)
        refuse_equal_pictures(self._with_store[1], self.docs["distinct"], numbers)
