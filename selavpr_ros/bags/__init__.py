"""Reading recorded bags (rosbag2 and ROS 1) where no ROS is installed."""

from selavpr_ros.bags.reader import BagReader, stamp_of
from selavpr_ros.bags.topics import TopicInfo, choose_topic, named_topic

__all__ = ["BagReader", "TopicInfo", "choose_topic", "named_topic", "stamp_of"]
