"""One search on several processes: what is exchanged, and the steps on shared weights."""
