"""From RGB images to codes and descriptors, on the device and in the precision asked for."""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selavpr_core.errors import DeviceError
from selavpr_core.model.inference import inference_copy
from selavpr_core.model.selavpr import SelaVPR
from selavpr_core.preprocessing import Preprocessing
from selavpr_core.weights.fingerprint import fingerprint

# One image [H, W, 3], a batch of them [N, H, W, 3], or images of any sizes.
Images: TypeAlias = "NDArray[np.uint8] | Sequence[NDArray[np.uint8]]"

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_PREFETCHED_BATCHES = 2

_logger = logging.getLogger("selavpr_core")


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
    precision: of the backbone and the adapters: "auto" (fp16 on CUDA, fp32 on the CPU), "fp32",
        "fp16" (CUDA only: no common CPU computes in it) or "bf16" (on a CPU with bfloat16
        instructions about twice as fast as fp32).
    batch_size: how many images go through the network at once.

    Attributes: `device`, `precision` (those in use), `batch_size`, `preprocessing`,
    `fingerprint` (64 hexadecimal digits over weights, settings and preprocessing), `source`,
    `preset`, `pretrained`, and `descriptor_dim`, `code_bytes` (None for a branch left out).

    Raises DeviceError where this machine cannot serve the device or the precision.
    """

    def __init__(
        self, model: SelaVPR, device: str = "auto", precision: str = "auto", batch_size: int = 8
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size {batch_size} must be at least 1")
        settings = model.settings
        self._device = _chosen_device(device)
        self.device = str(self._device)
        self.precision = _chosen_precision(precision, self._device)
        self.batch_size = batch_size
        self.preprocessing = Preprocessing(size=settings.input_size)
        self.fingerprint = fingerprint(model.state_dict(), settings)
        self.source = model.source or ""
        self.preset = settings.preset
        self.pretrained = model.pretrained
        self.descriptor_dim = settings.descriptor_dim if "float" in settings.branches else None
        self.code_bytes = settings.code_bits // 8 if "hash" in settings.branches else None
        self._model: SelaVPR | None = self._prepared(model)

    def _prepared(self, model: SelaVPR) -> SelaVPR:
        try:
            return inference_copy(model, self._device, _DTYPES[self.precision])
        except RuntimeError as error:  # out of GPU memory, or a driver that does not fit
            if self._device.type == "cpu":
                raise
            reason = str(error).strip().splitlines()[0]
            raise DeviceError(f"the model cannot be put on {self.device}: {reason}") from error

    def __call__(self, images: Images) -> Description:
        """Describe one image [H, W, 3], a batch [N, H, W, 3], or a list of [H, W, 3] of any sizes.

        Images are uint8 RGB. Raises TypeError or ValueError for anything else, and for no image.
        """
        batch = _as_list(images)
        return _joined(
            [
                self.infer(self.preprocess(batch[start : start + self.batch_size]))
                for start in range(0, len(batch), self.batch_size)
            ]
        )

    def preprocess(self, images: Images) -> Tensor:
        """Return what `infer` reads: [N, 3, height, width] float32 on the device.

        Takes the same, and raises the same, as calling the describer.
        """
        return torch.cat([self.preprocessing(self._uploaded(i)[None]) for i in _as_list(images)])

    def infer(self, batch: Tensor) -> Description:
        """Describe what `preprocess` returned, in one pass of the network."""
        if self._model is None:
            raise RuntimeError("this describer was closed")
        with torch.inference_mode():
            output = self._model(batch)
        return Description(
            None if output.codes is None else output.codes.cpu().numpy(),
            None if output.descriptor is None else output.descriptor.cpu().numpy(),
        )

    def stream(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Description]:
        """Describe images [H, W, 3] of any number and sizes: one description a batch, in order.

        The iterable is consumed, and its images are preprocessed, by a thread that stays at most
        two batches ahead. What the iterable raises is raised here, after the descriptions of the
        full batches before it. Abandoning the iterator ends the thread, after the image that it
        is at.
        """
        free = threading.Semaphore(_PREFETCHED_BATCHES - 1)  # one is made before it is asked for
        batches: queue.SimpleQueue[Tensor | BaseException | None] = queue.SimpleQueue()
        abandoned = threading.Event()

        def produce() -> None:
            try:
                for batch in self._preprocessed(images, abandoned):
                    batches.put(batch)
                    free.acquire()
                    if abandoned.is_set():
                        return
                batches.put(None)
            except BaseException as error:  # the thread's outermost frame: raised in the consumer
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
            abandoned.set()
            free.release()
            thread.join()

    def _preprocessed(
        self, images: Iterable[NDArray[np.uint8]], abandoned: threading.Event
    ) -> Iterator[Tensor]:
        """Yield the images in batches, until there are no more or nobody wants them."""
        batch: list[Tensor] = []
        for image in images:
            if abandoned.is_set():
                return
            batch.append(self.preprocess([image]))
            if len(batch) == self.batch_size:
                yield torch.cat(batch)
                batch = []
        if batch:
            yield torch.cat(batch)

    def _uploaded(self, image: NDArray[np.uint8]) -> Tensor:
        """Return an image as a tensor on the device."""
        if not image.flags.writeable:
            image = image.copy()  # torch warns about memory that it must not write to
        return torch.from_numpy(np.ascontiguousarray(image)).to(self._device)

    def close(self) -> None:
        """Free the network and the GPU memory that torch keeps for it; describing ends here."""
        if self._model is not None:
            self._model = None
            if self._device.type == "cuda":
                torch.cuda.empty_cache()

    def __del__(self) -> None:
        """Return the GPU memory of a describer that was dropped."""
        if hasattr(self, "_model"):  # not where __init__ refused its arguments
            self.close()


def load_describer(
    weights: str, device: str = "auto", precision: str = "auto", batch_size: int = 8
) -> Describer:
    """Return a describer for what `SelaVPR.from_pretrained` takes; a warning for untrained weights.

    Raises WeightsError, WeightsUnavailableError, DeviceError.
    """
    _chosen_precision(precision, _chosen_device(device))  # before anything is fetched
    describer = Describer(SelaVPR.from_pretrained(weights), device, precision, batch_size)
    _logger.info(
        "weights %s: preset %s on %s in %s, fingerprint %s",
        weights,
        describer.preset,
        describer.device,
        describer.precision,
        describer.fingerprint,
    )
    return describer


def _chosen_device(device: str) -> torch.device:
    available = torch.cuda.is_available()
    if device == "auto":
        return torch.device("cuda" if available else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise DeviceError(f"unknown device {device!r}: write auto, cpu, cuda or cuda:N")
    chosen = torch.device(device)
    if chosen.type == "cuda" and not available:
        raise DeviceError(
            f"device {device}: PyTorch finds no CUDA GPU on this machine; use device cpu or auto"
        )
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"device {device}: this machine has {torch.cuda.device_count()} GPU(s)")
    return chosen


def _chosen_precision(precision: str, device: torch.device) -> str:
    if precision == "auto":
        return "fp16" if device.type == "cuda" else "fp32"
    if precision not in _DTYPES:
        raise DeviceError(f"unknown precision {precision!r}: write auto, {', '.join(_DTYPES)}")
    if precision == "fp16" and device.type == "cpu":
        raise DeviceError("precision fp16 needs CUDA; on the CPU use fp32, or bf16 for speed")
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise DeviceError("precision bf16: this GPU does not support it; use fp16")
    return precision


def _as_list(images: Images) -> list[NDArray[np.uint8]]:
    """Return the images one by one, each checked to be [H, W, 3] uint8."""
    batch = [images] if isinstance(images, np.ndarray) and images.ndim < 4 else list(images)
    if not batch:
        raise ValueError("no image to describe")
    for image in batch:
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            kind = getattr(image, "dtype", type(image).__name__)
            raise TypeError(f"an image must be a numpy array of uint8, not of {kind}")
        if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(f"an image must be [H, W, 3] RGB, not {list(image.shape)}")
    return batch


def _joined(parts: Sequence[Description]) -> Description:
    if len(parts) == 1:
        return parts[0]
    codes = [part.codes for part in parts if part.codes is not None]
    descriptors = [part.descriptors for part in parts if part.descriptors is not None]
    return Description(
        np.concatenate(codes) if codes else None,
        np.concatenate(descriptors) if descriptors else None,
    )
