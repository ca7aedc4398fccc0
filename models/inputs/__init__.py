"""What is shown and asked: conversations, how a user overrides them, and their decoded media."""
