"""Python objects between processes of one machine, over a Unix socket; their tensors pass through shared memory.

The memory has no name: it is a file descriptor that goes along with the message, and it is gone with the last process
that holds it, however that one ends. Only for sockets whose other end is trusted: messages are pickles.
"""

import io
import mmap
import os
import pickle
import socket
import struct
import tempfile
from typing import Any

import torch

_HEADER = struct.Struct("<QQ")
"""What a message starts with: bytes of its pickle, and bytes of memory that come with it (0: no descriptor)."""

_ALIGNMENT = 64
"""Where tensors start in the memory: at multiples of a cache line."""


class ClosedError(Exception):
    """The other end of the socket is closed: its process has ended."""


def send(connection: socket.socket, message: Any) -> None:
    """Send an object. A tensor that it holds twice goes once, and is one tensor at the other end, too.

    Raises ClosedError when nobody is there to receive it, and what pickle raises for what cannot be pickled.
    """
    content = io.BytesIO()
    pickler = _Pickler(content)
    pickler.dump(message)
    memory = _memory(pickler.tensors, pickler.size) if pickler.size else None
    header = _HEADER.pack(content.tell(), pickler.size)
    try:
        if memory is None:
            connection.sendall(header)
        else:
            socket.send_fds(connection, [header], [memory])
        connection.sendall(content.getbuffer())
    except (BrokenPipeError, ConnectionResetError) as error:
        raise ClosedError from error
    finally:
        if memory is not None:
            os.close(memory)


def receive(connection: socket.socket) -> Any:
    """The next object. The memory of its tensors is free again when the last of them is dropped.

    Raises ClosedError when the other end has ended, TimeoutError after the socket's timeout.
    """
    try:
        header, descriptors, _, _ = socket.recv_fds(connection, _HEADER.size, 1)
        try:
            header += _exactly(connection, _HEADER.size - len(header))
            length, size = _HEADER.unpack(header)
            content = _exactly(connection, length)
            # MAP_POPULATE, where there is one: all pages at once instead of a fault for each.
            flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
            memory = mmap.mmap(descriptors[0], size, flags=flags) if size else None
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
    except ConnectionResetError as error:
        raise ClosedError from error
    return _Unpickler(io.BytesIO(content), memory).load()


def _exactly(connection: socket.socket, length: int) -> bytes:
    content = bytearray(length)
    place = memoryview(content)
    while place:
        received = connection.recv_into(place)
        if not received:
            raise ClosedError
        place = place[received:]
    return bytes(content)


def _memory(tensors: dict[int, torch.Tensor], size: int) -> int:
    """A descriptor of `size` bytes of memory that hold the tensors, each at its place."""
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("media", os.MFD_CLOEXEC)
    else:  # elsewhere than on Linux: a file without a name
        with tempfile.TemporaryFile() as file:
            memory = os.dup(file.fileno())
    try:
        os.truncate(memory, size)
        for place, tensor in tensors.items():
            _write(memory, tensor, place)
    except BaseException:
        os.close(memory)
        raise
    return memory


def _write(memory: int, tensor: torch.Tensor, place: int) -> None:
    content = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data
    while content:
        written = os.pwrite(memory, content, place)
        content, place = content[written:], place + written


class _Pickler(pickle.Pickler):
    """Leaves tensors out: `tensors` by their places in `size` bytes of memory. Empty ones have no place."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.tensors: dict[int, torch.Tensor] = {}
        self.size = 0
        self._places: dict[int, int] = {}

    def persistent_id(self, obj: Any) -> tuple[int, torch.dtype, tuple[int, ...]] | None:
        if not isinstance(obj, torch.Tensor):
            return None
        if obj.nbytes and id(obj) not in self._places:
            self._places[id(obj)] = self.size
            self.tensors[self.size] = obj  # which also keeps its identity from being another's
            self.size += -(-obj.nbytes // _ALIGNMENT) * _ALIGNMENT
        return self._places.get(id(obj), 0), obj.dtype, tuple(obj.shape)


class _Unpickler(pickle.Unpickler):
    """Puts tensors back, as views of the memory."""

    def __init__(self, file: io.BytesIO, memory: mmap.mmap | None) -> None:
        super().__init__(file)
        self._memory = memory
        self._tensors: dict[int, torch.Tensor] = {}

    def persistent_load(self, pid: tuple[int, torch.dtype, tuple[int, ...]]) -> torch.Tensor:
        place, dtype, shape = pid
        count = torch.Size(shape).numel()
        if not count or self._memory is None:
            return torch.empty(shape, dtype=dtype)
        if place not in self._tensors:
            self._tensors[place] = torch.frombuffer(self._memory, dtype=dtype, count=count, offset=place).view(shape)
        return self._tensors[place]
