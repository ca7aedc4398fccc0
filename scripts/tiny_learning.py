"""The tiny model that learns: its size, its tokenizer, and its inputs as tensors."""

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from training_inputs import NUMBER, SAMPLES_A_SECOND, answer, prompt
from training_scenes import CONCEPTS, MAKERS, Example, meanings, random_example

from lmms_humansense.demo.tiny_recipes import RECIPES
from lmms_humansense.demo.tiny_tokenizer import EOS, TRAINING_LINES, write_tokenizer
from lmms_humansense.models.inputs.decoding import DecodedConversation
from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.models.local.families.qwen2_5_omni import Qwen25Omni

HIDDEN = 128
TEXT = {"hidden_size": HIDDEN, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 256}  # fmt: skip
VISION = {"hidden_size": 64, "depth": 3, "num_heads": 2, "intermediate_size": 128, "fullatt_block_indexes": [0, 1, 2],
          "out_hidden_size": HIDDEN}  # fmt: skip
AUDIO = {"d_model": 96, "encoder_layers": 3, "encoder_attention_heads": 3, "encoder_ffn_dim": 192,
         "output_dim": HIDDEN}  # fmt: skip
VOCABULARY = 1200  # enough for every word of the questions
WRONG = "<|endoftext|>"  # what the model says at the end of a wrong option while it learns
SCALE = 4.0  # the length of the direction of an attribute


def write_config(folder: Path) -> None:
    """Write everything but the weights of the checkpoint."""
    recipe = RECIPES["qwen2_5_omni"]
    folder.mkdir(parents=True, exist_ok=True)
    texts = [prompt(random_example(code, f"words {k}")) for code in MAKERS for k in range(120)]
    ids = write_tokenizer(folder / "tokenizer.json", recipe.special_tokens, (*TRAINING_LINES * 30, *texts), VOCABULARY)
    for name, settings in copy.deepcopy(recipe.settings(ids)).items():
        if name == "config.json":
            thinker = settings["thinker_config"]
            thinker["text_config"].update(TEXT)
            thinker["text_config"]["rope_scaling"] = {
                **thinker["text_config"]["rope_scaling"],
                "mrope_section": [4, 6, 6],
            }
            thinker["vision_config"].update(VISION)
            thinker["audio_config"].update(AUDIO)
        (folder / name).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "chat_template.jinja").write_text(recipe.chat_template, encoding="utf-8")


def new_model(folder: Path, seed: int) -> Any:
    """The thinker that `folder` configures, with random weights."""
    from transformers import AutoConfig, Qwen2_5OmniThinkerForConditionalGeneration

    torch.manual_seed(seed)
    config = AutoConfig.from_pretrained(folder).thinker_config
    model = Qwen2_5OmniThinkerForConditionalGeneration(config)
    for name, parameter in model.named_parameters():
        if parameter.dim() >= 2:
            fan = parameter[0].numel()
            torch.nn.init.normal_(parameter, std=0.5 if "embed_tokens" in name else fan**-0.5)
        elif name.endswith("bias"):
            torch.nn.init.zeros_(parameter)
    return model


def directions(seed: int = 0) -> torch.Tensor:
    """The direction of each attribute in the text model's space, of shape (attributes, hidden), all orthogonal."""
    generator = torch.Generator().manual_seed(seed)
    basis, _ = torch.linalg.qr(torch.randn(HIDDEN, HIDDEN, generator=generator))
    return basis[: len(CONCEPTS)] * SCALE


SLOW = [*range(7, 16), *range(23, 32)]  # numbers of a head that a rotation of hundreds of positions hardly changes
MATCH = 0.22  # the size of the weights by which words look for what they name


def give_meanings(model: Any, tokenizer: Any) -> None:
    """Let words begin with what they name, and let half of the heads of two layers look for it among the media.

    This saves most of the training: at random weights, nothing in a gradient says that words and media are to be
    compared. A word gets the directions of what it names, rotated, so that it is found in media and not in itself.
    """
    rows = directions()
    named: dict[int, set[str]] = {}
    for text, attribute in meanings():
        for word in {text, f" {text}", f" {text[0].lower()}{text[1:]}"}:
            for token in tokenizer(word).input_ids:
                named.setdefault(token, set()).add(attribute)
    generator = torch.Generator().manual_seed(1)
    rotation, _ = torch.linalg.qr(torch.randn(HIDDEN, HIDDEN, generator=generator))
    text_model = model.model.language_model
    with torch.no_grad():
        for token, attributes in named.items():
            if len(attributes) <= 2:
                meaning = rows[[NUMBER[attribute] for attribute in attributes]].sum(0) / len(attributes)
                text_model.embed_tokens.weight[token] += meaning @ rotation
        size = HIDDEN // TEXT["num_attention_heads"]
        for layer in text_model.layers[:2]:
            keys, queries = layer.self_attn.k_proj.weight, layer.self_attn.q_proj.weight
            for head in range(TEXT["num_key_value_heads"]):
                looks = torch.zeros(size, HIDDEN)
                looks[SLOW] = torch.randn(len(SLOW), HIDDEN, generator=generator) * MATCH
                keys[head * size : (head + 1) * size] = looks
                queries[2 * head * size : (2 * head + 1) * size] = looks @ rotation


@dataclass
class Item:
    """One example as the text model takes it.

    Attributes:
        ids: (tokens,), prompt and answer.
        positions: (3, tokens).
        says: (tokens,), what the model should say after each token, -100 where that does not matter.
        final: The index of the last token of the prompt.
        media: (media tokens,) indices of the media tokens in `ids`.
        targets: (media tokens, attributes).
        encoded: The inputs of the towers, if media are real.
    """

    code: str
    ids: torch.Tensor
    positions: torch.Tensor
    says: torch.Tensor
    final: int
    media: torch.Tensor
    targets: torch.Tensor
    encoded: dict[str, torch.Tensor] = field(default_factory=dict)


class Writer:
    """Makes items with the project's own encoder."""

    def __init__(self, folder: Path, model: Any) -> None:
        self.family = Qwen25Omni(str(folder), "qwen2_5_omni")
        self.tokenizer = self.family.processor.tokenizer
        self.model = model
        vocabulary = self.tokenizer.get_vocab()
        self.letters = {name: vocabulary[name] for name in "ABCDE0123456789"}
        self.eos, self.wrong = vocabulary[EOS], vocabulary[WRONG]
        self.video, self.audio = vocabulary["<|VIDEO|>"], vocabulary["<|AUDIO|>"]
        self.question = vocabulary["Question"]
        self.newlines = [number for token, number in vocabulary.items() if token.endswith("Ċ")]

    def encode(self, text: str, video: torch.Tensor | None, sound: NDArray[np.float32] | None) -> EncodedPrompt:
        """What `models.inputs.decoding.decode` and the family make of a question with these media."""
        shown: list[dict[str, Any]] = []
        shown += [{"type": "video"}] if video is not None else []
        shown += [{"type": "audio"}] if sound is not None and video is None else []
        system = {"role": "system", "content": [{"type": "text", "text": self.family.system_prompt}]}
        user = {"role": "user", "content": [*shown, {"type": "text", "text": text}]}
        decoded = DecodedConversation(
            messages=[system, user],
            videos=[] if video is None else [video],
            rates=[] if video is None else [None],
            sounds=[] if sound is None else [sound],
            sound_of_video=[] if sound is None else [None if video is None else 0],
        )
        return self.family.encode(decoded)

    def pixels(self, videos: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        """The inputs of the vision tower for frames."""
        result = self.family.processor.video_processor(videos=list(videos), return_tensors="pt", do_sample_frames=False)
        return dict(result)

    def mel(self, samples: NDArray[np.float32]) -> torch.Tensor:
        """The input of the audio tower for a sound at 16 kHz, of shape (mel bins, mel frames)."""
        window = self.family.audio_arguments(DecodedConversation(sounds=[samples]))
        result = self.family.processor.feature_extractor(
            samples, sampling_rate=SAMPLES_A_SECOND, padding="max_length", return_attention_mask=True,
            return_tensors="pt", **window,
        )  # fmt: skip
        features: torch.Tensor = result["input_features"][0][:, result["attention_mask"][0].bool()]
        return features

    def positions(self, encoded: EncodedPrompt) -> torch.Tensor:
        """The positions of the tokens of a prompt, of shape (3, tokens)."""
        tensors = encoded.tensors
        mask = tensors.get("feature_attention_mask")
        positions, _ = self.model.model.get_rope_index(
            tensors["input_ids"], None, tensors.get("video_grid_thw"), tensors["attention_mask"],
            encoded.has_heard_video, None if mask is None else mask.sum(-1), tensors.get("video_second_per_grid"),
        )  # fmt: skip
        return positions[:, 0].long()

    @lru_cache(maxsize=256)  # noqa: B019, one writer lives as long as the program
    def _layout(self, size: tuple[int, ...] | None, samples: int | None) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Ids and positions of a prompt without text, and where its text would begin."""
        video = None if size is None else torch.zeros(size, dtype=torch.uint8)
        sound = None if samples is None else np.zeros(samples, np.float32)
        encoded = self.encode("", video, sound)
        ids = encoded.tensors["input_ids"][0]
        return ids, self.positions(encoded), int((ids == self.eos).nonzero()[-1])

    def item(self, example: Example, size: tuple[int, ...] | None, samples: int | None, text: str = "") -> Item:
        """An item with media of a size, which are not encoded."""
        ids, positions, at = self._layout(size, samples)
        words = torch.tensor(self.tokenizer(text or prompt(example)).input_ids)
        tail = len(ids) - at
        rest = positions[:, at - 1].max() + 1 + torch.arange(len(words) + tail)
        ids = torch.cat([ids[:at], words, ids[at:]])
        positions = torch.cat([positions[:, :at], rest.expand(3, -1)], 1)
        return self._with_answer(example, ids, positions, at)

    def _with_answer(self, example: Example, ids: torch.Tensor, positions: torch.Tensor, at: int) -> Item:
        reply = [self.letters[letter] for letter in answer(example)]
        final = len(ids) - 1
        says = torch.full((len(ids) + len(reply),), -100)
        says[final : final + len(reply) + 1] = torch.tensor([*reply, self.eos])
        if example.question.options:
            self._mark_options(example, ids, at, says)
        ids = torch.cat([ids, torch.tensor(reply)])
        later = positions[:, -1:] + 1 + torch.arange(len(reply))
        media = ((ids == self.video) | (ids == self.audio)).nonzero()[:, 0]
        positions = torch.cat([positions, later], 1)
        return Item(example.code, ids, positions, says, final, media, torch.zeros(len(media), len(CONCEPTS)))

    def _mark_options(self, example: Example, ids: torch.Tensor, at: int, says: torch.Tensor) -> None:
        """At the end of each option, let the model say its letter if it is right."""
        numbers = ids.tolist()
        ends = [k for k in range(at, len(numbers)) if numbers[k] in self.newlines]
        many = len(example.question.options)
        # The prompt ends with an empty line, the instruction and a newline, before which the options stand.
        last = [k for k in ends if k < len(numbers) - 8][-1]
        ends = ends[: ends.index(last) + 1][-many:]
        for letter, k in zip("ABCDE", ends, strict=False):
            says[k] = self.letters[letter] if letter in answer(example) else self.wrong


def save(model: Any, folder: Path) -> None:
    """Write the weights in half precision, under their published names."""
    from safetensors.torch import save_file

    weights = {}
    for name, value in model.named_parameters():
        for pattern, replacement in RECIPES["qwen2_5_omni"].published_names:
            name = re.sub(pattern, replacement, name)
        weights[name] = value.detach().to(torch.float16).contiguous()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
