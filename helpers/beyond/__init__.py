"""What only the notebooks in `notebooks/beyond` need."""
