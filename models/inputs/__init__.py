"""What is shown and asked: conversations, how a user overrules them, and their decoded media."""
