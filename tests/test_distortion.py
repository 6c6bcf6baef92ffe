"""Distortion changes a picture, keeps its shape, type and text, and can be switched off part by part."""

import dataclasses
import itertools

import numpy as np
import pytest

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.pictures import to_grey
from helpers.captchas.styles import CaptchaStyle
from helpers.experiments.distortion import Distortion, beside
from helpers.network.views import mirror_edges
from helpers.quiet_tensorflow import tf
from helpers.training.augmentation import SHIFT_X, SHIFT_Y

NOTHING = Distortion(
    inverted=0, thick=0, thin=0, outlined=0, scale=(1, 1), slope=0, slant=0, faint=0, lines=0, speckles=0,
    blur=0, contrast=0.5, gradient=0, grain=0,
)  # fmt: skip
STYLE = CaptchaStyle(noise_dots=0, noise_curves=0)
IMAGES = np.stack([to_grey(draw_captcha("4728", STYLE, seed)) for seed in range(24)])[..., None]


def distorted(distortion, images=IMAGES, seed=1):
    tf.random.set_seed(seed)
    labels = tf.range(len(images))
    changed, same = distortion(tf.constant(images), labels)
    assert (same.numpy() == np.arange(len(images))).all()
    return changed.numpy().astype(float)


def likeness(first, second):
    """Correlation of two pictures."""
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def only(**changes):
    return dataclasses.replace(NOTHING, **changes)


def test_shape_type_and_labels_stay_and_pictures_change():
    changed, _ = Distortion()(tf.constant(IMAGES), tf.zeros([24, 4], tf.int32))
    assert changed.shape == IMAGES.shape
    assert changed.dtype == tf.uint8
    assert all(likeness(a, b) < 0.99 for a, b in zip(changed.numpy(), IMAGES, strict=True))


def test_it_works_in_a_pipeline_whose_last_batch_is_smaller():
    data = tf.data.Dataset.from_tensor_slices((IMAGES, np.zeros((24, 4), np.int32))).batch(10)
    batches = list(data.map(Distortion()))
    assert [len(images) for images, _ in batches] == [10, 10, 4]
    assert data.map(Distortion()).element_spec[0].shape[1:] == (60, 160, 1)


def test_the_same_seed_changes_alike_and_each_picture_is_changed_differently():
    same = np.repeat(IMAGES[:1], 6, axis=0)
    first = distorted(Distortion(), same)
    assert np.array_equal(first, distorted(Distortion(), same))
    assert not np.array_equal(first, distorted(Distortion(), same, seed=2))
    assert len({picture.tobytes() for picture in first}) == 6


def test_switched_off_only_the_levels_change():
    for picture, image in zip(distorted(NOTHING), IMAGES, strict=True):
        assert likeness(picture, image) > 0.999


def test_contrast_is_at_least_what_is_asked_for():
    ranges = np.ptp(distorted(only(contrast=0.4)).reshape(24, -1), axis=1)
    assert ranges.min() >= 0.4 * 255 - 2
    assert ranges.max() > 0.5 * 255


def test_inverted_is_light_on_dark():
    assert all(likeness(p, i) < -0.999 for p, i in zip(distorted(only(inverted=1)), IMAGES, strict=True))
    both = [likeness(p, i) > 0 for p, i in zip(distorted(only(inverted=0.5)), IMAGES, strict=True)]
    assert 0 < sum(both) < 24


def ink(pictures):
    """How much of each picture is darker than half-way."""
    flat = pictures.reshape(len(pictures), -1).astype(float)
    middle = (flat.min(axis=1) + flat.max(axis=1)) / 2
    return (flat < middle[:, None]).mean(axis=1)


def test_strokes_become_thicker_thinner_and_outlined():
    plain = ink(distorted(NOTHING))
    assert (ink(distorted(only(thick=1))) > 1.1 * plain).all()
    assert (ink(distorted(only(thin=1))) < 0.9 * plain).all()
    square = np.full((1, 60, 160, 1), 250, np.uint8)
    square[0, 20:40, 60:100] = 10
    outline = distorted(only(outlined=1), square)[0, :, :, 0]
    assert outline[30, 80] == outline[0, 0]  # hollow
    assert outline[30, 59] < outline[0, 0]


def test_scale_changes_the_size_and_nothing_leaves_a_smaller_picture():
    square = np.full((12, 60, 160, 1), 250, np.uint8)
    square[:, 20:40, 60:100] = 10
    small = distorted(only(scale=(0.5, 0.5)), square)
    assert ink(small) == pytest.approx(ink(square) / 4, rel=0.15)
    assert np.ptp(np.argmin(small.mean(axis=(1, 3)), axis=1)) > 5  # at different places
    edge = np.full((12, 60, 160, 1), 10, np.uint8)
    edge[:, 1:-1, 1:-1] = 250
    assert (distorted(only(scale=(0.5, 0.5)), edge)[:, 0, 0, 0] > 30).all()


def bars(count, across):
    """Pictures with three bars, across or down."""
    pictures = np.full((count, 60, 160, 1), 250, np.uint8)
    for start in (10, 28, 46):
        if across:
            pictures[:, start : start + 4, 20:140] = 10
        else:
            pictures[:, 10:50, start : start + 4] = 10
    return pictures


def test_slant_leans_upright_strokes_and_leaves_the_middle_row():
    upright = bars(24, across=False)
    leaning = distorted(only(slant=0.5), upright)
    rows = [np.argmin(leaning[:, row, :, 0], axis=1) for row in (12, 30, 47)]
    assert np.abs(rows[1] - 10).max() <= 1
    moved = rows[2] - rows[0]
    assert moved.min() < -5 < 5 < moved.max()
    assert np.abs(moved).max() <= 0.5 * 36 + 2


def test_a_part_of_the_text_may_be_faint_but_does_not_vanish():
    solid = np.full((24, 60, 160, 1), 10, np.uint8)
    solid[:, 0] = 250
    strength = np.ptp(distorted(only(faint=0.6), solid), axis=1)[:, :, 0]  # of each column
    relative = strength / strength.max(axis=1, keepdims=True)
    assert 0.39 < relative.min() < 0.7


def test_speckles_are_single_pixels_and_no_more_than_their_share():
    blank = np.full((24, 60, 160, 1), 250, np.uint8)
    blank[:, 30, 80] = 10
    changed = (distorted(only(speckles=0.1), blank) != distorted(NOTHING, blank)).mean(axis=(1, 2, 3))
    assert 0.03 < changed.max() < 0.11
    assert changed.mean() < 0.05
    least = distorted(only(speckles=0.01), blank) != distorted(NOTHING, blank)
    beside = least[:, :, 1:] & least[:, :, :-1]
    assert beside.mean() < 0.05 * least.mean()


def test_lines_blur_gradient_and_grain():
    blank = np.full((24, 60, 160, 1), 250, np.uint8)
    blank[:, 30, 80] = 10
    assert ink(distorted(only(lines=4), blank)).mean() > 4 * ink(blank).mean()
    sharp, soft = (np.abs(np.diff(distorted(only(blur=b)), axis=2)).max() for b in (0, 1.0))
    assert soft < 0.9 * sharp
    left_right = distorted(only(gradient=1.0), blank)[:, 5, [2, -2], 0]
    assert np.abs(np.diff(left_right)).mean() > 10
    assert distorted(only(grain=0.1), blank)[:, :20].std(axis=(1, 2, 3)).max() > 5
    assert distorted(NOTHING, blank)[:, :20].std(axis=(1, 2, 3)).max() == 0


def test_drawn_captchas_come_beside_pictures_of_ones_own():
    others, their_labels = IMAGES[:5], np.arange(5, dtype=np.int32)[:, None]
    own = np.repeat(IMAGES[10:11], 8, axis=0)
    data = tf.data.Dataset.from_tensor_slices((own, np.full((8, 1), 99, np.int32))).batch(4)
    batches = list(data.map(beside(others, their_labels)))
    assert [images.shape for images, _ in batches] == [(8, 60, 160, 1)] * 2
    for images, labels in batches:
        assert images.dtype == tf.uint8 and labels.dtype == tf.int32
        assert labels.numpy()[:4].ravel().tolist() == [99] * 4
        assert set(labels.numpy()[4:].ravel()) <= set(range(5))
        assert len({image.tobytes() for image in images.numpy()[4:]}) == 4  # each distorted anew
    assert len({tuple(labels.numpy()[4:].ravel()) for _, labels in batches}) == 2  # chosen anew


@pytest.mark.parametrize(("share", "spared"), [(0, 0), (0.25, 6), (0.3, 7), (1, 24)])
def test_a_share_of_a_batch_is_only_moved(share, spared):
    changed = distorted(Distortion(spared=share))
    height, width = IMAGES.shape[1:3]
    padded = mirror_edges(tf.constant(IMAGES), SHIFT_Y, SHIFT_X).numpy()
    places = itertools.product(range(2 * SHIFT_Y + 1), range(2 * SHIFT_X + 1))
    moved = np.array([padded[:, y : y + height, x : x + width] == changed for y, x in places]).all(axis=(2, 3, 4))
    assert moved.any(axis=0).tolist() == [True] * spared + [False] * (len(IMAGES) - spared)
    assert not spared or (changed[:spared] != IMAGES[:spared]).any()


def test_a_share_of_nothing_is_nothing():
    for share in (0.0, 0.5):
        images, labels = Distortion(spared=share)(tf.zeros([0, 60, 160, 1], tf.uint8), tf.zeros([0, 4], tf.int32))
        assert images.shape == (0, 60, 160, 1) and labels.shape == (0, 4)
