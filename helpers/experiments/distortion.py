"""Finished captchas changed a lot in training, for a network that is to read other generators' captchas too."""

import math
from dataclasses import dataclass

import numpy as np

from helpers.captchas.styles import PRESETS, CaptchaStyle
from helpers.quiet_tensorflow import keras, tf
from helpers.training.augmentation import Augment, shift_batch

FONTS = PRESETS["many fonts"]["fonts"]
FOOTLESS = ("HankenGrotesk-Regular", "HankenGrotesk-Bold", "HankenGrotesk-Italic")  # their 1 has no foot
ROBUST = CaptchaStyle(fonts=FONTS[:1] * 2 + FONTS + FOOTLESS, plain=0.4)  # the style of the experiment `robust`


def uniform(count: tf.Tensor, lowest: float, highest: float) -> tf.Tensor:
    """A random number for each picture, [count, 1, 1, 1]."""
    return tf.random.uniform([count, 1, 1, 1], lowest, highest)


@dataclass(frozen=True)
class Distortion:
    """Changes a batch: (images, labels) -> (images, labels), of the same shapes and types."""

    spared: float = 0.0  # share of a batch that is only moved, so that captchas as they are drawn are learned too
    inverted: float = 0.5  # share of pictures with light text on dark
    thick: float = 0.15  # shares of pictures with thicker strokes,
    thin: float = 0.25  # with thinner ones,
    outlined: float = 0.1  # or with outlines only
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
        spared = tf.cast(tf.round(self.spared * tf.cast(tf.shape(images)[0], tf.float32)), tf.int32)
        moved, _ = shift_batch(images[:spared], labels[:spared])
        grey = tf.cast(images[spared:], tf.float32)
        lightest, darkest = (of(grey, axis=[1, 2, 3], keepdims=True) for of in (tf.reduce_max, tf.reduce_min))
        ink = (lightest - grey) / tf.maximum(lightest - darkest, 1.0)  # 0 background, 1 text
        ink, count = self._move(self._change_strokes(ink)), tf.shape(ink)[0]
        lost = self.faint * uniform(count, 0.0, 1.0) * tf.random.uniform([count, 1, 6, 1])  # from left to right
        ink = self._draw_lines(ink * (1 - tf.image.resize(lost, [1, ink.shape[2]])))
        speckled = tf.random.uniform(tf.shape(ink)) < self.speckles * uniform(count, 0.0, 1.0) ** 2  # mostly few
        ink = tf.where(speckled, tf.random.uniform(tf.shape(ink)), ink)
        for _ in range(2):  # softer
            ink += uniform(count, 0.0, self.blur) * (tf.nn.avg_pool2d(ink, 3, 1, "SAME") - ink)
        pixels = self._paint(ink)
        pixels += tf.random.normal(tf.shape(pixels)) * self.grain * uniform(count, 0.0, 1.0) ** 2
        changed = tf.saturate_cast(tf.round(255 * pixels), images.dtype)
        return tf.ensure_shape(tf.concat([moved, changed], axis=0), images.shape), labels

    def _change_strokes(self, ink: tf.Tensor) -> tf.Tensor:  # some get thicker, thinner, or outlines only
        thick = tf.nn.max_pool2d(ink, 3, 1, "SAME")
        thin = -tf.nn.max_pool2d(-ink, 2, 1, "SAME")
        draw = uniform(tf.shape(ink)[0], 0.0, 1.0)
        for share, changed in ((self.thick, thick), (self.thin, thin), (self.outlined, thick - thin)):
            ink = tf.where((draw >= 0) & (draw < share), changed, ink)
            draw -= share
        return ink

    def _move(self, ink: tf.Tensor) -> tf.Tensor:  # another size, place, slope and slant; outside is background
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

    def _draw_lines(self, ink: tf.Tensor) -> tf.Tensor:  # of any strength, most of them of the text's colour
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

    def _paint(self, ink: tf.Tensor) -> tf.Tensor:  # grey levels, 0 to 1: first all text is darker than its background
        count, (height, width) = tf.shape(ink)[0], ink.shape[1:3]
        background = uniform(count, self.contrast, 1.0)
        text = background - self.contrast - uniform(count, 0.0, 1.0) * (background - self.contrast)
        pixels = background + (text - background) * ink
        for size, shape in ((width, [1, 1, width, 1]), (height, [1, height, 1, 1])):
            pixels += uniform(count, -self.gradient, self.gradient) * tf.reshape(tf.linspace(-0.5, 0.5, size), shape)
        inverted = uniform(count, 0.0, 1.0) < self.inverted
        return tf.clip_by_value(tf.where(inverted, 1 - pixels, pixels), 0.0, 1.0)


def beside(images: np.ndarray, labels: np.ndarray) -> Augment:
    """Moves a batch, and adds as many of these captchas, distorted, so that few pictures are not learned by heart."""

    def mixed(own: tf.Tensor, own_labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        chosen = tf.random.uniform([tf.shape(own)[0]], 0, len(images), tf.int32)
        others, other_labels = Distortion()(tf.gather(images, chosen), tf.gather(labels, chosen))
        moved = tf.ensure_shape(shift_batch(own, own_labels)[0], others.shape)
        return tf.concat([moved, others], axis=0), tf.concat([own_labels, other_labels], axis=0)

    return mixed
