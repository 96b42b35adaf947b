"""A network that learns from a teacher, and says what it makes of an image in his terms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from selavpr_core.model import Output, SelaVPR
from selavpr_core.model.settings import PATCH_SIZE
from training.distillation.cells import cell_means


class Student(nn.Module):
    """A network without adapters, and the linear layer that predicts a teacher's map.

    The layer sees the backbone's normed patches, their mean over a cell of the map. It is trained
    with the network and belongs to the run alone.
    """

    def __init__(self, network: SelaVPR, channels: int) -> None:
        """channels: of the teacher's map."""
        super().__init__()
        self.network = network
        self.layer = nn.Linear(network.settings.embed_dim, channels)

    def forward(
        self, images: Tensor, branches: Sequence[str], patches: Tensor | None, inside: Tensor
    ) -> tuple[Output, Tensor]:
        """Describe images, and predict what the teacher says of M cells: [B, M, C] float32.

        images: [B, 3, H, W], normalised RGB. branches: to compute; `codes` of the output is None.
        patches: [B, K] int64, those that go through the blocks; None for all. inside: [B, M, K]
        bool, which of them lie in which cell. With some of the patches left out, the branches'
        heads must be ones for which it does not matter where a patch is.
        """
        backbone = self.network.backbone
        for tokens in backbone.stages(images, patches):
            last = tokens
        normed = backbone.norm(last.float())
        grid = (images.shape[-2] // PATCH_SIZE, images.shape[-1] // PATCH_SIZE)
        output = self._described(
            normed, branches, grid if patches is None else (patches.shape[1], 1)
        )
        # In half precision, targets that differ little would be one.
        with torch.autocast(images.device.type, enabled=False):
            return output, self.layer(cell_means(normed[:, 1:].float(), inside))

    def _described(self, normed: Tensor, branches: Sequence[str], grid: tuple[int, int]) -> Output:
        heads = {
            "float": self.network.float_branch,
            "hash": self.network.hash_branch,
        }
        vectors: dict[str, Tensor] = {}
        for name in branches:
            branch = heads[name]
            assert branch is not None
            head = branch.head
            vectors[name] = head(normed if head.reads_class_token else normed[:, 1:], grid)
        return Output(vectors.get("float"), vectors.get("hash"), None)
