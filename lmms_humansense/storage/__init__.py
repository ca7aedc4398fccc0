"""Files from anywhere (folders, zip archives, addresses, the Hub) as local files. Knows no benchmark."""
