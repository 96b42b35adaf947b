"""`selavpr convert-weights`: published weights as one safetensors file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from selavpr_ros.cli.options import Parser, add_json_option, print_json


def add_parser(commands: Any) -> None:
    """Add the command to the parser of `selavpr`."""
    parser: Parser = commands.add_parser(
        "convert-weights",
        help="write weights as one .safetensors file",
        description="Write weights with their preset and settings as one .safetensors file, which"
        " loads anywhere without network and without unpickling.",
        examples=[
            (
                "selavpr convert-weights SelaVPRplusplus_base_rerank.pth --output base.safetensors",
                "from a downloaded file",
            ),
            ("selavpr convert-weights large --output large.safetensors", "from the hub"),
            (
                "selavpr convert-weights runs/best.safetensors --half --output small.safetensors",
                "in half the size",
            ),
        ],
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="tiny, base, large, or a .pth or .safetensors file"
    )
    parser.add_argument(
        "--output", required=True, metavar="FILE", help=".safetensors file to write"
    )
    parser.add_argument(
        "--preset",
        choices=("base", "large", "small", "tiny"),
        help="what the weights belong to; default: recognised by their shapes",
    )
    parser.add_argument(
        "--half",
        action="store_true",
        help="store float16 where that only rounds, for half the size; the rounded weights are"
        " others: maps made with the original ones are not theirs",
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Convert, and print the fingerprint."""
    from selavpr_core.weights import convert_weights

    output = Path(options.output)
    fingerprint = convert_weights(options.source, output, options.preset, options.half)
    size = output.stat().st_size
    if options.json:
        print_json({"output": str(output), "fingerprint": fingerprint, "size_bytes": size})
    else:
        print(f"{output}: {size / 1e6:.1f} MB, fingerprint {fingerprint}")
    return 0
