"""The configuration of a training run: YAML files, overrides, and what each key means."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from selavpr_core.model.settings import PATCH_SIZE, PRESETS
from training.errors import ConfigError
from training.run.yaml_file import parse_yaml

COMMAND_LINE = "the command line"

# What pydantic would say in the words of Python.
_WANTED = {
    "path_type": "a path",
    "model_type": "a section with keys of its own",
    "dict_type": "keys and values",
    "tuple_type": "a list [height, width]",
    "too_long": "a list [height, width]",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "string_pattern_mismatch": "a name of letters, digits, '.', '_' and '-'",
}

# A run may be resumed with other values of what carries this mark: they do not change the result,
# or only how far the run goes.
FREE_ON_RESUME = "free on resume"


def _multiple_of_patch(value: int) -> int:
    if value % PATCH_SIZE:
        raise ValueError(f"{value} is not a multiple of {PATCH_SIZE}")
    return value


# YAML has neither tuples nor paths: these fields alone take their nearest kin.
FilePath = Annotated[Path, Field(strict=False), AfterValidator(Path.expanduser)]
_Side = Annotated[int, Field(ge=PATCH_SIZE), AfterValidator(_multiple_of_patch)]
ImageSize = Annotated[tuple[_Side, _Side], Field(strict=False)]
Positive = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ModelConfig(_Section):
    """The network, what of it is trained, and what it starts from.

    preset: base, large, small or tiny.
    strategy: "multi-conv", "vanilla", "token-channel", "in-block", "partial:N", "full", "frozen".
    placement: of the adapters: "all", "last:N", "every:N"; null is the preset's own.
    head: of the float branch: "gem", "salad" or "boq".
    branches: what is trained. "float"; "hash", beside the float branch of `init`, which is frozen
        (without `init` the network has a hash branch alone); or "both" at once.
    init: weights to start from: a file of an earlier run, those that come with selavpr_ros
        ("tiny"), or published ones ("base", "large", ...).
        A hash branch that they lack starts with copies of the float branch's adapters; a branch
        without adapters, of a tuned or frozen backbone, is given them and keeps its head.
    backbone: without `init`: "dinov2" (fetched once from the Hugging Face hub), "tiny" (that of the
        weights that come with selavpr_ros), a file of DINOv2 weights or of an earlier run, or
        "random".
    layer_scale: what the blocks' LayerScale starts at in a random backbone; null is timm's 1e-5,
        with which a block that is not tuned does nearly nothing.
    local_start: whether the heads of a random backbone begin by looking at neighbouring patches.
    adapter_images: images by which the last block's adapter of the trained branches is set before
        the first step, to hand on what the blocks add; 0 for zeros, as published.
    head_images: images by which the last layer of the trained heads is centred and whitened before
        the first step, for head "gem"; 0 for random layers, as published.
    input_size: (height, width) in pixels at inference; null is the preset's.
    """

    preset: str = "base"
    strategy: str = "multi-conv"
    placement: str | None = None
    head: Literal["gem", "salad", "boq"] = "gem"
    branches: Literal["float", "hash", "both"] = "float"
    init: str | None = None
    backbone: str = "dinov2"
    layer_scale: Annotated[float | None, Field(gt=0)] = None
    local_start: bool = False
    adapter_images: Annotated[int, Field(ge=0)] = 0
    head_images: Annotated[int, Field(ge=0)] = 0
    input_size: ImageSize | None = None

    @model_validator(mode="after")
    def _fits(self) -> ModelConfig:
        if self.preset not in PRESETS:
            raise ValueError(f"unknown preset {self.preset!r}: choose one of {', '.join(PRESETS)}")
        return self


class DataConfig(_Section):
    """The index and the batches drawn from it.

    index: folder that `python -m training.prepare` wrote.
    roots: for each dataset whose images have moved since: its folder.
    places, images: of a batch, over all GPUs together: places x images an optimizer step.
    size: (height, width) in pixels. randaugment: operations an image, 0 for none.
    viewpoint, light: strengths, 0 (none) to 1, of random views (part, slant and turn of the image)
        and of random light, colour, things in the way and faults of the camera.
    workers: processes that load images, for each GPU; null is by the number of cores.
    """

    index: Annotated[FilePath, Field(json_schema_extra={FREE_ON_RESUME: True})]
    roots: Annotated[dict[str, FilePath], Field(json_schema_extra={FREE_ON_RESUME: True})] = {}
    places: Annotated[int, Field(ge=2)] = 120
    images: Annotated[int, Field(ge=2)] = 4
    size: ImageSize = (224, 224)
    randaugment: Annotated[int, Field(ge=0)] = 3
    viewpoint: Annotated[float, Field(ge=0, le=1)] = 0.0
    light: Annotated[float, Field(ge=0, le=1)] = 0.0
    workers: Annotated[int | None, Field(ge=0, json_schema_extra={FREE_ON_RESUME: True})] = None


class LossConfig(_Section):
    """The losses; the float branch has the multi-similarity loss alone.

    hashing: the hash branch's method: "selavpr++", "direct", "lc", "sc" or "ste".
    weight: of the constraint, where the method has one. pair_fraction: share of the pairs that it
        looks at.
    """

    hashing: Literal["selavpr++", "direct", "lc", "sc", "ste"] = "selavpr++"
    weight: Annotated[float, Field(ge=0)] = 0.1
    pair_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0


class OptimizerConfig(_Section):
    """The optimizer and its schedule.

    schedule: "halving": Adam, whose learning rate is halved every `halve_every` epochs; or
        "cosine": AdamW, whose learning rate falls to zero along half a cosine, over all epochs.
    muon: how many times as far as AdamW Muon moves the matrices of those blocks of the backbone
        that are trained, in its place (schedule "cosine"); null for AdamW.
    weight_decay: of Adam; or of AdamW, decoupled, and of matrices and kernels alone.
    warmup: first steps, in which the learning rate rises from zero.
    clip: greatest length of the gradient of all that is trained; null for any.
    """

    learning_rate: Annotated[float, Field(gt=0)] = 4e-4
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["halving", "cosine"] = "halving"
    muon: Annotated[float | None, Field(gt=0)] = None
    halve_every: Positive = 3
    warmup: Annotated[int, Field(ge=0)] = 0
    clip: Annotated[float | None, Field(gt=0)] = None

    @model_validator(mode="after")
    def _fits(self) -> OptimizerConfig:
        if self.muon and self.schedule != "cosine":
            raise ValueError("muon goes with AdamW: make schedule cosine, or leave muon out")
        return self


class DistillationConfig(_Section):
    """A teacher whose features the backbone learns to predict (model.strategy full).

    teacher: ONNX file that takes an image N x 3 x H x W, RGB in [-1, 1].
    map: name of a tensor N x C x h x w in it, an output or one between its layers.
    size: (height, width) in pixels that he sees images in; null is `data.size`.
    weight: of the distillation loss. metric_weight: of the branches' own loss.
    views: the teacher looks at so many views of each image before the training, which then sees
        no others, but each in a new light every time; 0: he looks at every batch as it is.
    keep: share of the patches, at most, that go through the blocks, all those of some of the
        teacher's cells, drawn anew each step; the loss looks at these cells.
    """

    teacher: Annotated[FilePath, Field(json_schema_extra={FREE_ON_RESUME: True})]
    map: str
    size: Annotated[tuple[Positive, Positive], Field(strict=False)] | None = None
    weight: Annotated[float, Field(ge=0)] = 1.0
    metric_weight: Annotated[float, Field(ge=0)] = 0.0
    views: Annotated[int, Field(ge=0)] = 0
    keep: Annotated[float, Field(gt=0, le=1)] = 1.0


class TrainerConfig(_Section):
    """How long, where and in which precision.

    epochs: at most. patience: epochs without a better validation until the run stops.
    max_steps: optimizer steps at most; null for no limit.
    checkpoint_every: steps between two checkpoints; each epoch ends with one, too.
    accelerator: "auto" (CUDA where there is one), "cpu", "cuda".
    precision: "auto" ("16-mixed" on CUDA, as published, and "32" on a CPU), "16-mixed",
        "bf16-mixed" or "32".
    devices: GPUs a node (on a CPU: processes), "auto" for all. nodes: machines.
    """

    epochs: Annotated[Positive, Field(json_schema_extra={FREE_ON_RESUME: True})] = 25
    patience: Positive = 12
    max_steps: Annotated[Positive | None, Field(json_schema_extra={FREE_ON_RESUME: True})] = None
    checkpoint_every: Annotated[Positive, Field(json_schema_extra={FREE_ON_RESUME: True})] = 500
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    # Written without quotes, 32 is a number to YAML.
    precision: Annotated[
        Literal["auto", "16-mixed", "bf16-mixed", "32"],
        BeforeValidator(lambda value: "32" if value == 32 else value),
    ] = "auto"
    devices: Annotated[
        Positive | Literal["auto"], Field(json_schema_extra={FREE_ON_RESUME: True})
    ] = 1
    nodes: Annotated[Positive, Field(json_schema_extra={FREE_ON_RESUME: True})] = 1


class ValidationConfig(_Section):
    """The set whose R@1 + R@5 decides which epoch is best.

    set, root: a published set and its folder; or
    database, queries: two folders of images with positions in their names, or two CSV files.
    radius: metres within which a database image is a right one; null is what the set is published
        with, 25 for a pair. heading: degrees that headings may differ by; null: not compared.
    batch_size: images described at once.
    """

    set: str | None = None
    root: Annotated[FilePath | None, Field(json_schema_extra={FREE_ON_RESUME: True})] = None
    database: FilePath | None = None
    queries: FilePath | None = None
    radius: Annotated[float | None, Field(gt=0)] = None
    heading: Annotated[float | None, Field(ge=0, le=180)] = None
    batch_size: Annotated[Positive, Field(json_schema_extra={FREE_ON_RESUME: True})] = 32

    @model_validator(mode="after")
    def _one_kind(self) -> ValidationConfig:
        named = (self.set is not None, self.root is not None)
        own = (self.database is not None, self.queries is not None)
        if not (any(named) or any(own)) or (any(named) and any(own)):
            raise ValueError("give either set and root, or database and queries")
        if any(named) and not all(named):
            raise ValueError("set and root belong together: give both")
        if any(own) and not all(own):
            raise ValueError("database and queries belong together: give both")
        return self


class Config(_Section):
    """A training run; what is left out has the published value.

    name: of the run; its folder is `output`/`name`. seed: of everything random.
    distillation: null for none. validation: null for none: then the last epoch's weights are the
        best.
    """

    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][\w.-]*$", json_schema_extra={FREE_ON_RESUME: True}),
    ]
    output: Annotated[FilePath, Field(json_schema_extra={FREE_ON_RESUME: True})] = Path("runs")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    model: ModelConfig = ModelConfig()
    data: DataConfig
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    distillation: DistillationConfig | None = None
    trainer: TrainerConfig = TrainerConfig()
    validation: ValidationConfig | None = None

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.output / self.name

    def to_yaml(self) -> str:
        """Return the full configuration, defaults included, as `load_config` reads it."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Return the configuration of a YAML file with overrides like "optimizer.learning_rate=1e-4".

    An override's value is YAML: `data.size=[224, 224]`, `validation=null`. Raises ConfigError for a
    file that cannot be read, an unknown key (the nearest is suggested) or an unfit value, always
    with the key and with where it came from.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise ConfigError(f"configuration {path} cannot be read: {reason}") from error
    values = parse_yaml(text, f"configuration {path}")
    if not isinstance(values, dict):
        raise ConfigError(f"configuration {path}: its outermost level must be keys and values")
    overridden = [_override(values, override) for override in overrides]
    return _validated(values, f"configuration {path}", overridden)


def _override(values: dict[str, Any], override: str) -> str:
    """Set the value of "a.b=value" in nested dictionaries; return the key."""
    key, equals, text = override.partition("=")
    parts = key.split(".")
    if not equals or not all(parts):
        raise ConfigError(f"{override!r} on {COMMAND_LINE}: write key=value, such as seed=1")
    section = values
    for part in parts[:-1]:
        if section.get(part) is None:
            section[part] = {}
        section = section[part]
        if not isinstance(section, dict):
            raise ConfigError(f"{key} on {COMMAND_LINE}: {part} is a value without keys of its own")
    section[parts[-1]] = parse_yaml(text, f"{key} on {COMMAND_LINE}")
    return key


def _validated(values: dict[str, Any], origin: str, overridden: Sequence[str]) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # In "a or b" types pydantic adds the name of the alternative to the place of the fault.
        parts = _known_place(values, first["loc"])
        key = ".".join(str(part) for part in parts)
        given = any(
            key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.")
            for other in overridden
        )
        where = COMMAND_LINE if given else origin
        raise ConfigError(f"{where}: {_complaint(key, parts, first)}") from error


def _known_place(values: Any, place: Sequence[str | int]) -> list[str | int]:
    parts: list[str | int] = []
    for part in place:
        if isinstance(values, Mapping):
            parts.append(part)
            values = values.get(part)
        elif isinstance(values, list) and isinstance(part, int):
            parts.append(part)
            values = values[part] if part < len(values) else None
    return parts


def _complaint(key: str, parts: Sequence[str | int], error: Any) -> str:
    if error["type"] == "extra_forbidden":
        nearest = _nearest(key)
        return f"unknown key {key}" + (f": did you mean {nearest}?" if nearest else "")
    if error["type"] == "missing":
        return f"{key} is missing: give it in the file, or as {key}=... on the command line"
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']}"
    wanted = _WANTED.get(error["type"], error["msg"].removeprefix("Input should be "))
    given = error["input"]
    shown = "null" if given is None else repr(given)
    return f"{key} is {shown}, but must be {wanted}"


def _nearest(key: str) -> str | None:
    """Return the known key that looks most like an unknown one: in its section, then anywhere."""
    known = list(_keys(Config))
    section, _, name = key.rpartition(".")
    siblings = {k.rpartition(".")[2]: k for k in known if k.rpartition(".")[0] == section}
    found = difflib.get_close_matches(name, siblings, n=1)
    if found:
        return siblings[found[0]]
    elsewhere = {k.rpartition(".")[2]: k for k in known}
    found = difflib.get_close_matches(name, elsewhere, n=1)
    return elsewhere[found[0]] if found else None


def _keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all keys."""
    for name, field in section.model_fields.items():
        yield prefix + name
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _keys(kind, f"{prefix}{name}.")


def leaves(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of every key that is no section."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def changed_keys(saved: Config, now: Config) -> list[str]:
    """Return the keys in which two configurations differ and that change a run's result."""
    changed = list(_changed(saved, now, ""))
    if saved.optimizer.schedule == "cosine" and saved.trainer.epochs != now.trainer.epochs:
        changed.append("trainer.epochs")  # every learning rate depends on them
    return changed


def _changed(saved: BaseModel, now: BaseModel, prefix: str) -> Iterator[str]:
    for name, field in type(saved).model_fields.items():
        old, new = getattr(saved, name), getattr(now, name)
        if isinstance(old, BaseModel) and isinstance(new, BaseModel):
            yield from _changed(old, new, f"{prefix}{name}.")
        elif old != new and not _free(field):
            yield prefix + name


def _free(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return isinstance(extra, dict) and FREE_ON_RESUME in extra
