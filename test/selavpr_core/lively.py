"""Networks in which every part matters: as built, adapters give zero and blocks next to nothing."""

from __future__ import annotations

import torch
from torch import nn

from selavpr_core.model import ModelSettings, SelaVPR, preset_settings
from selavpr_core.model.heads import GeMHead


def lively_model(settings: ModelSettings | None = None, seed: int = 0) -> SelaVPR:
    """Return a network in eval mode whose adapters and normalisations all have an effect."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SelaVPR(settings or preset_settings("tiny"))
        for name, parameter in model.named_parameters():
            if name.endswith(("ls1.gamma", "ls2.gamma")):
                nn.init.uniform_(parameter, 0.05, 0.5)
            elif "adapters" in name and parameter.dim() > 1:
                nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        for module in model.modules():
            if isinstance(module, GeMHead):
                # What all pooled features have in common would drown how images differ.
                module.linear2.weight.data -= module.linear2.weight.data.mean(1, keepdim=True)
                nn.init.zeros_(module.linear2.bias)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, std=0.1)
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.uniform_(module.weight, 0.7, 1.3)
                nn.init.normal_(module.bias, std=0.1)
    return model.eval()


def images(count: int, height: int = 224, width: int = 224, seed: int = 1) -> torch.Tensor:
    """Return [count, 3, height, width] normalised images that differ in colour and in detail."""
    generator = torch.Generator().manual_seed(seed)
    colour = 1.5 * torch.randn(count, 3, 1, 1, generator=generator)
    return colour + 0.5 * torch.randn(count, 3, height, width, generator=generator)
