"""Where the media of an encoded prompt lie among its tokens, and what identifies each of them. Needs no vLLM."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch

from ..local.collation import IDS, MEL, MEL_MASK, SECONDS, EncodedPrompt

IMAGE, VIDEO, AUDIO = "image", "video", "audio"

_PIXELS = "pixel_values"  # of pictures
_GRIDS = {IMAGE: "image_grid_thw", VIDEO: "video_grid_thw"}


@dataclass(frozen=True)
class Placed:
    """One medium of a prompt.

    Attributes:
        kind: "image", "video" or "audio".
        offset: The index of its first token.
        length: The number of tokens from its first to its last.
        tokens: Which of these tokens are its own, if others lie between them: a heard video and its sound share one
            range. Bool of shape (length,); None if all are its own.
        identity: Equal for media that are shown in the same way, whatever their files are called. Different media never
            have the same. That of a heard video names its sound as well, because vLLM's prefix cache knows the tokens
            of the range that both share by the identity of the video.
    """

    kind: str
    offset: int
    length: int
    tokens: torch.Tensor | None
    identity: str


@dataclass(frozen=True)
class VllmPrompt:
    """A prompt for vLLM: what a local model gets, and where its media lie."""

    prompt: EncodedPrompt
    media: tuple[Placed, ...]

    @property
    def pieces(self) -> list[torch.Tensor]:
        """The tensors, which take the memory."""
        return self.prompt.pieces

    @property
    def tokens(self) -> int:
        """The number of tokens."""
        return self.prompt.tokens


@dataclass(frozen=True)
class SentPrompt:
    """A prompt that vLLM has. Its tensors are dropped here."""

    tokens: int
    pieces: tuple[torch.Tensor, ...] = ()


def placed(
    prompt: EncodedPrompt, frames: Sequence[torch.Tensor], token_ids: Mapping[str, int], digests: "MediaDigests"
) -> tuple[Placed, ...]:
    """Find the media of a prompt.

    Args:
        prompt: The prompt, with its media as tensors.
        frames: The frames of each video, from which its pixels in the prompt were made.
        token_ids: The id of the token of each kind of media that the model takes.
        digests: Computes and remembers the digests of tensors.

    Returns:
        The media in the order of their first tokens; of a heard video, first the frames and then the sound. As in vLLM,
        the range of a heard video includes the two tokens around it that mark its sound.

    Raises:
        ValueError: The prompt has a sound before a heard video. vLLM would take the one for the other.
    """
    kinds = {token: kind for kind, token in token_ids.items()}
    identities = {kind: iter(digests.of(prompt, kind, frames)) for kind in token_ids}
    found: list[Placed] = []
    for offset, run in _runs(prompt.tensors[IDS][0].tolist(), kinds):
        heard = VIDEO in run and AUDIO in run
        if heard and any(one.kind == AUDIO and one.tokens is None for one in found):
            raise ValueError("vLLM confuses a sound with that of a heard video after it; engine=local does not.")
        margin = 1 if heard else 0
        length = len(run) + 2 * margin
        in_run = (VIDEO, AUDIO) if heard else (run[0],)
        named = {kind: next(identities[kind]) for kind in in_run}
        if heard:
            named[VIDEO] = _identity(VIDEO, named[VIDEO], named[AUDIO])
        for kind in in_run:
            own = None
            if heard:
                own = torch.zeros(length, dtype=torch.bool)
                own[margin : margin + len(run)] = torch.tensor([token == kind for token in run])
            found.append(Placed(kind, offset - margin, length, own, named[kind]))
    assert not any(True for rest in identities.values() for _ in rest), "a medium has no token in its prompt"
    return tuple(found)


def _runs(ids: Sequence[int], kinds: Mapping[int, str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the first index and the kinds of the tokens of each unbroken run of tokens of media."""
    offset = 0
    for is_medium, group in groupby(ids, key=kinds.__contains__):
        tokens = list(group)
        if is_medium:
            yield offset, [kinds[token] for token in tokens]
        offset += len(tokens)


class MediaDigests:
    """Computes what identifies the media of prompts. Tensors that several prompts share are read once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[list[str], torch.Tensor]] = {}

    def of(self, prompt: EncodedPrompt, kind: str, frames: Sequence[torch.Tensor] = ()) -> list[str]:
        """Return what identifies each medium of one kind: its content, how it is shown and, for a video, its time axis.

        A model that is shown two media with the same identity computes the same embeddings and positions for them.

        Args:
            prompt: The prompt.
            kind: "image", "video" or "audio".
            frames: The frames of each video, uint8. They take a quarter of the bytes of the pixels made from them.

        Returns:
            A text for each medium, in their order.
        """
        tensors = prompt.tensors
        if kind == AUDIO:
            if MEL not in tensors:
                return []
            contents = self._content(tensors[MEL], [1] * len(tensors[MEL]))
            lengths = [int(length) for length in tensors[MEL_MASK].sum(-1)]
            return [_identity(kind, *both) for both in zip(contents, lengths, strict=True)]
        if _GRIDS[kind] not in tensors:
            return []
        grid = tensors[_GRIDS[kind]]
        if kind == VIDEO:
            contents = [self._content(shown, [len(shown)])[0] for shown in frames]
        else:
            contents = self._content(tensors[_PIXELS], grid.prod(-1).tolist())
        seconds = tensors[SECONDS].tolist() if kind == VIDEO and SECONDS in tensors else [None] * len(grid)
        heard = kind == VIDEO and prompt.has_heard_video
        return [_identity(kind, *one, heard) for one in zip(contents, grid.tolist(), seconds, strict=True)]

    def _content(self, tensor: torch.Tensor, sizes: Sequence[int]) -> list[str]:
        """Return the digest of each part of a tensor. The tensor is kept, so that no other can get its id."""
        if id(tensor) not in self._known:
            parts = torch.split(tensor.contiguous(), list(sizes))
            digests = [hashlib.sha256(part.numpy().data).hexdigest() for part in parts]
            self._known[id(tensor)] = digests, tensor
        return self._known[id(tensor)][0]


def _identity(*described: object) -> str:
    return hashlib.sha256(repr(described).encode()).hexdigest()
