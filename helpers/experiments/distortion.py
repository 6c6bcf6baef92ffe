"""Finished captchas changed a lot in training, for a network that is to read other generators' captchas too."""

import math
from dataclasses import dataclass

from helpers.quiet_tensorflow import keras, tf


def uniform(count: tf.Tensor, lowest: float, highest: float) -> tf.Tensor:
    """A random number for each picture, [count, 1, 1, 1]."""
    return tf.random.uniform([count, 1, 1, 1], lowest, highest)


def moved_across(images: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Each row of pictures [count, height, width, 1] moved to the left by `shift` pixels, [count, height, 1, 1]."""
    width = images.shape[2]
    place = tf.range(width, dtype=tf.float32) + shift[..., 0]
    first = tf.floor(place)
    indices = [tf.clip_by_value(tf.cast(first, tf.int32) + step, 0, width - 1) for step in (0, 1)]
    left, right = (tf.gather(images, index, axis=2, batch_dims=2) for index in indices)
    return left + (place - first)[..., None] * (right - left)


@dataclass(frozen=True)
class Distortion:
    """Changes a batch: (images, labels) -> (images, labels), of the same shapes and types."""

    inverted: float = 0.5  # share of pictures with light text on dark
    thick: float = 0.15  # shares of pictures with thicker strokes,
    thin: float = 0.25  # with thinner ones,
    outlined: float = 0.1  # or with outlines only
    wave: float = 3.0  # pixels by which rows and columns are moved along a wave, at most
    scale: tuple[float, float] = (0.6, 1.15)  # of the text, lowest and highest; width and height draw their own
    slope: float = 6.0  # degrees by which a line of text may rise or fall
    slant: float = 0.3  # pixels across for each pixel up, by which the text may lean
    faint: float = 0.6  # strength that a part of the text may lose, 0 to 1
    lines: int = 4  # at most so many lines across, straight or bent
    speckles: float = 0.08  # share of pixels of any strength between background and text, at most
    blur: float = 0.8  # share of the neighbours' mean in each pixel, at most; twice
    contrast: float = 0.35  # least distance of text and background, 0 to 1
    gradient: float = 0.3  # how much brighter one edge may be than the other, 0 to 1
    grain: float = 0.06  # deviation of the noise in each pixel, at most, 0 to 1

    def __call__(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        grey = tf.cast(images, tf.float32)
        lightest, darkest = (of(grey, axis=[1, 2, 3], keepdims=True) for of in (tf.reduce_max, tf.reduce_min))
        ink = (lightest - grey) / tf.maximum(lightest - darkest, 1.0)  # 0 background, 1 text
        ink = self._move(self._ripple(self._change_strokes(ink)))
        ink = self._sprinkle(self._draw_lines(self._fade(ink)))
        pixels = self._paint(self._soften(ink))
        pixels += tf.random.normal(tf.shape(pixels)) * self.grain * uniform(tf.shape(ink)[0], 0.0, 1.0) ** 2
        pixels = tf.saturate_cast(tf.round(255 * pixels), images.dtype)
        return tf.ensure_shape(pixels, images.shape), labels

    def _change_strokes(self, ink: tf.Tensor) -> tf.Tensor:
        # some pictures get thicker strokes, thinner ones, or outlines only
        thick = tf.nn.max_pool2d(ink, 3, 1, "SAME")
        thin = -tf.nn.max_pool2d(-ink, 2, 1, "SAME")
        draw = uniform(tf.shape(ink)[0], 0.0, 1.0)
        for share, changed in ((self.thick, thick), (self.thin, thin), (self.outlined, thick - thin)):
            ink = tf.where((draw >= 0) & (draw < share), changed, ink)
            draw -= share
        return ink

    def _ripple(self, ink: tf.Tensor) -> tf.Tensor:  # rows move across and columns down, each along a wave of its own
        for _ in range(2):
            count, length = tf.shape(ink)[0], ink.shape[1]
            along = tf.reshape(tf.range(length, dtype=tf.float32), [1, length, 1, 1])
            angle = 2 * math.pi * (along / uniform(count, 40.0, 160.0) + uniform(count, 0.0, 1.0))
            ink = moved_across(ink, uniform(count, 0.0, self.wave) * tf.sin(angle))
            ink = tf.transpose(ink, [0, 2, 1, 3])
        return ink

    def _move(self, ink: tf.Tensor) -> tf.Tensor:
        # another size, place, slope and slant; what comes in from outside is background
        count, (height, width) = tf.shape(ink)[0], ink.shape[1:3]
        across, down = (1 / tf.random.uniform([count], *self.scale) for _ in range(2))
        turn, lean = (most * tf.random.uniform([count], -1.0, 1.0) for most in (math.radians(self.slope), self.slant))
        # From a pixel of the result to the place in the picture that it shows.
        matrix = [across * tf.cos(turn), across * (lean - tf.sin(turn)), down * tf.sin(turn), down * tf.cos(turn)]
        free = (0.5 * width * tf.abs(1 - 1 / across), 0.5 * height * tf.abs(1 - 1 / down))
        moved = [room * tf.random.uniform([count], -1.0, 1.0) for room in free]
        x, y = width / 2 + moved[0], height / 2 + moved[1]
        ends = (width / 2 - matrix[0] * x - matrix[1] * y, height / 2 - matrix[2] * x - matrix[3] * y)
        rows = [matrix[0], matrix[1], ends[0], matrix[2], matrix[3], ends[1], *2 * [tf.zeros([count])]]
        return keras.ops.image.affine_transform(ink, tf.stack(rows, axis=1))

    def _fade(self, ink: tf.Tensor) -> tf.Tensor:  # the text's strength changes from left to right
        count, width = tf.shape(ink)[0], ink.shape[2]
        lost = self.faint * uniform(count, 0.0, 1.0) * tf.random.uniform([count, 1, 6, 1])
        return ink * (1 - tf.image.resize(lost, [1, width]))

    def _draw_lines(self, ink: tf.Tensor) -> tf.Tensor:
        # lines of any strength, most of them of the text's colour, some of the background's
        count, (height, width) = tf.shape(ink)[0], ink.shape[1:3]
        x = tf.reshape(tf.range(width, dtype=tf.float32), [1, 1, width, 1])
        y = tf.reshape(tf.range(height, dtype=tf.float32), [1, height, 1, 1])
        many = uniform(count, 0.0, self.lines + 1.0)
        for number in range(1, self.lines + 1):
            turn = uniform(count, -math.pi / 2, math.pi / 2) ** 3 / 2.5  # mostly flat
            right, down = x - uniform(count, 0.0, width), y - uniform(count, 0.0, height)
            bend = uniform(count, -1.0, 1.0) ** 3 / 150  # mostly straight
            far = right * tf.sin(turn) - down * tf.cos(turn) + bend * right**2
            line = tf.clip_by_value(uniform(count, 0.6, 2.2) - tf.abs(far), 0.0, 1.0)
            line *= uniform(count, 0.3, 1.0) * tf.cast(many >= number, tf.float32)
            ink = tf.where(uniform(count, 0.0, 1.0) < 0.8, tf.maximum(ink, line), ink * (1 - line))
        return ink

    def _sprinkle(self, ink: tf.Tensor) -> tf.Tensor:  # single pixels of any strength between background and text
        share = self.speckles * uniform(tf.shape(ink)[0], 0.0, 1.0) ** 2  # mostly few
        return tf.where(tf.random.uniform(tf.shape(ink)) < share, tf.random.uniform(tf.shape(ink)), ink)

    def _soften(self, ink: tf.Tensor) -> tf.Tensor:  # mix each pixel with its neighbours' mean, twice
        for _ in range(2):
            share = uniform(tf.shape(ink)[0], 0.0, self.blur)
            ink += share * (tf.nn.avg_pool2d(ink, 3, 1, "SAME") - ink)
        return ink

    def _paint(self, ink: tf.Tensor) -> tf.Tensor:
        # grey levels, 0 to 1: a background that may change from edge to edge, and text that stands out
        count, (height, width) = tf.shape(ink)[0], ink.shape[1:3]
        # As if all text were darker; then some pictures are turned round.
        background = uniform(count, self.contrast, 1.0)
        text = background - self.contrast - uniform(count, 0.0, 1.0) * (background - self.contrast)
        pixels = background + (text - background) * ink
        for size, shape in ((width, [1, 1, width, 1]), (height, [1, height, 1, 1])):
            pixels += uniform(count, -self.gradient, self.gradient) * tf.reshape(tf.linspace(-0.5, 0.5, size), shape)
        inverted = uniform(count, 0.0, 1.0) < self.inverted
        return tf.clip_by_value(tf.where(inverted, 1 - pixels, pixels), 0.0, 1.0)
