"""What the log means: pure folds and, apart from them, the stores that hold their results."""
