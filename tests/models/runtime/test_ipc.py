"""Objects sent through a real socket: they arrive equal, shared tensors stay shared, and their memory is freed."""

import gc
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.models.runtime.ipc import ClosedError, receive, send
from tests.helpers.shared_memory import shared_memory

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def passed(ends: Ends, message: Any) -> Any:
    """The message as it arrives. A thread sends it, because it may be larger than the socket's buffer."""
    sender = threading.Thread(target=send, args=(ends[0], message))
    sender.start()
    received = receive(ends[1])
    sender.join()
    return received


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(12, dtype=torch.int64).reshape(3, 4),
        torch.arange(24.0).reshape(2, 3, 4).transpose(0, 2),
        torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        torch.tensor([True, False, True]),
        torch.tensor(7),
        torch.empty(0, 5),
        torch.rand(2_000_000),
    ],
    ids=["integers", "transposed", "half", "booleans", "one number", "empty", "large"],
)
def test_tensors_arrive_unchanged(ends: Ends, tensor: torch.Tensor) -> None:
    received = passed(ends, {"x": [tensor, "words"]})
    assert received["x"][1] == "words"
    assert received["x"][0].dtype == tensor.dtype
    assert torch.equal(received["x"][0], tensor)


def test_one_tensor_in_two_places_is_one_at_the_other_end(ends: Ends) -> None:
    shared, own = torch.rand(100), torch.rand(3)
    both = [EncodedPrompt({"a": shared, "b": own}, True, False), EncodedPrompt({"a": shared}, True, False)]
    first, second = passed(ends, both)
    assert first.tensors["a"] is second.tensors["a"]
    assert torch.equal(first.tensors["b"], own)
    assert first.has_heard_video


def test_large_objects_without_tensors_arrive(ends: Ends) -> None:
    samples = np.random.default_rng(0).random(500_000)
    assert np.array_equal(passed(ends, samples), samples)


def test_messages_keep_their_order(ends: Ends) -> None:
    for number in range(3):
        send(ends[0], torch.full((4,), number))
    assert [int(receive(ends[1])[0]) for _ in range(3)] == [0, 1, 2]


def test_memory_is_freed_with_the_last_tensor(ends: Ends) -> None:
    gc.collect()
    before = shared_memory(os.getpid())
    received = passed(ends, torch.rand(1_000_000))
    assert set(shared_memory(os.getpid()) - before) == {"/memfd:media (deleted)"}  # the name of no file
    del received
    assert shared_memory(os.getpid()) == before


def test_a_closed_end_is_reported(ends: Ends) -> None:
    ends[1].close()
    with pytest.raises(ClosedError):
        send(ends[0], torch.rand(1000))
    with pytest.raises(ClosedError):
        receive(ends[0])


def test_an_object_that_cannot_be_sent_leaves_the_connection_usable(ends: Ends) -> None:
    with pytest.raises(Exception, match="pickle"):
        send(ends[0], [torch.rand(3), threading.Lock()])
    assert passed(ends, "still there") == "still there"


def test_waiting_ends_after_the_sockets_timeout(ends: Ends) -> None:
    ends[1].settimeout(0.01)
    with pytest.raises(TimeoutError):
        receive(ends[1])
