"""The end of a search: which genotypes are handed back, and how they are scored."""
