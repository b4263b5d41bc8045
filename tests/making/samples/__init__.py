"""The sample pictures, drawn by this project."""
