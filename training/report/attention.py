"""Attention maps: which parts of an image a descriptor is made of (Fig. 6 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from selavpr_core.model import SelaVPR
from selavpr_core.model.heads import GeMHead
from selavpr_core.model.settings import SIDE_ADAPTERS
from selavpr_core.preprocessing import Preprocessing
from training.errors import UndecodableImageError
from training.evaluation.reading import read_query
from training.report.thumbnails import Picture, fitted, picture

_WIDTH, _HEIGHT = 320, 240
_CONTOURS, _COARSE = 0.7, 10.0  # strength of the image's contours; pixels that are not fine
_FULL_SHARE = 99.0  # percentile of all values that the colour scale ends at
_STEPS = 12  # of the colour bar


@dataclass(frozen=True)
class AttentionRow:
    """The maps of one image.

    query: its number. image: without a map. maps: by name of the branch, the backbone's first.
    """

    query: int
    image: Picture
    maps: dict[str, Picture]


@dataclass(frozen=True)
class Attention:
    """Maps of several images on one colour scale.

    top: the value at the end of the scale, in shares of an even map. colours: of the scale from 0
    to `top`, as CSS colours.
    """

    rows: tuple[AttentionRow, ...]
    top: float
    colours: tuple[str, ...]


def draw_attention(
    model: SelaVPR,
    images: Sequence[Path],
    queries: Sequence[int],
    shorter_side: int | None = None,
) -> Attention | None:
    """Draw, for some of the images, what each location adds to the descriptor.

    images: files of all queries. queries: numbers of those to draw; one that cannot be read is
    left out. shorter_side: as the evaluation reduced them, see `read_query`.

    None where none is left. The model computes on the device it is on, in eval mode, an
    image at a time; its mode is left as it was.
    """
    preprocess = Preprocessing(size=model.settings.input_size)
    device = next(model.parameters()).device
    modes = {module: module.training for module in model.modules()}
    model.eval()
    drawn: list[tuple[int, NDArray[np.uint8], dict[str, NDArray[np.float32]]]] = []
    try:
        # No bar where stderr is no terminal.
        for query in tqdm(queries, "attention maps", leave=False, unit="image", disable=None):
            try:
                pixels = read_query(images[query], shorter_side)
            except UndecodableImageError:
                continue
            batch = preprocess(torch.from_numpy(pixels).to(device)[None])
            maps = {name: grid[0].cpu().numpy() for name, grid in shares(model, batch).items()}
            drawn.append((query, fitted(pixels, _WIDTH, _HEIGHT), maps))
    finally:
        for module, training in modes.items():
            module.training = training
    if not drawn:
        return None
    values = np.concatenate([grid.ravel() for _, _, maps in drawn for grid in maps.values()])
    top = max(float(np.percentile(values, _FULL_SHARE)), 1.5)
    rows = tuple(
        AttentionRow(
            query,
            picture(image),
            {name: picture(_overlay(image, grid / top)) for name, grid in maps.items()},
        )
        for query, image, maps in drawn
    )
    ramp = _colours(np.linspace(0, 1, _STEPS, dtype=np.float32)[None])[0]
    return Attention(rows, top, tuple(f"rgb({r} {g} {b})" for r, g, b in ramp.tolist()))


def shares(model: SelaVPR, images: Tensor) -> dict[str, Tensor]:
    """Return how much of the pooled descriptor comes from each location, for each branch.

    images: [B, 3, H, W], normalised, on the model's device. Returns [B, h, w] float32 by name:
    "backbone alone" ("last block" where adapters may sit inside the blocks), "float branch" and
    "hash branch" as far as there are any; see `gem_shares` for the value. A branch with a GeM head
    is measured in what that head pools, with its exponent; the backbone and other heads in the
    normed tokens, with GeM's initial exponent 3.
    """
    with torch.no_grad():
        features = model.feature_maps(images)
        alone = model.settings.adapter in SIDE_ADAPTERS
        backbone = "backbone alone" if alone else "last block"
        found = {backbone: gem_shares(features.backbone, 3.0)}
        for name, grid, branch in (
            ("float branch", features.float, model.float_branch),
            ("hash branch", features.hash, model.hash_branch),
        ):
            if grid is None or branch is None:
                continue
            if isinstance(branch.head, GeMHead):
                pooled = branch.head.linear1(grid.float())
                found[name] = gem_shares(pooled, float(branch.head.gem.p))
            else:
                found[name] = gem_shares(grid, 3.0)
    return found


def gem_shares(features: Tensor, p: float, eps: float = 1e-6) -> Tensor:
    """Return the share of each location in the squared length of the GeM vector, times h w.

    features: [B, h, w, D]; each location is brought to length 1, clamped at eps and pooled to
    g_c = (mean_i f_ic ** p) ** (1 / p), as the head does. Location i gives the part
    f_ic ** p / sum_j f_jc ** p of channel c, and channel c the part g_c ** 2 / |g| ** 2 of the
    length; the share is the sum of their products over the channels, which is also half the
    relative change of |g| ** 2 as the location's features grow. Returns [B, h, w] float32, >= 0,
    with mean 1: 2 stands for twice an even share.
    """
    batch, height, width, _ = features.shape
    f = functional.normalize(features.double(), dim=-1).clamp(min=eps).pow(p).flatten(1, 2)
    total = f.sum(dim=1, keepdim=True)
    energy = (total / (height * width)).pow(2.0 / p)
    weights = energy / energy.sum(dim=2, keepdim=True)
    share = (f / total * weights).sum(dim=2) * (height * width)
    return share.reshape(batch, height, width).float()


def _overlay(image: NDArray[np.uint8], grid: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Show a map [h, w], 0 to 1 (more is cut), in colours, with the image's [H, W, 3] contours.

    Of the image only what is fine is added: its own light and shade would be taken for values.
    """
    size = (image.shape[1], image.shape[0])
    fine = np.asarray(cv2.resize(grid, size, interpolation=cv2.INTER_LINEAR), np.float32)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    contours = grey - cv2.GaussianBlur(grey, (0, 0), _COARSE)
    mixed = _colours(fine) + _CONTOURS * contours[..., None]
    return np.asarray(np.clip(mixed, 0, 255), np.uint8)


def _colours(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Map values [H, W], 0 to 1, to a perceptually uniform scale (inferno), RGB uint8."""
    levels = (np.clip(values, 0, 1) * 255).round().astype(np.uint8)
    return np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1], np.uint8)
