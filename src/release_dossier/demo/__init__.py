"""The whole process on real captured data: `story` tells it with the commands a user has, `place` makes the repository it plays in."""
