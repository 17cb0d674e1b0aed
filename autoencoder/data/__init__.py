"""Images and points to learn from, and what spoils them."""
