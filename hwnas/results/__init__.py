"""What a search leaves behind: the front, the run directory, exported files, calibrations."""
