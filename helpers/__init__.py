"""What the notebooks share; README.md in this folder tells which lesson opens which room."""
