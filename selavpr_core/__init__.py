"""SelaVPR++ as a library: model, weights, place map, retrieval. Imports no ROS."""
