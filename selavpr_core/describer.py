"""From RGB images to codes and descriptors, on the device and in the precision asked for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Union

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selavpr_core.errors import DeviceError
from selavpr_core.model import SelaVPR
from selavpr_core.model.inference import inference_copy
from selavpr_core.preprocessing import Preprocessing
from selavpr_core.weights.fingerprint import fingerprint

Images = Union[NDArray[np.uint8], Sequence[NDArray[np.uint8]]]

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_PREFETCHED_BATCHES = 2


class Description(NamedTuple):
    """What a model says about N images; None for a branch that it was built without.

    codes: [N, code_bytes] uint8, most significant bit first.
    descriptors: [N, descriptor_dim] float32, L2-normalised.
    """

    codes: NDArray[np.uint8] | None
    descriptors: NDArray[np.float32] | None


class Describer:
    """A network made ready for inference.

    model: left as it is; the describer works on a copy that shares what needs no conversion.
    device: "auto" (CUDA where there is one), "cpu", "cuda" or "cuda:N".
    precision: "auto" (fp16 on CUDA, fp32 on the CPU), "fp32", "fp16" or "bf16".
    batch_size: how many images go through the network at once.

    Raises DeviceError where this machine cannot serve the device or the precision.
    """

    def __init__(
        self, model: SelaVPR, device: str = "auto", precision: str = "auto", batch_size: int = 8
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size {batch_size} must be at least 1")
        settings = model.settings
        self._device = _torch_device(device)
        self.device = str(self._device)
        self.precision = _precision(precision, self._device)
        self.batch_size = batch_size
        self.preprocessing = Preprocessing(size=settings.input_size)
        self.fingerprint = fingerprint(model.state_dict(), settings)
        self.source = model.source or ""
        self.preset = settings.preset
        self.pretrained = model.pretrained
        self.descriptor_dim = settings.descriptor_dim if "float" in settings.branches else None
        self.code_bytes = settings.code_bits // 8 if "hash" in settings.branches else None
        self._model = inference_copy(model, self._device, _DTYPES[self.precision])

    def __call__(self, images: Images) -> Description:
        """Describe one image [H, W, 3], a batch [N, H, W, 3] or a list of [H, W, 3] of any sizes.

        All uint8 RGB. Raises TypeError or ValueError for anything else, also for no image at all.
        """
        batch = _as_list(images)
        chunks = range(0, len(batch), self.batch_size)
        return _joined(
            [self.infer(self.preprocess(batch[i : i + self.batch_size])) for i in chunks]
        )

    def preprocess(self, images: Images) -> Tensor:
        """Return what `infer` reads, [N, 3, height, width] float32 on the device."""
        batch = _as_list(images)
        if len({image.shape for image in batch}) == 1:
            return self.preprocessing(self._to_device(np.stack(batch)))
        return torch.cat([self.preprocessing(self._to_device(image[None])) for image in batch])

    def infer(self, batch: Tensor) -> Description:
        """Describe what `preprocess` returned, in one pass of the network."""
        with torch.inference_mode():
            output = self._model(batch)
        codes, descriptor = output.codes, output.descriptor
        return Description(
            None if codes is None else codes.cpu().numpy(),
            None if descriptor is None else descriptor.cpu().numpy(),
        )

    def stream(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Description]:
        """Describe images of any number, one description a batch, in order.

        The iterable is consumed, and its images are preprocessed, by a thread that stays at most
        two batches ahead. An exception in the iterable is raised here, after the descriptions of
        the full batches before it. Abandoning the iterator ends the thread, after the image that
        it is at.
        """
        free = threading.Semaphore(_PREFETCHED_BATCHES)
        batches: queue.SimpleQueue[Tensor | BaseException | None] = queue.SimpleQueue()
        stopped = threading.Event()

        def produce() -> None:
            try:
                for batch in self._preprocessed_batches(images):
                    free.acquire()
                    if stopped.is_set():
                        return
                    batches.put(batch)
                batches.put(None)
            except BaseException as error:  # the thread's outermost frame: handed to the consumer
                batches.put(error)

        thread = threading.Thread(target=produce, name="describer-prefetch", daemon=True)
        thread.start()
        try:
            while (batch := batches.get()) is not None:
                if isinstance(batch, BaseException):
                    raise batch
                free.release()
                yield self.infer(batch)
        finally:
            stopped.set()
            free.release()
            thread.join()

    def _preprocessed_batches(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Tensor]:
        batch: list[Tensor] = []
        for image in images:
            batch.append(self.preprocess(image))
            if len(batch) == self.batch_size:
                yield torch.cat(batch)
                batch = []
        if batch:
            yield torch.cat(batch)

    def _to_device(self, images: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(images).to(self._device)


def load_describer(
    weights: str, device: str = "auto", precision: str = "auto", batch_size: int = 8
) -> Describer:
    """Return a describer for weights that `SelaVPR.from_pretrained` knows.

    Raises WeightsError, WeightsUnavailableError, DeviceError.
    """
    return Describer(SelaVPR.from_pretrained(weights), device, precision, batch_size)


def _torch_device(device: str) -> torch.device:
    available = torch.cuda.is_available()
    if device == "auto":
        return torch.device("cuda" if available else "cpu")
    return torch.device(device)


def _precision(precision: str, device: torch.device) -> str:
    if precision == "auto":
        return "fp16" if device.type == "cuda" else "fp32"
    return precision


def _as_list(images: Images) -> list[NDArray[np.uint8]]:
    """Return the images one by one, each checked to be [H, W, 3] uint8."""
    if isinstance(images, np.ndarray) and images.ndim == 3:
        images = [images]
    batch = list(images)
    if not batch:
        raise ValueError("no image to describe")
    for image in batch:
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            raise TypeError(f"an image must be a numpy array of uint8, not {type(image).__name__}")
        if image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(f"an image must be [H, W, 3] RGB, not {list(image.shape)}")
    return batch


def _joined(parts: list[Description]) -> Description:
    codes = [part.codes for part in parts if part.codes is not None]
    descriptors = [part.descriptors for part in parts if part.descriptors is not None]
    return Description(
        np.concatenate(codes) if codes else None,
        np.concatenate(descriptors) if descriptors else None,
    )
