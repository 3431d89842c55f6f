"""Pages and API over one project: what the documents say, made fit to look at. Nothing here decides."""
