"""The release's own result files: scored without running anything, and written for its scripts."""
