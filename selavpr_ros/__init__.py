"""SelaVPR++ for ROS 2: maps from bags, the localization node, the command line."""
