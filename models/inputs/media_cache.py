"""Decodes media that several conversations are about only once."""

from collections.abc import Callable, Hashable

from ..media.audio import read_waveform, sound_seconds
from ..media.types import Clip, Waveform
from ..media.video import read_clip
from .conversation import VideoPart

_Heard = tuple[str, float | None, float | None, float | None]
"""The arguments of `read_waveform`."""


class MediaCache:
    """Decoded clips and sounds. The keys are the file, the part of it, and the rule that chooses its frames.

    Everything is kept until the object is dropped, except media that could not be decoded. Callers share the returned
    clips and sounds, and must not change them.
    """

    def __init__(self, frame_factor: int) -> None:
        """Create an empty cache of clips whose frames have multiples of `frame_factor` pixels as height and width."""
        self._frame_factor = frame_factor
        self._clips: dict[Hashable, Clip] = {}
        self._clip_sounds: dict[_Heard, Waveform] = {}
        self._sounds: dict[str, tuple[Waveform, float | None]] = {}

    def clip(self, video: VideoPart, hears: Callable[[float | None], bool]) -> Clip:
        """Read the frames of a video and, if wanted, its sound.

        Args:
            video: Which file, which part of it, and how it is shown.
            hears: Says whether the sound is wanted, as in `video.read_clip`.

        Returns:
            What `video.read_clip` returns.

        Raises:
            MediaError: The clip cannot be read. An exception of `hears` is not changed.
        """
        shown = (video.path, video.rule, video.start, video.end)
        if shown not in self._clips:
            clip = read_clip(video.path, video.rule, self._frame_factor, video.start, video.end, hears, video.true_time)
            self._clips[shown] = clip
            if clip.sound is not None:
                self._clip_sounds[_heard(video, clip)] = clip.sound
        clip = self._clips[shown]
        heard = _heard(video, clip)
        if not hears(clip.sound_seconds):
            return Clip(clip.frames, None, clip.sound_seconds)
        if heard not in self._clip_sounds:  # the clip was silent before, or heard on the other time axis
            self._clip_sounds[heard] = read_waveform(*heard)
        return Clip(clip.frames, self._clip_sounds[heard], clip.sound_seconds)

    def sound(self, path: str) -> tuple[Waveform, float | None]:
        """Read a whole sound.

        Returns:
            The sound, and how many seconds it lasts according to its file, as `audio.sound_seconds` returns them.

        Raises:
            MediaError: The file cannot be read.
        """
        if path not in self._sounds:
            self._sounds[path] = read_waveform(path), sound_seconds(path)
        return self._sounds[path]


def _heard(video: VideoPart, clip: Clip) -> _Heard:
    return video.path, video.start, video.end, clip.frames.first_time if video.true_time else None
