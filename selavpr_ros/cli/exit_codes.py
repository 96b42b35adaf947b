"""What `selavpr` returns to the shell where a command did not do its work."""

FAILED = 2  # a mistake in the command line, the input or the machine
INTERRUPTED = 130  # what shells report for a program that SIGINT ended
TERMINATED = 143  # the same of SIGTERM
