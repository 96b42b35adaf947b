"""The parameters of every node that describes a camera's images."""

from __future__ import annotations

from dataclasses import dataclass

from selavpr_ros.candidates import CANDIDATE_LIMITS, USUAL_CANDIDATES
from selavpr_ros.nodes.ros.parameter_table import Change, parameter


@dataclass(frozen=True)
class CameraSettings:
    """Their values; a node's own table adds to them (see parameter_table)."""

    weights: str = parameter(
        "",
        "Weights of the model: tiny (they come with selavpr_ros), base, large, a file (.pth or "
        ".safetensors) or random:PRESET. "
        "Empty: the ones that the map was made with.",
    )
    device: str = parameter(
        "auto",
        "Where the model runs; auto takes CUDA where there is one.",
        choices=("auto", "cpu", "cuda"),
    )
    precision: str = parameter(
        "auto",
        "Arithmetic of the model; auto takes fp16 on CUDA and fp32 on the CPU.",
        choices=("auto", "fp32", "fp16", "bf16"),
    )
    mode: str = parameter(
        "two-stage",
        "Retrieval: binary codes re-ranked by float descriptors, codes alone, or float alone.",
        choices=("two-stage", "code", "float"),
    )
    candidates: int = parameter(
        USUAL_CANDIDATES,
        "Places that the first stage hands to re-ranking, and that the covariance looks at.",
        bounds=CANDIDATE_LIMITS,
    )
    image_transport: str = parameter(
        "raw",
        "raw subscribes to `image` (sensor_msgs/Image), compressed to `image/compressed` "
        "(sensor_msgs/CompressedImage).",
        choices=("raw", "compressed"),
    )
    image_reliability: str = parameter(
        "auto",
        "best_effort hears publishers of either kind, reliable those alone that are reliable, but "
        "also raw images that are too large to arrive otherwise. auto is reliable as long as every "
        "publisher is.",
        choices=("auto", "best_effort", "reliable"),
    )
    image_timeout: float = parameter(
        5.0,
        "Seconds without an image after which the camera is reported as silent.",
        Change.AT_ONCE,
        bounds=(0.1, 3600.0),
    )
