"""Loop closures in a pose graph: an odometry track that drifts, closed by what the camera saw.

python -m examples.slam --output slam               # a circuit through a rendered town
python -m examples.slam --output slam --bag BAG     # images and odometry of your own
"""
