"""The loop closure node: the robot notices that it is back where it was."""
