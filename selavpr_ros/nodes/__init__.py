"""The live nodes: pure parts that need no ROS, and the rclpy nodes built from them."""
