"""A small HumanSense to try things on: drawn clips and spoken sounds in the release's layout."""
