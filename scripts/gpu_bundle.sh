#!/bin/bash
# Collects the wheels that scripts/gpu_check.py needs on a GPU machine without a network, in portions that can be copied
# one by one. Run it where there is a package index, with the environment of this project:
#
#     scripts/gpu_bundle.sh FOLDER [PYTHON_VERSION] [PLATFORM]      (3.12, x86_64)
#
# FOLDER/check has the wheels for the parts tests, batches, run, memory and think; FOLDER/compare-1, -2, … those that
# wrapper and processes need in addition (lmms-eval and its dependencies, an ffmpeg program, this package itself, because
# lmms-eval finds the model by its entry points). No portion is larger than 60 MiB. The
# versions are those installed here. Packages that such a machine has are not collected: torch, torchvision,
# transformers, accelerate, numpy, scipy, pandas and the like (docs/gpu.md lists them). On that machine:
#
#     python3 -m pip install --no-index --no-deps --target /tmp/site FOLDER/*/*.whl && export PYTHONPATH=/tmp/site
set -euo pipefail

folder=${1:?usage: scripts/gpu_bundle.sh FOLDER [PYTHON_VERSION] [PLATFORM]}
python_version=${2:-3.12}
platform=${3:-x86_64}
python=${PYTHON:-python}
most=$((60 * 1024 * 1024))

check=(av qwen-omni-utils librosa soxr soundfile audioread cffi pycparser pooch platformdirs decorator loguru
    pydantic pydantic_core annotated-types typing-inspection typing_extensions)
# The imports of lmms-eval and its qwen2_5_omni, fewer than their requirements; ImageIO's newer ffmpeg is too large.
compare=(lmms_eval datasets dill multiprocess tenacity evaluate pytz decord moviepy proglog python-dotenv nltk numexpr
    zstandard pytablewriter DataProperty mbstrdecoder pathvalidate tabledata tcolorpy typepy chardet portalocker
    imageio-ffmpeg==0.6.0)

platforms=()
for tag in manylinux_2_34 manylinux_2_31 manylinux_2_28 manylinux_2_27 manylinux_2_24 manylinux_2_17 manylinux2014 \
    manylinux_2_12 manylinux2010 manylinux_2_5 manylinux1; do
    platforms+=(--platform "${tag}_${platform}")
done

# The wheel of one package, in the version that is installed here, else the newest.
gather() {
    local name=$1 into=$2 version
    version=$("$python" -c 'import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))' "$name" \
        2>/dev/null) && name="$name==$version"
    "$python" -m pip download -qq --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version "$python_version" --implementation cp "${platforms[@]}" -d "$into" "$name" ||
        # For packages that are published only as source and are pure Python.
        "$python" -m pip wheel -qq --disable-pip-version-check --no-deps -w "$into" "$name" ||
        echo "no wheel of $name" >&2
}

mkdir -p "$folder/check"
for name in "${check[@]}"; do
    gather "$name" "$folder/check"
done

loose=$(mktemp -d)
trap 'rm -rf "$loose"' EXIT
for name in "${compare[@]}"; do
    gather "$name" "$loose"
done
"$python" -m pip wheel -qq --disable-pip-version-check --no-deps -w "$loose" "$(dirname "$0")/.."
number=1 size=0
for wheel in "$loose"/*.whl; do
    bytes=$(stat -c %s "$wheel")
    if ((size + bytes > most)); then
        number=$((number + 1)) size=0
    fi
    mkdir -p "$folder/compare-$number"
    mv "$wheel" "$folder/compare-$number/"
    size=$((size + bytes))
done

for portion in "$folder"/*/; do
    echo "$portion: $(du -cb "$portion"*.whl | tail -n 1 | awk '{printf "%.1f MiB", $1 / 1048576}')"
    (cd "$portion" && stat -c '%s %n' *.whl | awk '{printf "    %6.1f MiB  %s\n", $1 / 1048576, $2}')
done
