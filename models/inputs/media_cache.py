"""Decodes media that several conversations are about only once."""

from collections.abc import Callable, Hashable

from ..media.audio import read_waveform, sound_seconds
from ..media.digests import SeenFile
from ..media.store import ClipStore, StoredFrames
from ..media.types import Clip, Waveform
from ..media.video import read_clip
from .conversation import VideoPart

_Heard = tuple[str, float | None, float | None, float | None]
"""The arguments of `read_waveform`."""


class MediaCache:
    """Decoded clips and sounds. The keys are the file, the part of it, and the rule that chooses its frames.

    With a store, what is there is not decoded, and what is decoded is written there, unless the file has changed since
    it was first asked for.

    Everything is kept until the object is dropped, except media that could not be decoded. Callers share the returned
    clips and sounds, and must not change them.
    """

    def __init__(self, frame_factor: int, store: ClipStore | None = None) -> None:
        """Create an empty cache of clips whose frames have multiples of `frame_factor` pixels as height and width."""
        self._frame_factor = frame_factor
        self._store = store
        self._clips: dict[Hashable, Clip] = {}
        self._clip_sounds: dict[_Heard, Waveform] = {}
        self._sounds: dict[str, tuple[Waveform, float | None]] = {}
        self._contents: dict[str, SeenFile | None] = {}

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
            self._clips[shown] = self._seen(video, hears)
        clip = self._clips[shown]
        heard = _heard(video, clip)
        if not hears(clip.sound_seconds):
            return Clip(clip.frames, None, clip.sound_seconds)
        if heard not in self._clip_sounds:  # the clip was silent before, or heard on the other time axis
            self._clip_sounds[heard] = self._waveform(heard)
        return Clip(clip.frames, self._clip_sounds[heard], clip.sound_seconds)

    def sound(self, path: str) -> tuple[Waveform, float | None]:
        """Read a whole sound.

        Returns:
            The sound, and how many seconds it lasts according to its file, as `audio.sound_seconds` returns them.

        Raises:
            MediaError: The file cannot be read.
        """
        if path not in self._sounds:
            self._sounds[path] = self._whole_sound(path)
        return self._sounds[path]

    def _content(self, path: str) -> SeenFile | None:
        """What a file held when it was first asked for; None without a store, or if the file cannot be read."""
        if self._store is None:
            return None
        if path not in self._contents:
            self._contents[path] = self._store.content(path)
        return self._contents[path]

    def _seen(self, video: VideoPart, hears: Callable[[float | None], bool]) -> Clip:
        """The frames of a clip. If they are not in the store, also its sound, if it is wanted: in the same pass."""
        store, file = self._store, self._content(video.path)
        shown = (video.rule, self._frame_factor, video.start, video.end)
        found = store.frames(file, *shown) if store and file else None
        if found:
            return Clip(found.frames, None, found.sound_seconds)
        clip = read_clip(video.path, video.rule, self._frame_factor, video.start, video.end, hears, video.true_time)
        if store and file:
            store.keep_frames(file, *shown, StoredFrames(clip.frames, clip.sound_seconds))
        if clip.sound is not None:
            heard = _heard(video, clip)
            self._clip_sounds[heard] = clip.sound
            if store and file:
                store.keep_sound(file, clip.sound, clip.sound_seconds, *heard[1:])
        return clip

    def _waveform(self, heard: _Heard) -> Waveform:
        store, file = self._store, self._content(heard[0])
        found = store.sound(file, *heard[1:]) if store and file else None
        if found:
            return found[0]
        sound = read_waveform(*heard)
        if store and file:
            store.keep_sound(file, sound, sound_seconds(heard[0]), *heard[1:])
        return sound

    def _whole_sound(self, path: str) -> tuple[Waveform, float | None]:
        store, file = self._store, self._content(path)
        found = store.sound(file) if store and file else None
        if found:
            return found
        sound, seconds = read_waveform(path), sound_seconds(path)
        if store and file:
            store.keep_sound(file, sound, seconds)
        return sound, seconds


def _heard(video: VideoPart, clip: Clip) -> _Heard:
    return video.path, video.start, video.end, clip.frames.first_time if video.true_time else None
