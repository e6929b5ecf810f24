"""What people look at: report.html, its charts, TensorBoard events."""
