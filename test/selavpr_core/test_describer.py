from __future__ import annotations

import gc
import logging
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from selavpr_core.describer import Describer, Description, load_describer
from selavpr_core.errors import DeviceError, WeightsError
from selavpr_core.model import SelaVPR, preset_settings
from selavpr_core.weights import fingerprint

from .lively import lively_model

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(scope="module")
def model() -> SelaVPR:
    return lively_model(preset_settings("tiny", input_size=(112, 154)))


@pytest.fixture(scope="module")
def describer(model: SelaVPR) -> Describer:
    return Describer(model, device="cpu", batch_size=3)


def photos(count: int, height: int = 60, width: int = 80, seed: int = 0) -> np.ndarray:
    """Return [count, height, width, 3] uint8 images of different colour and texture."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 6, 8, 3))
    fine = np.repeat(np.repeat(coarse, -(-height // 6), 1), -(-width // 8), 2)
    noise = rng.integers(-20, 21, (count, height, width, 3))
    return np.clip(fine[:, :height, :width] + noise, 0, 255).astype(np.uint8)


def assert_same(a: Description, b: Description) -> None:
    np.testing.assert_allclose(a.descriptors, b.descriptors, atol=1e-6)
    differing = np.unpackbits(a.codes ^ b.codes, axis=1).sum()
    assert differing <= 1 * len(a.codes)  # a value within rounding of zero may change its sign


def joined(parts: list[Description]) -> Description:
    return Description(
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.descriptors for part in parts]),
    )


def test_it_gives_what_the_network_gives(model: SelaVPR, describer: Describer) -> None:
    images = photos(2)
    with torch.no_grad():
        output = model(describer.preprocess(images))
    description = describer(images)
    assert description.codes.dtype == np.uint8
    assert description.codes.shape == (2, 64)
    assert description.descriptors.dtype == np.float32
    assert description.descriptors.shape == (2, 1024)
    assert_same(description, Description(output.codes.numpy(), output.descriptor.numpy()))
    # The comparison above means something: the two images are told apart.
    assert np.unpackbits(description.codes[0] ^ description.codes[1]).sum() > 10


def test_one_image_a_batch_and_a_list_agree(describer: Describer) -> None:
    images = photos(7)
    batch = describer(images)
    assert_same(batch, joined([describer(image) for image in images]))
    assert_same(batch, describer(list(images)))


def test_a_list_may_mix_sizes(describer: Describer) -> None:
    images = [photos(1, 40 + 9 * i, 90 - 7 * i, seed=i)[0] for i in range(5)]
    assert_same(describer(images), joined([describer(image) for image in images]))


def test_infer_takes_what_preprocess_gives(describer: Describer) -> None:
    tensor = describer.preprocess(photos(2))
    assert tensor.shape == (2, 3, 112, 154)
    assert_same(describer.infer(tensor), describer(photos(2)))


def test_layout_in_memory_does_not_matter(describer: Describer) -> None:
    image = photos(1, 60, 80)[0]
    expected = describer(image)
    wide = np.zeros((60, 100, 3), np.uint8)
    wide[:, :80] = image
    reversed_channels = np.ascontiguousarray(image[..., ::-1])[..., ::-1]
    read_only = np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for same in (wide[:, :80], reversed_channels, np.asfortranarray(image), read_only):
            assert_same(describer(same), expected)


@pytest.mark.parametrize(
    ("images", "error", "named"),
    [
        (np.zeros((4, 4), np.uint8), ValueError, r"\[4, 4\]"),
        (np.zeros((4, 4, 1), np.uint8), ValueError, r"\[4, 4, 1\]"),
        (np.zeros((4, 4, 4), np.uint8), ValueError, r"\[4, 4, 4\]"),
        (np.zeros((2, 4, 4, 4), np.uint8), ValueError, r"\[4, 4, 4\]"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, r"\[0, 4, 3\]"),
        (np.zeros((0, 4, 4, 3), np.uint8), ValueError, "no image"),
        ([], ValueError, "no image"),
        (np.zeros((4, 4, 3), np.float32), TypeError, "float32"),
        (np.zeros((4, 4, 3), np.uint16), TypeError, "uint16"),
        ([np.zeros((4, 4, 3), np.uint8), None], TypeError, "NoneType"),
        (["photo.jpg"], TypeError, "str"),
    ],
)
def test_what_is_no_image_is_refused(
    describer: Describer, images: Any, error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        describer(images)


@pytest.mark.parametrize("branch", ["float", "hash"])
def test_a_branch_left_out_gives_none(branch: str) -> None:
    model = SelaVPR(preset_settings("tiny", branches=(branch,), input_size=(56, 56))).eval()
    describer = Describer(model, device="cpu", batch_size=2)
    description = describer(photos(3))
    assert (description.codes is None) == (describer.code_bytes is None) == (branch == "float")
    assert (description.descriptors is None) == (describer.descriptor_dim is None)
    assert (description.descriptors is None) == (branch == "hash")


def test_it_says_what_it_is(model: SelaVPR, describer: Describer) -> None:
    assert describer.fingerprint == fingerprint(model.state_dict(), model.settings)
    assert (describer.device, describer.precision) == ("cpu", "fp32")
    assert (describer.descriptor_dim, describer.code_bytes) == (1024, 64)
    assert (describer.preset, describer.source, describer.pretrained) == ("tiny", "", False)
    assert describer.preprocessing.size == (112, 154)
    half = Describer(model, device="cpu", precision="bf16")
    assert half.precision == "bf16"
    assert half.fingerprint == describer.fingerprint


def test_half_precision_is_close(model: SelaVPR, describer: Describer) -> None:
    images = photos(3)
    images[2] = 0
    expected = describer(images).descriptors
    half = Describer(model, device="cpu", precision="bf16")(images).descriptors
    assert half.dtype == np.float32
    assert np.isfinite(half).all()
    assert (half * expected).sum(axis=1).min() > 0.999


def test_the_model_is_left_as_it_is(model: SelaVPR) -> None:
    before = fingerprint(model.state_dict(), model.settings)
    Describer(model, device="cpu", precision="bf16")(photos(1))
    assert fingerprint(model.state_dict(), model.settings) == before
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"device": "tpu"}, "'tpu'.*auto, cpu, cuda"),
        ({"device": "cuda:x"}, "'cuda:x'"),
        ({"device": "cpu", "precision": "fp8"}, "'fp8'.*auto, fp32, fp16, bf16"),
        ({"device": "cpu", "precision": "fp16"}, "needs CUDA"),
        pytest.param({"device": "cuda"}, "no CUDA GPU.*device cpu or auto", marks=no_gpu),
        pytest.param({"device": "cuda:99"}, "GPU", marks=[]),
    ],
)
def test_what_this_machine_cannot_serve_is_told_in_one_line(
    model: SelaVPR, arguments: dict[str, str], named: str
) -> None:
    with pytest.raises(DeviceError, match=named) as caught:
        Describer(model, **arguments)
    assert "\n" not in str(caught.value)
    with pytest.raises(DeviceError):  # before any weights are looked for
        load_describer("no such weights", **arguments)


def test_a_batch_size_below_one_is_refused(model: SelaVPR) -> None:
    with pytest.raises(ValueError, match="batch_size 0"):
        Describer(model, device="cpu", batch_size=0)


@no_gpu
def test_auto_takes_what_there_is(model: SelaVPR) -> None:
    describer = Describer(model)
    assert (describer.device, describer.precision) == ("cpu", "fp32")


@gpu
def test_a_gpu_agrees_and_its_memory_comes_back(model: SelaVPR, describer: Describer) -> None:
    images = photos(5)
    Describer(model, device="cuda")(images)  # torch keeps the workspaces of its first products
    before = torch.cuda.memory_reserved()
    exact = Describer(model, device="cuda", precision="fp32")
    assert exact.fingerprint == describer.fingerprint
    np.testing.assert_allclose(exact(images).descriptors, describer(images).descriptors, atol=1e-4)
    half = Describer(model)
    assert (half.device, half.precision) == ("cuda", "fp16")
    similarity = (half(images).descriptors * describer(images).descriptors).sum(axis=1)
    assert similarity.min() > 0.999
    del exact, half
    assert torch.cuda.memory_reserved() <= before


def test_the_network_is_freed_with_the_describer(model: SelaVPR) -> None:
    describer = Describer(model, device="cpu")
    network = weakref.ref(describer._model)
    gc.disable()  # it must not take the collector, which may come late
    try:
        del describer
        assert network() is None
    finally:
        gc.enable()


def test_a_closed_describer_says_so(model: SelaVPR) -> None:
    describer = Describer(model, device="cpu")
    describer.close()
    describer.close()
    with pytest.raises(RuntimeError, match="closed"):
        describer(photos(1))


def test_load_describer_tells_what_was_loaded(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="selavpr_core"):
        describer = load_describer("random:tiny", device="cpu", batch_size=2)
    assert describer.source == "random:tiny"
    assert describer.batch_size == 2
    warning, loaded = caplog.records
    assert warning.levelno == logging.WARNING
    assert describer.fingerprint in loaded.getMessage()


def test_load_describer_passes_on_what_is_wrong_with_the_weights() -> None:
    with pytest.raises(WeightsError, match="nonsense"):
        load_describer("nonsense", device="cpu")


# --- stream ------------------------------------------------------------------------------------


def prefetch_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "describer-prefetch"]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 10])
def test_a_stream_gives_every_image_once_and_in_order(describer: Describer, count: int) -> None:
    images = [photos(1, 50 + i, 70, seed=i)[0] for i in range(count)]
    parts = list(describer.stream(iter(images)))
    assert [len(part.codes) for part in parts] == [3] * (count // 3) + [count % 3] * (count % 3 > 0)
    if count:
        assert_same(joined(parts), describer(images))
    assert not prefetch_threads()


def test_a_stream_is_read_as_it_is_used(describer: Describer) -> None:
    """Of an endless source only the batches in hand, in the queue and being made are read."""
    taken = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal taken
        while True:
            taken += 1
            yield photos(1)[0]

    stream = describer.stream(endless())
    assert taken == 0
    for number in range(1, 6):
        next(stream)
        assert 3 * number <= taken <= 3 * (number + 2)
    stream.close()
    assert not prefetch_threads()


class CameraError(Exception):
    pass


def test_an_error_of_the_source_arrives_after_what_came_before(describer: Describer) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield from photos(7)
        raise CameraError("cable")

    stream = describer.stream(broken())
    assert_same(joined([next(stream), next(stream)]), describer(photos(7)[:6]))
    with pytest.raises(CameraError, match="cable"):
        next(stream)
    assert not prefetch_threads()


def test_a_bad_image_in_a_stream_is_refused(describer: Describer) -> None:
    with pytest.raises(ValueError, match=r"\[4, 4\]"):
        list(describer.stream([np.zeros((4, 4), np.uint8)]))
    assert not prefetch_threads()


def abandon_by_closing(stream: Iterator[Description]) -> None:
    stream.close()


def abandon_by_an_error(stream: Iterator[Description]) -> None:
    with pytest.raises(KeyboardInterrupt):
        stream.throw(KeyboardInterrupt)


@pytest.mark.parametrize("abandon", [abandon_by_closing, abandon_by_an_error])
@pytest.mark.parametrize("consumed", [1, 2])
def test_an_abandoned_stream_leaves_no_thread(
    describer: Describer, abandon: Callable[[Any], None], consumed: int
) -> None:
    released = threading.Event()

    def source() -> Iterator[np.ndarray]:
        try:
            yield from photos(30)
        finally:
            released.set()

    stream = describer.stream(source())
    for _ in range(consumed):
        next(stream)
    assert prefetch_threads()
    abandon(stream)
    assert not prefetch_threads()
    del stream
    assert released.wait(10)


def test_a_failing_network_ends_the_thread_too(
    model: SelaVPR, monkeypatch: pytest.MonkeyPatch
) -> None:
    describer = Describer(model, device="cpu", batch_size=1)

    def fail(batch: torch.Tensor) -> Description:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(describer, "infer", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        list(describer.stream(photos(5)))
    assert not prefetch_threads()


def test_streams_run_side_by_side(describer: Describer) -> None:
    streams = [describer.stream(photos(6, seed=i)) for i in range(2)]
    parts = [[next(stream) for stream in streams] for _ in range(2)]
    for number, stream in enumerate(streams):
        assert next(stream, None) is None
        assert_same(joined([row[number] for row in parts]), describer(photos(6, seed=number)))
