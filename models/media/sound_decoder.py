"""Decodes the packets of a sound track, also those that hold something else behind their sound."""

from collections import deque

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

_WIDE_SPEEX = frozenset({16_000, 32_000})
"""Rates of Speex's wideband and ultra-wideband modes."""

_HISTORY = 16
"""Packets from which a decoder gets its state: more than the bit reservoir of MP3 (9 frames) and the overlap of AAC."""

_TRIED_BYTES = 2**25
"""Most bytes that are decoded in vain for a whole file to find the ends of sounds in packets: some seconds."""


class SoundDecoder:
    """A decoder that keeps the frames at the start of a packet if what follows them is damaged.

    PyAV's `decode` throws away the frames of a packet if FFmpeg reports an error behind them, and the decoder has then
    gone on. ffmpeg keeps such frames. So the shortened packet is given to a decoder in the state from before; from then
    on, a second decoder tries each packet first.

    Attributes:
        shortened: The number of packets of which only the beginning was decoded.
    """

    def __init__(self, stream: AudioStream) -> None:
        """Prepare for the first packet of a stream that FFmpeg can decode."""
        self._stream = stream
        self._decoder = _without_header(stream) if _has_wide_speex(stream) else stream.codec_context
        self._before: deque[av.Packet] = deque(maxlen=_HISTORY)
        self._scout: AudioCodecContext | None = None
        self._left = _TRIED_BYTES
        self._behind = 0
        self._early = False
        self.shortened = 0

    def decode(self, packet: av.Packet) -> list[AudioFrame]:
        """Decode the next packet. An empty packet ends the stream.

        Args:
            packet: A packet of the stream.

        Returns:
            Its frames.

        Raises:
            av.FFmpegError: No beginning of the packet can be decoded.
        """
        fed = packet
        try:
            if self._early and packet.size:
                fed = self._usable(packet) or packet
            frames = self._decoder.decode(fed if fed.size else None)
        except av.FFmpegError:
            start = None if self._early else self._usable(packet)
            if start is None:
                raise
            fed, self._early = start, True
            self._decoder = _fresh(self._stream)
            for earlier in self._before:
                self._decoder.decode(earlier)
            frames = self._decoder.decode(fed)
        self._before.append(fed)
        self.shortened += fed is not packet
        return frames

    def _usable(self, packet: av.Packet) -> av.Packet | None:
        """The packet, or the longest beginning of it that can be decoded; None if there is none."""
        if self._tried(packet, packet.size):
            return packet
        # First try to leave out as many bytes as last time. With one byte more it has to fail: some decoders fill up a
        # frame that is too short, and so accept any beginning of it.
        size = packet.size - self._behind
        if self._behind > 1 and size > 0 and self._tried(packet, size) and not self._tried(packet, size + 1):
            return _shortened(packet, size)
        for size in range(packet.size - 1, 0, -1):
            self._left -= size
            if self._left < 0:
                return None
            if self._tried(packet, size):
                self._behind = packet.size - size
                return _shortened(packet, size)
        return None

    def _tried(self, packet: av.Packet, size: int) -> bool:
        """Whether so many bytes of the packet give frames without an error."""
        try:
            self._scout = self._scout or _fresh(self._stream)
            return bool(self._scout.decode(_shortened(packet, size)))
        except (av.FFmpegError, ValueError):
            return False


def _shortened(packet: av.Packet, size: int) -> av.Packet:
    """A packet of the first bytes of this one, at the same time."""
    result = av.Packet(bytes(packet)[:size])
    result.pts, result.dts, result.time_base = packet.pts, packet.dts, packet.time_base
    return result


def _fresh(stream: AudioStream) -> AudioCodecContext:
    """A new decoder for the stream."""
    decoder = _without_header(stream)
    if not _has_wide_speex(stream):
        decoder.extradata = stream.codec_context.extradata
    return decoder


def _has_wide_speex(stream: AudioStream) -> bool:
    return stream.codec_context.name == "speex" and stream.rate in _WIDE_SPEEX


def _without_header(stream: AudioStream) -> AudioCodecContext:
    """A new decoder that knows of the stream only its rate and number of channels.

    For a wideband Speex this is right: FFmpeg 7 doubles the frame size that its header states (libavcodec/speexdec.c),
    so that as much silence follows each frame. Without the header it takes the size from the rate, and gives the
    samples that later releases give.
    """
    decoder = av.CodecContext.create(stream.codec_context.name, "r")
    assert isinstance(decoder, AudioCodecContext)
    decoder.sample_rate, decoder.layout = stream.rate, stream.layout.name
    return decoder
