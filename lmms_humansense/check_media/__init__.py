"""The command `lmms-humansense check-media`: are the clips and sounds of a folder read as other programs read them?"""
