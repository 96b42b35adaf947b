"""The command line, `selavpr`. Commands import what they need only when they run."""
