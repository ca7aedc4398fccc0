"""Media that several conversations are about: each is decoded once."""

from collections.abc import Callable, Hashable

from ..media.audio import read_waveform, sound_seconds
from ..media.types import Clip, Waveform
from ..media.video import read_clip
from .conversation import VideoPart


class MediaCache:
    """Clips and sounds by what they are decoded from: the file, the part of it, and the rule of its frames.

    Frame sizes are multiples of `frame_factor` pixels. Everything is kept until the object is dropped, except what
    could not be decoded. Whoever gets a clip or a sound shares it with others and must not change it.
    """

    def __init__(self, frame_factor: int) -> None:
        self._frame_factor = frame_factor
        self._clips: dict[Hashable, Clip] = {}
        self._clip_sounds: dict[Hashable, Waveform] = {}
        self._sounds: dict[str, tuple[Waveform, float | None]] = {}

    def clip(self, video: VideoPart, hears: Callable[[float | None], bool]) -> Clip:
        """The frames of a video, and its sound if `hears` says so: what `video.read_clip` returns and raises."""
        shown = (video.path, video.rule, video.start, video.end)
        heard = (video.path, video.start, video.end, video.true_time)
        if shown not in self._clips:
            where = video.path, video.rule, self._frame_factor, video.start, video.end
            clip = read_clip(*where, hears, align=video.true_time)
            self._clips[shown] = clip
            if clip.sound is not None:
                self._clip_sounds[heard] = clip.sound
        clip = self._clips[shown]
        if not hears(clip.sound_seconds):
            return Clip(clip.frames, None, clip.sound_seconds)
        if heard not in self._clip_sounds:  # the clip was silent before, or heard on the other time axis
            self._clip_sounds[heard] = read_waveform(video.path, video.start, video.end, align=video.true_time)
        return Clip(clip.frames, self._clip_sounds[heard], clip.sound_seconds)

    def sound(self, path: str) -> tuple[Waveform, float | None]:
        """A whole sound, and how long its file says it is: what `audio.read_waveform` returns and raises."""
        if path not in self._sounds:
            self._sounds[path] = read_waveform(path), sound_seconds(path)
        return self._sounds[path]
