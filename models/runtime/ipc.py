"""Sends Python objects between processes of one machine over a Unix socket. Tensors go through shared memory.

The memory has no name. It is a file descriptor that is sent with the message, and the system frees it when the last
process that holds it ends, in whatever way. Only for sockets whose other end is trusted: messages are pickles.
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
"""The header of a message: bytes of its pickle, and bytes of the shared memory sent with it (0: no descriptor)."""

_ALIGNMENT = 64
"""Tensors start at multiples of this many bytes in the memory: a cache line."""


class ClosedError(Exception):
    """The other end of the socket is closed, because its process has ended."""


def send(connection: socket.socket, message: Any) -> None:
    """Send an object. A tensor that it contains twice is sent once, and is one tensor at the other end, too.

    Args:
        connection: A connected Unix socket.
        message: Any object that pickle can handle. Its tensors have to be on the CPU.

    Raises:
        ClosedError: The other end is closed. Errors of pickle, for an object that it cannot handle, are not changed; no
            byte has been sent then.
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
    """Receive the next object. The memory of its tensors is freed when the last of them is dropped.

    Raises:
        ClosedError: The other end is closed.
        TimeoutError: No data came within the timeout of the socket.
    """
    try:
        header, descriptors, _, _ = socket.recv_fds(connection, _HEADER.size, 1)
        try:
            header += _exactly(connection, _HEADER.size - len(header))
            length, size = _HEADER.unpack(header)
            content = _exactly(connection, length)
            # MAP_POPULATE, where the system has it, maps all pages at once instead of with one page fault for each.
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
    missing = memoryview(content)
    while missing:
        received = connection.recv_into(missing)
        if not received:
            raise ClosedError
        missing = missing[received:]
    return bytes(content)


def _memory(tensors: dict[int, torch.Tensor], size: int) -> int:
    """The descriptor of `size` bytes of memory that hold the tensors, each at its offset (the key)."""
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("media", os.MFD_CLOEXEC)
    else:  # on other systems than Linux: a file without a name
        with tempfile.TemporaryFile() as file:
            memory = os.dup(file.fileno())
    try:
        os.truncate(memory, size)
        for offset, tensor in tensors.items():
            _write(memory, tensor, offset)
    except BaseException:
        os.close(memory)
        raise
    return memory


def _write(memory: int, tensor: torch.Tensor, offset: int) -> None:
    content = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data
    while content:
        written = os.pwrite(memory, content, offset)
        content, offset = content[written:], offset + written


class _Pickler(pickle.Pickler):
    """Pickles an object without its tensors.

    These are collected in `tensors`, by their offsets in a memory of `size` bytes. Empty tensors have no offset.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.tensors: dict[int, torch.Tensor] = {}
        self.size = 0
        self._offsets: dict[int, int] = {}

    def persistent_id(self, obj: Any) -> tuple[int, torch.dtype, tuple[int, ...]] | None:
        if not isinstance(obj, torch.Tensor):
            return None
        if obj.nbytes and id(obj) not in self._offsets:
            self._offsets[id(obj)] = self.size
            self.tensors[self.size] = obj  # the reference also keeps its id from being reused
            self.size += -(-obj.nbytes // _ALIGNMENT) * _ALIGNMENT
        return self._offsets.get(id(obj), 0), obj.dtype, tuple(obj.shape)


class _Unpickler(pickle.Unpickler):
    """Restores tensors as views of the memory."""

    def __init__(self, file: io.BytesIO, memory: mmap.mmap | None) -> None:
        super().__init__(file)
        self._memory = memory
        self._tensors: dict[int, torch.Tensor] = {}

    def persistent_load(self, pid: tuple[int, torch.dtype, tuple[int, ...]]) -> torch.Tensor:
        offset, dtype, shape = pid
        count = torch.Size(shape).numel()
        if not count or self._memory is None:
            return torch.empty(shape, dtype=dtype)
        if offset not in self._tensors:
            self._tensors[offset] = torch.frombuffer(self._memory, dtype=dtype, count=count, offset=offset).view(shape)
        return self._tensors[offset]
