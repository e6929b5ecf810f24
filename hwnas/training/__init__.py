"""Images in, trained weights out."""
