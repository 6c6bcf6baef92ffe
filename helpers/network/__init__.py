"""The network: its layers (`alexnet`), several views of a picture, its calibration, and its file (`saved`)."""
