"""Image -> text, probabilities, confidence: the trained network in use."""

from helpers.reading.reader import Reader, Reading
