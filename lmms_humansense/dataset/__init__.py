"""The release's questions and media, from folders, archives, addresses and the Hub."""
