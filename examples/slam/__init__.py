"""Loop closures in a pose graph: an odometry track that drifts, closed by what the camera saw.

python -m examples.slam                   # a circuit through a rendered town, into slam/
python -m examples.slam --bag BAG         # images and odometry of your own
"""
