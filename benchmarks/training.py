"""Measure training steps of every strategy: time, memory, trained parameters, and their ratios.

Run `python -m benchmarks.training`; `--help` lists the options. Networks with random weights are
trained on random images with the method's losses and optimizer, in mixed precision (float16 on
CUDA, bfloat16 on a CPU). All rows come from one run, so that ratios compare like with like.

Memory on CUDA is the peak that PyTorch had allocated, and reserved, during the steps. On a CPU it
is counted: the bytes of all tensors alive at one time at most, parameters, gradients and optimizer
included. That is what a GPU would hold too, but for the workspaces of its kernels; "held" is what
of it the backward pass waits for, per image. The median time is printed.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import sys
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from tqdm import tqdm

# Run by its path, this file would be found where the package `training` is looked for.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from selavpr_core.model import PRESETS, SelaVPR
from training.batches import normalised
from training.command import Parser, run
from training.errors import TrainingError
from training.losses import float_loss, hash_loss
from training.run.kernels import choose_kernels
from training.strategies import Branch, build_model, prepare_for_training, set_training_mode

LEARNING_RATE = 4e-4
WARM_UP = 2
SIDE_NETWORKS = ("multi-conv", "vanilla", "token-channel")

# The published implementation, 120 x 4 images of 224 x 224 on one H200: ms and GB a step.
PUBLISHED = {
    ("base", "float"): (240.0, 12.0),
    ("base", "hash"): (274.0, 12.5),
    ("large", "float"): (525.0, 19.9),
    ("large", "hash"): (581.0, 20.5),
}


@dataclass(frozen=True)
class Case:
    """A row of the table: which network, and which of its branches a step trains."""

    preset: str
    strategy: str
    branches: tuple[str, ...]
    train: tuple[Branch, ...]

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.strategy}, {' + '.join(self.train)}"


@dataclass
class Figures:
    """What was measured of a case; None for what this device does not tell.

    milliseconds: median of the steps. peak_bytes: allocated by PyTorch on CUDA, counted on a CPU.
    reserved_bytes: by PyTorch's allocator, CUDA only. held_bytes: per image, between the forward
    and the backward pass. trainable: parameters. failure: why there are no figures.
    """

    milliseconds: float | None = None
    peak_bytes: int | None = None
    reserved_bytes: int | None = None
    held_bytes: int | None = None
    trainable: int = 0
    failure: str | None = None


class LiveTensors(TorchDispatchMode):
    """Counts the bytes of tensors that are alive, and the most at one time.

    Tensors are counted from when an operation returns them; `add` counts those made before.
    """

    def __init__(self) -> None:
        super().__init__()
        self.alive = 0
        self.peak = 0
        self._known: set[int] = set()

    def add(self, tensor: Tensor) -> None:
        """Count a tensor's storage until it is freed."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._freed, key, size)

    def _freed(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.alive -= size

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        tree_map_only(Tensor, self.add, result)
        return result


class Step:
    """One step of training after another, as the training loop does them."""

    def __init__(self, model: SelaVPR, case: Case, images: Tensor, labels: Tensor) -> None:
        self.case, self.images, self.labels = case, images, labels
        self.parameters = prepare_for_training(model, case.strategy, case.train)
        set_training_mode(model, case.strategy, case.train)
        self.model = model
        self.losses = {"float": float_loss(), "hash": hash_loss()}
        device = images.device.type
        self.optimizer = torch.optim.Adam(self.parameters, lr=LEARNING_RATE, fused=device == "cuda")
        self.half = torch.float16 if device == "cuda" else torch.bfloat16
        self.scaler = torch.amp.GradScaler(device, enabled=device == "cuda")

    def __call__(self, between: Callable[[], None] = lambda: None) -> None:
        """Train one step; `between` is called after the forward pass and the loss."""
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.images.device.type, self.half):
            output = self.model(normalised(self.images), branches=self.case.train)
        vectors = {"float": output.descriptor, "hash": output.hash}
        losses = [self.losses[name](vectors[name], self.labels).total for name in self.case.train]
        loss = torch.stack(losses).sum()
        between()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()


def cases(preset: str, partial: int, wanted: Sequence[str] | None) -> Iterator[Case]:
    """Yield the rows of a preset, those of the wanted strategies alone where any are named."""
    for strategy in (*SIDE_NETWORKS, "in-block", f"partial:{partial}", "full", "frozen"):
        if wanted and strategy not in wanted:
            continue
        yield Case(preset, strategy, ("float",), ("float",))
        if strategy in SIDE_NETWORKS:
            yield Case(preset, strategy, ("float", "hash"), ("hash",))
            yield Case(preset, strategy, ("float", "hash"), ("float", "hash"))


def measure(case: Case, options: argparse.Namespace, device: torch.device) -> Figures:
    """Train some steps of a case and return its figures; running out of memory is a figure too."""
    places, images_each = options.batch
    generator = torch.Generator().manual_seed(0)
    shape = (places * images_each, 3, options.size, options.size)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator).to(device)
    labels = torch.arange(places, device=device).repeat_interleave(images_each)
    figures = Figures()
    try:
        model = build_model(case.preset, case.strategy, branches=case.branches).to(device)
        model.recompute_adapters = not options.keep
        step = Step(model, case, images, labels)
        figures.trainable = sum(parameter.numel() for parameter in step.parameters)
        if device.type == "cuda":
            _measure_cuda(step, options.steps, figures)
        else:
            _measure_cpu(step, options.steps, figures)
    except torch.cuda.OutOfMemoryError:
        figures.failure = "out of memory"
    return figures


def _measure_cuda(step: Step, steps: int, figures: Figures) -> None:
    device = step.images.device
    for _ in range(WARM_UP):
        step()
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    step.optimizer.zero_grad(set_to_none=True)
    before = torch.cuda.memory_allocated(device)
    after: list[int] = []
    times = []
    for _ in range(steps):
        started = time.perf_counter()
        step(lambda: after.append(torch.cuda.memory_allocated(device)))
        torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    figures.milliseconds = 1e3 * float(np.median(times))
    figures.peak_bytes = torch.cuda.max_memory_allocated(device)
    figures.reserved_bytes = torch.cuda.max_memory_reserved(device)
    figures.held_bytes = (after[0] - before) // len(step.images)


def _measure_cpu(step: Step, steps: int, figures: Figures) -> None:
    times = []
    for number in range(WARM_UP + steps):
        started = time.perf_counter()
        step()
        if number >= WARM_UP:
            times.append(time.perf_counter() - started)
    step.optimizer.zero_grad(set_to_none=True)
    gc.collect()
    with counted_tensors(step) as live:
        before = live.alive
        step(lambda: setattr(figures, "held_bytes", (live.alive - before) // len(step.images)))
    # Counting slows a step down: the times are those of the steps before.
    figures.milliseconds = 1e3 * float(np.median(times))
    figures.peak_bytes = live.peak


@contextmanager
def counted_tensors(step: Step) -> Iterator[LiveTensors]:
    """Count from what a step starts with: parameters, buffers, the optimizer's state, images."""
    with LiveTensors() as live:
        for tensor in (*step.model.parameters(), *step.model.buffers(), step.images, step.labels):
            live.add(tensor)
        for state in step.optimizer.state.values():
            tree_map_only(Tensor, live.add, state)
        yield live


def ratio(value: float | None, reference: float | None) -> float | None:
    """Return value / reference, None where one of them was not measured."""
    return None if value is None or not reference else value / reference


def with_ratios(rows: list[tuple[Case, Figures]], options: argparse.Namespace) -> list[dict]:
    """Return the rows as JSON values, with ratios to full and partial tuning of the same preset.

    Where the batch is the published one, on CUDA, also to the published implementation on an H200.
    """
    by_name = {(case.preset, case.strategy): f for case, f in rows if case.train == ("float",)}
    whole = tuple(options.batch) == (120, 4) and options.size == 224 and options.device == "cuda"
    result = []
    for case, figures in rows:
        row: dict[str, Any] = {**asdict(case), **asdict(figures), "ratios": {}}
        for name, strategy in (("full", "full"), ("partial", f"partial:{options.partial}")):
            other = by_name.get((case.preset, strategy), Figures())
            row["ratios"][name] = {
                "time": ratio(figures.milliseconds, other.milliseconds),
                "memory": ratio(figures.peak_bytes, other.peak_bytes),
            }
        key = (case.preset, "".join(case.train))
        if whole and case.strategy == "multi-conv" and key in PUBLISHED:
            milliseconds, gigabytes = PUBLISHED[key]
            row["ratios"]["published"] = {
                "time": ratio(figures.milliseconds, milliseconds),
                "memory": ratio(figures.peak_bytes, gigabytes * 1e9),
            }
        result.append(row)
    return result


def print_table(rows: list[dict[str, Any]], report: dict[str, Any]) -> None:
    """Print the figures of all cases, one line each."""
    places, images = report["batch"]
    print(
        f"{report['machine']}, PyTorch {report['torch']}, {report['precision']}, "
        f"{places} places x {images} images of {report['size']} x {report['size']}"
    )
    for preset in dict.fromkeys(row["preset"] for row in rows):
        print(
            f"\n{preset:24}{'ms/step':>10}{'peak GB':>9}{'held MB/img':>13}{'trained':>13}"
            f"{'time/full':>11}{'mem/full':>10}{'time/part.':>12}{'mem/part.':>11}"
        )
        for row in rows:
            if row["preset"] != preset:
                continue
            name = f"  {row['strategy']}, {' + '.join(row['train'])}"
            if row["failure"]:
                print(f"{name:28}{row['failure']}")
                continue
            full, partial = row["ratios"]["full"], row["ratios"]["partial"]
            print(
                f"{name:24}{row['milliseconds']:10.0f}{row['peak_bytes'] / 1e9:9.2f}"
                f"{row['held_bytes'] / 1e6:13.1f}{row['trainable']:13,}"
                f"{_shown(full['time']):>11}{_shown(full['memory']):>10}"
                f"{_shown(partial['time']):>12}{_shown(partial['memory']):>11}"
            )
            if published := row["ratios"].get("published"):
                print(
                    f"{'':6}published on an H200: {_shown(published['time'])} of its time, "
                    f"{_shown(published['memory'])} of its memory"
                )
    for line in report["not_measured"]:
        print(f"\nnot measured: {line}")


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def report_of(rows: list[tuple[Case, Figures]], options: argparse.Namespace) -> dict[str, Any]:
    """Return everything that is printed, as JSON values."""
    cuda = options.device == "cuda"
    machine = torch.cuda.get_device_name() if cuda else platform.processor() or platform.machine()
    missing = (
        []
        if cuda
        else [
            "time and peak memory on a GPU (there is none here): ms are this CPU's, on "
            f"{torch.get_num_threads()} thread(s), and GB are counted tensors"
        ]
    )
    return {
        "machine": machine,
        "torch": torch.__version__,
        "device": options.device,
        "precision": "float16 mixed" if cuda else "bfloat16 mixed",
        "batch": list(options.batch),
        "size": options.size,
        "steps": options.steps,
        "adapters_recomputed": not options.keep,
        "not_measured": missing,
        "rows": with_ratios(rows, options),
    }


def main(argv: Sequence[str]) -> None:
    """Measure every preset and strategy that the command line asks for."""
    parser = Parser(
        prog="python -m benchmarks.training", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=["base", "large"])
    parser.add_argument("--strategies", nargs="+", help="only these, such as multi-conv full")
    parser.add_argument(
        "--batch",
        type=whole_number,
        nargs=2,
        default=[120, 4],
        metavar=("P", "K"),
        help="places, images",
    )
    parser.add_argument("--size", type=whole_number, default=224, help="pixels on a side")
    parser.add_argument("--steps", type=whole_number, default=5, help="measured steps of each row")
    parser.add_argument(
        "--partial", type=whole_number, default=4, help="blocks that partial tuning tunes"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--keep", action="store_true", help="keep adapters' and heads' inner values: more memory"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    options = parser.parse_args(argv)
    available = torch.cuda.is_available()
    if options.device == "auto":
        options.device = "cuda" if available else "cpu"
    if options.device == "cuda" and not available:
        raise TrainingError("no CUDA GPU on this machine: use --device cpu")
    if options.size % 14:
        raise TrainingError(f"--size {options.size} must be a multiple of 14")
    wanted = [c for p in options.presets for c in cases(p, options.partial, options.strategies)]
    if not wanted:
        raise TrainingError(f"no strategy of {', '.join(options.strategies)} to measure")
    device = torch.device(options.device)
    if device.type == "cuda":
        choose_kernels("16-mixed")
    rows = []
    progress = tqdm(wanted, "training", leave=False, disable=None)
    for case in progress:
        progress.set_postfix_str(f"{case.preset}, {case.name}")
        rows.append((case, measure(case, options, device)))
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
    report = report_of(rows, options)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print_table(report["rows"], report)


def whole_number(text: str) -> int:
    """Return the number that an option was given, at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


if __name__ == "__main__":
    sys.exit(run(main))
