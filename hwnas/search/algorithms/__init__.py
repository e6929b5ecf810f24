"""One file per search algorithm, and what they share: policies, rewards, the archive."""
