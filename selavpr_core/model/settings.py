"""Everything that is needed to build the network, and the presets it comes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, Field, asdict, dataclass, fields
from typing import Any

PATCH_SIZE = 14
BRANCHES = ("float", "hash")
# Side networks, adapters inside the blocks, or none at all.
SIDE_ADAPTERS = ("multi-conv", "vanilla", "token-channel")
ADAPTERS = (*SIDE_ADAPTERS, "in-block", "none")
# Heads of the float branch, and the length of the descriptor where the head fixes it.
SALAD_CLUSTERS, SALAD_CLUSTER_DIM, SALAD_TOKEN_DIM = 64, 128, 256
BOQ_CHANNELS, BOQ_ROW_DIM = 384, 32
_HEAD_DIMS = {
    "gem": None,
    "salad": SALAD_CLUSTERS * SALAD_CLUSTER_DIM + SALAD_TOKEN_DIM,
    "boq": BOQ_CHANNELS * BOQ_ROW_DIM,
}
HEADS = tuple(_HEAD_DIMS)


@dataclass(frozen=True)
class ModelSettings:
    """Architecture and input size of a SelaVPR network.

    preset: name of the preset that it came from.
    embed_dim, depth, num_heads: channels, blocks and attention heads of the vision transformer.
    native_size: side in pixels of the images that the backbone was pretrained on; its position
        embedding has (native_size / 14)^2 + 1 rows.
    adapted_blocks: ascending 1-based numbers of the blocks that have an adapter in each branch
        (or inside, for "in-block"); none for the adapter "none".
    descriptor_dim: length of the float descriptor.
    code_bits: length of the binary code, a multiple of 8.
    branches: "float", "hash" or both, in this order.
    input_size: (height, width) in pixels at inference, multiples of 14.
    adapter: one of ADAPTERS; all but "in-block" and "none" are side networks.
    head: one of HEADS, for the float branch; the hash branch always has "gem".

    Raises ValueError where a size is no positive whole number, or these contradict each other.
    """

    preset: str
    embed_dim: int
    depth: int
    num_heads: int
    native_size: int
    adapted_blocks: tuple[int, ...]
    descriptor_dim: int
    code_bits: int
    branches: tuple[str, ...]
    input_size: tuple[int, int]
    adapter: str = "multi-conv"
    head: str = "gem"

    def __post_init__(self) -> None:
        for name in ("embed_dim", "depth", "num_heads", "native_size", "descriptor_dim"):
            _check_size(name, getattr(self, name))
        _check_size("code_bits", self.code_bits)
        for name in ("adapted_blocks", "input_size"):
            values = getattr(self, name)
            if not isinstance(values, tuple):
                raise ValueError(f"{name} {values!r} must be a tuple of whole numbers")
            for value in values:
                _check_size(name, value)
        if self.embed_dim % self.num_heads or self.embed_dim % 32:
            raise ValueError(
                f"embed_dim {self.embed_dim} must be a multiple of 32 and of num_heads "
                f"{self.num_heads}"
            )
        if self.native_size < PATCH_SIZE or self.native_size % PATCH_SIZE:
            raise ValueError(f"native_size {self.native_size} is not a multiple of {PATCH_SIZE}")
        self._check_adapters()
        if self.branches not in (("float",), ("hash",), BRANCHES):
            raise ValueError(f"branches {self.branches} must be 'float', 'hash' or both")
        if self.code_bits % 8:
            raise ValueError(f"code_bits {self.code_bits} is not a multiple of 8")
        check_image_size(self.input_size)
        self._check_head()

    def _check_adapters(self) -> None:
        _check_choice("adapter", self.adapter, ADAPTERS)
        blocks = self.adapted_blocks
        if self.adapter == "none":
            if blocks:
                raise ValueError(f"adapted_blocks {blocks} must be empty for adapter 'none'")
        elif not blocks or list(blocks) != sorted(set(blocks)) or blocks[-1] > self.depth:
            raise ValueError(
                f"adapted_blocks {blocks} must be ascending block numbers in 1..{self.depth}"
            )

    def _check_head(self) -> None:
        _check_choice("head", self.head, HEADS)
        fixed = _HEAD_DIMS[self.head]
        if fixed is None:
            return
        if "float" not in self.branches:
            raise ValueError(f"head {self.head!r} needs the float branch: the hash branch has gem")
        if self.descriptor_dim != fixed:
            raise ValueError(
                f"descriptor_dim {self.descriptor_dim} contradicts head {self.head!r}, whose "
                f"descriptors have {fixed} values"
            )
        height, width = (side // PATCH_SIZE for side in self.input_size)
        if self.head == "salad" and height * width <= SALAD_CLUSTERS:
            raise ValueError(
                f"input_size {self.input_size} has too few patches for head 'salad': "
                f"{height} x {width}, and it needs more than {SALAD_CLUSTERS}"
            )

    @property
    def native_grid(self) -> int:
        """Patches along one side of the images that the backbone was pretrained on."""
        return self.native_size // PATCH_SIZE

    def to_json(self) -> dict[str, Any]:
        """Return the settings as a dictionary of JSON values.

        Fields that came later are left out where they have their default, so that files and
        fingerprints made before them stay valid.
        """
        later = {field.name: field.default for field in fields(self) if _is_later(field)}
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in later or value != later[name]
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ModelSettings:
        """Build settings from what `to_json` returned; ValueError for another set of keys."""
        names = {field.name for field in fields(cls)}
        required = {field.name for field in fields(cls) if not _is_later(field)}
        if not required <= set(values) <= names:
            differing = ", ".join(sorted((required - set(values)) | (set(values) - names)))
            raise ValueError(f"model settings with missing or unknown keys: {differing}")
        lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **lists})


def _is_later(field: Field[Any]) -> bool:
    return field.default is not MISSING


def _check_choice(name: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}: choose one of {', '.join(known)}")


def _check_size(name: str, value: object) -> None:
    # Exactly int: these come from files, and True is an int to isinstance.
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} {value!r} must be a positive whole number")


def check_image_size(size: Sequence[int]) -> None:
    """Raise ValueError unless (height, width) are positive multiples of the patch size."""
    if len(size) != 2 or any(side < PATCH_SIZE or side % PATCH_SIZE for side in size):
        shown = " x ".join(str(side) for side in size)
        raise ValueError(f"image size {shown} must be height x width in multiples of {PATCH_SIZE}")


@dataclass(frozen=True)
class _Preset:
    embed_dim: int
    depth: int
    num_heads: int
    native_size: int
    adapters: str
    descriptor_dim: int
    input_size: tuple[int, int]


# base and large are the published ones; small follows their proportions; tiny is for machines
# without a GPU and has no published backbone.
_PRESETS = {
    "base": _Preset(768, 12, 12, 518, "all", 2048, (322, 322)),
    "large": _Preset(1024, 24, 16, 518, "last:16", 4096, (322, 322)),
    "small": _Preset(384, 12, 6, 518, "all", 2048, (322, 322)),
    "tiny": _Preset(384, 3, 6, 224, "last:1", 1024, (224, 224)),
}
PRESETS = tuple(_PRESETS)
CODE_BITS = 512


def preset_settings(
    preset: str,
    *,
    branches: Sequence[str] = BRANCHES,
    adapters: str | None = None,
    input_size: tuple[int, int] | None = None,
    adapter: str = "multi-conv",
    head: str = "gem",
) -> ModelSettings:
    """Return the settings of a preset, with what differs from it.

    adapters: where they are: "all", "last:N" or "every:N" (blocks N, 2N, ...). By default the
        preset's own placement, and "all" for "in-block".
    adapter, head: see `ModelSettings`. The descriptor is as long as the head makes it.
    Raises ValueError for an unknown preset, placement, branch, adapter or head, or a wrong size.
    """
    _check_choice("preset", preset, PRESETS)
    _check_choice("head", head, HEADS)
    values = _PRESETS[preset]
    if adapter == "none" and adapters is not None:
        raise ValueError(f"adapters {adapters!r} contradict adapter 'none': leave them out")
    return ModelSettings(
        preset=preset,
        embed_dim=values.embed_dim,
        depth=values.depth,
        num_heads=values.num_heads,
        native_size=values.native_size,
        adapted_blocks=_adapted_blocks(adapters, adapter, values),
        descriptor_dim=_HEAD_DIMS[head] or values.descriptor_dim,
        code_bits=CODE_BITS,
        branches=tuple(branches),
        input_size=input_size or values.input_size,
        adapter=adapter,
        head=head,
    )


def _adapted_blocks(placement: str | None, adapter: str, preset: _Preset) -> tuple[int, ...]:
    if adapter == "none":
        return ()
    return placed_blocks(
        placement or ("all" if adapter == "in-block" else preset.adapters), preset.depth
    )


def placed_blocks(adapters: str, depth: int) -> tuple[int, ...]:
    """Return the 1-based block numbers that "all", "last:N" or "every:N" stand for.

    Raises ValueError for anything else, and for N outside 1..depth.
    """
    if adapters == "all":
        return tuple(range(1, depth + 1))
    kind, _, number = adapters.partition(":")
    if kind in ("last", "every") and number.isdecimal() and 1 <= int(number) <= depth:
        if kind == "last":
            return tuple(range(depth - int(number) + 1, depth + 1))
        return tuple(range(int(number), depth + 1, int(number)))
    raise ValueError(f"adapters {adapters!r}: write all, last:N or every:N with N in 1..{depth}")
