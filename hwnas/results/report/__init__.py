"""What people look at: one HTML page about runs, and figures for papers. Reads run directories, trains nothing."""
