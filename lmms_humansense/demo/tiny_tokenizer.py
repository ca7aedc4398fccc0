"""The tokenizer of the tiny checkpoints: it splits text as Qwen does, and is trained on the benchmark's phrases."""

from __future__ import annotations

from pathlib import Path

EOS, PAD = "<|im_end|>", "<|endoftext|>"
BASE_VOCABULARY = 373  # 256 bytes and 117 merges: 384 tokens with the special ones of Qwen2.5-Omni

# The text that the byte-pair encoding is trained on: the benchmark's own phrases.
TRAINING_LINES = (
    *("system\nuser\nassistant\n",) * 9,  # often enough for each role to become one token, as published
    "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and "
    "visual inputs, as well as generating text and speech.",
    "You are an advanced multimodal analysis AI assistant. You have been provided with video content and a question.",
    "Question: , which one of the following is correct?\n\nOptions:\nA. \nB. \nC. \nD. ",
    "Question: , Which of the following are correct? (Select all)\n\nOptions:\nA. \nB. \nC. \nD. ",
    "answer one correct letter only, do not include any extra text or explanation:",
    "answer correct letters only, do not include any extra text or explanation:",
    "answer a single Arabic numeral between 0 and 10, do not include any extra text or explanation:",
    "Output the thinking process in <think> </think> and final answer in <answer> </answer> tags, i.e., "
    "<think> reasoning process here </think><answer> answer one correct letter only here </answer>.",
    "The following provides the ASR (Automatic Speech Recognition) text from the video:",
)


def write_tokenizer(
    path: Path,
    special_tokens: tuple[str, ...],
    lines: tuple[str, ...] = TRAINING_LINES,
    vocabulary: int = BASE_VOCABULARY,
) -> dict[str, int]:
    """Trains the tokenizer and writes it.

    Args:
        path: The file to write, tokenizer.json.
        special_tokens: The special tokens, in the order of their ids.
        lines: The text that the byte-pair encoding is trained on.
        vocabulary: The number of tokens without the special ones; at most, if `lines` has too few words.

    Returns:
        The id of every token; the special tokens have the last ids.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    words = pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, to_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special_tokens])
    tokenizer.save(str(path))
    return tokenizer.get_vocab()
