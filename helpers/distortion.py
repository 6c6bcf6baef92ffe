"""Finished captchas changed at random in training, so that a network reads other generators' too.

A style says how captchas are drawn. This step takes the drawn ones and changes what their style
leaves alike: which of text and background is darker, strokes, size, lines across, blur, grain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from helpers.quiet_tensorflow import tf


def uniform(count: tf.Tensor, lowest: float, highest: float) -> tf.Tensor:
    """A random number for each picture, [count, 1, 1, 1]."""
    return tf.random.uniform([count, 1, 1, 1], lowest, highest)


def chosen(count: tf.Tensor, share: float) -> tf.Tensor:
    """1.0 for a random share of the pictures, else 0.0: [count, 1, 1, 1]."""
    return tf.cast(uniform(count, 0.0, 1.0) < share, tf.float32)


@dataclass(frozen=True)
class Distortion:
    """Changes a batch: (images, labels) -> (images, labels), of the same shapes and types.

    Attributes:
        inverted: share of pictures with light text on dark.
        thick, thin, outlined: shares of pictures whose strokes are changed so.
        scale: the text's size, lowest and highest factor; width and height draw their own.
        slope: degrees by which a line of text may rise or fall.
        lines: at most so many straight lines across.
        blur: share of the neighbours' mean in each pixel, at most; twice.
        contrast: least distance of text and background, 0 to 1.
        gradient: how much the background may change from edge to edge, 0 to 1.
        grain: deviation of the noise in each pixel, at most, 0 to 1.
    """

    inverted: float = 0.5
    thick: float = 0.15
    thin: float = 0.25
    outlined: float = 0.1
    scale: tuple[float, float] = (0.65, 1.1)
    slope: float = 6.0
    lines: int = 4
    blur: float = 0.8
    contrast: float = 0.35
    gradient: float = 0.3
    grain: float = 0.06

    def __call__(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        grey = tf.cast(images, tf.float32)
        lightest = tf.reduce_max(grey, axis=[1, 2, 3], keepdims=True)
        darkest = tf.reduce_min(grey, axis=[1, 2, 3], keepdims=True)
        ink = (lightest - grey) / tf.maximum(lightest - darkest, 1.0)  # 0 background, 1 text
        ink = self.move(self.change_strokes(ink))
        ink = self.soften(self.draw_lines(ink))
        pixels = self.paint(ink)
        pixels += tf.random.normal(tf.shape(pixels)) * uniform(tf.shape(ink)[0], 0.0, self.grain)
        pixels = tf.saturate_cast(tf.round(255 * pixels), images.dtype)
        return tf.ensure_shape(pixels, images.shape), labels

    def change_strokes(self, ink: tf.Tensor) -> tf.Tensor:
        """Some pictures get thicker strokes, thinner ones, or outlines only."""
        thick = tf.nn.max_pool2d(ink, 3, 1, "SAME")
        thin = -tf.nn.max_pool2d(-ink, 2, 1, "SAME")
        draw = uniform(tf.shape(ink)[0], 0.0, 1.0)
        for share, changed in ((self.thick, thick), (self.thin, thin), (self.outlined, thick - thin)):
            ink = tf.where((draw >= 0) & (draw < share), changed, ink)
            draw -= share
        return ink

    def move(self, ink: tf.Tensor) -> tf.Tensor:
        """Another size, place and slope; what comes in from outside is background."""
        count, (height, width) = tf.shape(ink)[0], ink.shape[1:3]
        across, down = (1 / tf.random.uniform([count], *self.scale) for _ in range(2))
        turn = math.radians(self.slope) * tf.random.uniform([count], -1.0, 1.0)
        # From a pixel of the result to the place in the picture that it shows.
        matrix = [across * tf.cos(turn), -across * tf.sin(turn), down * tf.sin(turn), down * tf.cos(turn)]
        free = (0.5 * width * tf.abs(1 - 1 / across), 0.5 * height * tf.abs(1 - 1 / down))
        x = width / 2 + free[0] * tf.random.uniform([count], -1.0, 1.0)
        y = height / 2 + free[1] * tf.random.uniform([count], -1.0, 1.0)
        ends = (width / 2 - matrix[0] * x - matrix[1] * y, height / 2 - matrix[2] * x - matrix[3] * y)
        zeros = tf.zeros([count])
        rows = [matrix[0], matrix[1], ends[0], matrix[2], matrix[3], ends[1], zeros, zeros]
        moved = tf.raw_ops.ImageProjectiveTransformV3(
            images=ink,
            transforms=tf.stack(rows, axis=1),
            output_shape=tf.constant([height, width]),
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="CONSTANT",
        )
        return tf.ensure_shape(moved, ink.shape)

    def draw_lines(self, ink: tf.Tensor) -> tf.Tensor:
        """Straight lines, most of them of the text's colour, some of the background's."""
        count, (height, width) = tf.shape(ink)[0], ink.shape[1:3]
        x = tf.reshape(tf.range(width, dtype=tf.float32), [1, 1, width, 1])
        y = tf.reshape(tf.range(height, dtype=tf.float32), [1, height, 1, 1])
        many = uniform(count, 0.0, self.lines + 1.0)
        for number in range(1, self.lines + 1):
            turn = uniform(count, -math.pi / 2, math.pi / 2) ** 3 / 2.5  # mostly flat
            far = (x - uniform(count, 0.0, width)) * tf.sin(turn) - (y - uniform(count, 0.0, height)) * tf.cos(turn)
            line = tf.clip_by_value(uniform(count, 0.6, 1.8) - tf.abs(far), 0.0, 1.0)
            line *= tf.cast(many >= number, tf.float32)
            ink = tf.where(chosen(count, 0.75) > 0, tf.maximum(ink, line), ink * (1 - line))
        return ink

    def soften(self, ink: tf.Tensor) -> tf.Tensor:
        """Mix each pixel with its neighbours' mean, twice."""
        for _ in range(2):
            share = uniform(tf.shape(ink)[0], 0.0, self.blur)
            ink += share * (tf.nn.avg_pool2d(ink, 3, 1, "SAME") - ink)
        return ink

    def paint(self, ink: tf.Tensor) -> tf.Tensor:
        """Grey levels, 0 to 1: a background that may change from edge to edge, and text that stands out."""
        count, (height, width) = tf.shape(ink)[0], ink.shape[1:3]
        # As if all text were darker; then some pictures are turned round.
        background = uniform(count, self.contrast, 1.0)
        text = background - self.contrast - uniform(count, 0.0, 1.0) * (background - self.contrast)
        x = tf.reshape(tf.linspace(-0.5, 0.5, width), [1, 1, width, 1])
        y = tf.reshape(tf.linspace(-0.5, 0.5, height), [1, height, 1, 1])
        slope = uniform(count, -self.gradient, self.gradient) * x + uniform(count, -self.gradient, self.gradient) * y
        pixels = background + (text - background) * ink + slope
        inverted = chosen(count, self.inverted)
        return tf.clip_by_value(inverted * (1 - pixels) + (1 - inverted) * pixels, 0.0, 1.0)
