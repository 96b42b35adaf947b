"""What nodes share that work on the newest image of a camera with a model and a map."""
