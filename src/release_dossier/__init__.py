"""Release Dossier: a release as one object that people and machines can inspect, argue with, sign and check again later."""

__version__ = "0.1.0"
