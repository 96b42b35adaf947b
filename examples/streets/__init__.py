"""A town quarter made from a seed, and the camera, light and drives to see it with.

    world = build_world(seed=1)
    renderer = Renderer(world, LIGHTS["overcast"], park_cars(world, seed=2))
    picture = renderer.image(Camera(x=0.0, y=0.0, z=1.6, yaw=0.0))     # RGB uint8 [480, 640, 3]

numpy and OpenCV only; everything is the same again for the same seed.
"""

from examples.streets.bag import FIX_TOPIC, IMAGE_TOPIC, write_bag
from examples.streets.camera import Camera
from examples.streets.conditions import condition, random_light
from examples.streets.drive import Drive, route
from examples.streets.light import LIGHTS, Light
from examples.streets.render import Renderer
from examples.streets.rig import Rig, Sensor, random_rig
from examples.streets.traffic import Passing, Traffic
from examples.streets.world import World, build_world, park_cars

__all__ = [
    "FIX_TOPIC",
    "IMAGE_TOPIC",
    "LIGHTS",
    "Camera",
    "Drive",
    "Light",
    "Passing",
    "Renderer",
    "Rig",
    "Sensor",
    "Traffic",
    "World",
    "build_world",
    "condition",
    "park_cars",
    "random_light",
    "random_rig",
    "route",
    "write_bag",
]
