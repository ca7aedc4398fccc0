"""The release's questions and media, wherever they lie."""
