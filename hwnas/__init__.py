"""hwnas finds small, fast networks for your device from your images."""

__version__ = "0.1.0"
