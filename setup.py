"""Packaging for pip and for colcon (ament_python)."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "selavpr_ros"
ROOT = Path(__file__).parent


def version() -> str:
    """Return the version that selavpr_core declares, without importing it."""
    for line in (ROOT / "selavpr_core" / "__init__.py").read_text().splitlines():
        if line.startswith("__version__"):
            return line.split('"')[1]
    raise RuntimeError("selavpr_core/__init__.py declares no __version__")


def files(pattern: str) -> list[str]:
    """Return the matching files, relative to this one as setuptools wants them."""
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern))


setup(
    name=PACKAGE,
    version=version(),
    description="Visual place recognition for ROS 2: a pose from one camera image",
    author="The selavpr_ros developers",
    license="Apache-2.0",
    # Named one by one: training/ and test/ must never be installed under such common names.
    packages=find_packages(
        include=["selavpr_core", "selavpr_core.*", "selavpr_ros", "selavpr_ros.*"]
    ),
    package_data={
        # The small trained model; the name `tiny` stands for it.
        "selavpr_core.weights": ["*.safetensors"],
        "selavpr_ros.map_view": ["page.*"],  # what `selavpr map view` fills in
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", files("launch/*.launch.py")),
        (f"share/{PACKAGE}/config", files("config/*")),
    ],
    python_requires=">=3.10",
    install_requires=[
        "backports.zstd",
        "faiss-cpu>=1.8",
        "huggingface_hub>=0.23",
        "lz4",
        "numpy>=1.21",
        "opencv-python-headless>=4.5.5",
        "rosbags>=0.11,<0.12",
        "ruamel.yaml",
        "safetensors>=0.4",
        "timm>=1.0",
        "torch>=2.4",
        "tqdm>=4.60",
        "utm>=0.8",
    ],
    extras_require={
        # ROS 2 Jazzy as wheels, for machines where no ROS is installed. Never beside a sourced ROS.
        "ros": [
            "ros-rclpy[fastrtps]",
            "ros-sensor-msgs",
            "ros-geometry-msgs",
            "ros-nav-msgs",
            "ros-visualization-msgs",
            "ros-diagnostic-msgs",
            "ros-std-srvs",
        ],
        "test": [
            "catkin_pkg",
            "colcon-common-extensions",
            "hypothesis",
            "mcap",
            "mypy",
            "onnx>=1.15",
            "psutil",
            "pytest",
            "pytest-xdist",
            "pyyaml",
            "ruff",
        ],
        # For examples/slam. Earlier releases crash with NumPy 2 on Python 3.10.
        "slam": ["gtsam>=4.2.1; python_version>='3.11'", "gtsam==4.3a1; python_version<'3.11'"],
        # For training/ and its evaluation, which run from a checkout.
        "train": [
            "jinja2",
            "lightning>=2.4",
            "onnx>=1.15",
            "onnxruntime>=1.17",
            "pillow>=9.4",
            "pyarrow>=14",
            "pydantic>=2.5",
            "pytorch-metric-learning>=2.5",
            "pyyaml",
            "scipy>=1.10",
            "tensorboard",
            "torchvision",
        ],
    },
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "selavpr = selavpr_ros.cli.main:main",
            "localization_node = selavpr_ros.nodes.localization_node:main",
            "loop_closure_node = selavpr_ros.nodes.loop_closure_node:main",
        ],
    },
)
