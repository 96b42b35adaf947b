"""What any of the nodes has with ROS: parameters, messages, transitions, process, launch."""
