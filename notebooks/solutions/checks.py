"""Whether an answer to an exercise is right, and if it is not, what is wrong with it."""

import math
from typing import Any

import numpy as np

from helpers.data.images import list_images
from helpers.data.texts import draw_text, split_of
from helpers.errors import TutorialError
from helpers.experiments.choice import chosen
from helpers.scores import proportion


class NotYet(Exception):
    """What is wrong with an answer, in a sentence."""


def check_exercise(number: str, answer: Any) -> None:
    """Print in one line whether an answer is right; `number` is "02.3" for exercise 3 of notebook 2.

    Three dots are no answer yet. TutorialError if there is no such exercise.
    """
    if number not in CHECKS:
        raise TutorialError(f"there is no exercise {number!r}. There are {', '.join(CHECKS)}.")
    if answer is ...:
        print(f"Exercise {number}: no answer yet. Write yours in place of the dots, and run this cell again.")
        return
    try:
        CHECKS[number](answer)
        print(f"Exercise {number}: right.")
    except NotYet as reason:
        print(f"Exercise {number}: not yet. {reason}")


def numbers(answer: Any, *names: str) -> list[float]:
    """The answer as so many numbers; NotYet if it is something else."""
    wanted = f"({', '.join(names)})" if len(names) > 1 else names[0]
    try:
        if isinstance(answer, str | dict):
            raise TypeError
        found = [float(value) for value in np.ravel(answer)]
    except (TypeError, ValueError):
        raise NotYet(f"The answer is {wanted}, in numbers; this is of type {type(answer).__name__}.") from None
    if len(found) != len(names) or not np.isfinite(found).all():
        raise NotYet(f"The answer is {wanted}; this is {answer!r}.")
    return found


def text(answer: Any, example: str) -> str:
    """The answer as a text without blanks around it; NotYet if it is none."""
    if not isinstance(answer, str):
        raise NotYet(f"The answer is a text, such as {example!r}; this is of type {type(answer).__name__}.")
    return answer.strip()


def require(fine: bool, hint: str) -> None:
    """NotYet, with the hint, unless this is fine."""
    if not fine:
        raise NotYet(hint)


def near(found: float, truth: float, tolerance: float) -> bool:
    """Whether a number is the true one, as closely as that."""
    return abs(found - truth) <= tolerance


def check_eight_seeds(answer: Any) -> None:
    sizes, pictures = numbers(answer, "sizes", "pictures")
    require(sizes == 1, f"Not {sizes:g} sizes: the style fixes the size of every picture. Compare `image.size`.")
    require(
        pictures == 8, f"Not {pictures:g} pictures: each seed draws another. Compare `image.tobytes()`, all pixels."
    )


def check_minutes(answer: Any) -> None:
    small, large = numbers(answer, "minutes for 10,000", "minutes for 400,000")
    require(min(small, large) > 0, "Both take more than no time.")
    require(small < large, "The smaller data set comes first.")
    told = f"400,000 captchas are 40 times as many as 10,000, and your minutes {large / small:.1f} times as many."
    hint = "Count the training steps alone: what TensorFlow prepares takes as long for either."
    require(near(large / small, 40, 4), f"{told} {hint}")


def check_field(answer: Any) -> None:
    field = text(answer, "height").rstrip(":")
    require("NoSuchFont" not in field, "That is the value that was refused. Of which field is it?")
    require(field == "fonts", f"The message begins with the name of the field, and that is not {field!r}.")


def check_brightness(answer: Any) -> None:
    (change,) = numbers(answer, "a change in grey levels")
    require(
        not near(change, 15, 1.5),
        "The size is right, the sign is not: dots make a picture darker, so subtract 30 from 200.",
    )
    require(
        near(change, -15, 1.5),
        f"Not {change:g}: take the mean of all pixels of each of 200 pictures in grey, with both styles.",
    )


def check_contrast(answer: Any) -> None:
    usual, dark = numbers(answer, "usual", "dark")
    require(usual > dark, "Text colours from (10, 60) are fainter, so the first number is the larger one.")
    hint = "Contrast is the median of all pixels less their 10th percentile, in captchas without dots and curves."
    require(near(usual, 104, 1), f"Not {usual:g} as usual. {hint} Then take the median over the 200 captchas.")
    require(near(dark, 53, 1), f"{usual:g} is right, {dark:g} is not. {hint}")


def check_first_of_test(answer: Any) -> None:
    found = text(answer, "0123")
    require(len(found) == 4 and found.isdecimal(), f"{found!r} has not four digits: 12 is the text '0012'.")
    require(split_of(found) == "test", f"{found} is in the {split_of(found)} split.")
    require(int(found) == 9, f"{found} is in the test split, but a smaller one is too.")


def check_room(answer: Any) -> None:
    (ratio,) = numbers(answer, "a ratio")
    require(ratio > 1, "Raw pixels take more room than PNG: divide the room of the pixels by that of PNG.")
    require(not near(ratio, 9.3, 0.9), "That is three channels. Pack `grey[:, :, None]`, as [height, width, 1].")
    require(
        near(ratio, 3.1, 0.2), f"Not {ratio:g}: divide the bytes of 500 grey pictures by those of their 500 PNG files."
    )


def check_empty_file(answer: Any) -> None:
    said = str(answer).strip()
    require("error" not in said or "no error" in said, "There is nothing in an empty file that could be damaged.")
    require(said in ("0", "0 records, no error"), f"Not {said!r}: run it, and give what it says.")


def check_buffer(answer: Any) -> None:
    from helpers.data.records import RECORDS_PER_SHARD

    one, whole = numbers(answer, "megabytes for one shard", "megabytes for all")
    count, style = chosen().train_count, chosen().style
    truth = [some * style.height * style.image_width / 1e6 for some in (min(count, RECORDS_PER_SHARD), count)]
    require(one < 1e6, "The answer is in megabytes, of 1,000,000 bytes each.")
    require(
        near(one, truth[0], truth[0] / 20),
        f"Not {one:g} for one shard: how many records has it, of {style.height} × {style.image_width} bytes each?",
    )
    require(near(whole, truth[1], truth[1] / 20), f"Not {whole:g} for all: how many training captchas are there?")


def check_folder(answer: Any) -> None:
    name = text(answer, "networks/mine").replace("\\", "/").rstrip("/").split("/")[-1]
    require(name.startswith("changed-"), f"Not {name!r}: `save_model` prints where the network went.")


def check_trained_on(answer: Any) -> None:
    trained, held_out = shares(answer, "share of the training captchas", "share of the validation captchas")
    require(trained > held_out, "The network has seen the training captchas: of these it reads more.")
    require(
        trained > 0.95, f"Only {trained:.0%} of the training captchas? Read them all after training, without dropout."
    )
    require(held_out < trained - 0.03, "That is no gap. Is the second share of captchas that were never trained on?")


def check_leak(answer: Any) -> None:
    leaking, honest = shares(answer, "share of the split that leaks", "share of the validation captchas")
    require(leaking > honest, "Moved copies of what was trained on are easier than new captchas: they come first.")
    require(
        leaking > honest + 0.1,
        f"{leaking:.0%} and {honest:.0%} are too close. Copy each captcha first, and split then.",
    )


def check_dropout(answer: Any) -> None:
    off, on = shares(answer, "share without dropout", "share with dropout")
    require(off != on, "Dropout was in the same state both times: call the network with `training=True`.")
    require(off > on, "Dropout costs accuracy: the share without it comes first.")
    require(
        off > 0.5,
        f"Only {off:.0%} without dropout? Call the trained network with `training=False`, on validation captchas.",
    )
    require(on < off - 0.1, f"Only {off - on:.1%} less with dropout? Give both layers the rate 0.5, on little data.")


def check_needed(answer: Any) -> None:
    part = text(answer, "dropout").lower()
    require(
        "batch" in part and "norm" in part,
        f"Without {answer} the loss falls all the same. Whose loss stays where guessing is?",
    )


def check_first_loss(answer: Any) -> None:
    (loss,) = numbers(answer, "a loss in nats")
    require(not near(loss, math.log(10), 0.02), "That is the loss of guessing one of 10 classes; here there are 36.")
    require(not near(loss, math.log2(36), 0.02), "That is in bits. In nats it is the natural logarithm.")
    require(
        near(loss, math.log(36), 0.02), f"Not {loss:g}: what is −ln p, if each of 36 classes has the probability p?"
    )


def check_needed_right(answer: Any) -> None:
    (right,) = numbers(answer, "right of 1,000")
    require(right in range(1_001), "The answer is a count, from 0 to 1,000.")
    low = proportion(int(right), 1_000).low
    require(low > 0.99, f"The interval of {right:g} begins at {low:.2%}, which is not above 99 %.")
    require(right == 997, f"{right:g} are enough, but fewer are too.")


def shares(answer: Any, *names: str) -> list[float]:
    """The answer as shares; NotYet if it is none."""
    found = numbers(answer, *names)
    require(max(found) <= 1, "Give shares from 0 to 1, not percentages.")
    require(min(found) >= 0, "A share is not less than 0.")
    return found


def reader_and_images() -> tuple[Any, list[Any]]:
    """The reader of the chosen experiment, and its test images."""
    from helpers.reading import Reader

    settings = chosen()
    return Reader.load(settings.model_path), list_images(settings, "test")


def check_upside_down(answer: Any) -> None:
    from helpers.captchas.pictures import open_image

    middle, warned = shares(answer, "median confidence", "share warned of")
    reader, images = reader_and_images()
    readings = reader.read([open_image(image.path).rotate(180) for image in images[:200]])
    truth = float(np.median([reading.confidence for reading in readings]))
    require(
        near(middle, truth, 0.02),
        f"The median confidence is not {middle:.3f}. Turn the first 200 test captchas by 180 degrees.",
    )
    truth = sum(not reading.familiar for reading in readings) / len(readings)
    require(near(warned, truth, 0.02), f"Not {warned:.1%} are warned of: count the readings that are not `familiar`.")


def check_never_wrong(answer: Any) -> None:
    line, refused = shares(answer, "the confidence", "share refused")
    reader, images = reader_and_images()
    readings = reader.read([image.path for image in images])
    wrong = max((r.confidence for r, i in zip(readings, images, strict=True) if r.text != i.text), default=0.0)
    above = sum(r.confidence > line and r.text != i.text for r, i in zip(readings, images, strict=True))
    require(line > wrong - 1e-3, f"Above {line:.4f} there are still {above} mistakes.")
    require(
        line < wrong + 1e-3, f"Above {line:.4f} there is no mistake, but above a lower confidence there is none either."
    )
    truth = sum(r.confidence <= wrong for r in readings) / len(readings)
    require(
        near(refused, truth, 0.005), f"Not {refused:.1%} are refused: count all readings that are no surer than that."
    )


def check_other_styles(answer: Any) -> None:
    from helpers.captchas.drawing import draw_captcha
    from helpers.settings import CaptchaStyle

    presets = "default", "noisy", "many fonts"
    found = numbers(answer, *(f"right of {name}" for name in presets))
    reader, _ = reader_and_images()
    texts = [draw_text(reader.style, "test", seed) for seed in range(200)]
    for name, count in zip(presets, found, strict=True):
        images = [draw_captcha(each, CaptchaStyle.preset(name), seed) for seed, each in enumerate(texts)]
        truth = sum(reading.text == each for reading, each in zip(reader.read(images), texts, strict=True))
        require(
            near(count, truth, 2),
            f"Not {count:g} of 200 of the preset {name!r}: draw text i of the test split with seed i.",
        )


CHECKS = {
    "01.1": check_eight_seeds,
    "01.2": check_minutes,
    "01.3": check_field,
    "02.1": check_brightness,
    "02.2": check_contrast,
    "02.3": check_first_of_test,
    "03.1": check_room,
    "03.2": check_empty_file,
    "03.3": check_buffer,
    "04.1": check_folder,
    "04.2": check_trained_on,
    "04.3": check_leak,
    "04.4": check_dropout,
    "04.5": check_needed,
    "04.6": check_first_loss,
    "04.7": check_needed_right,
    "05.1": check_upside_down,
    "05.2": check_never_wrong,
    "05.3": check_other_styles,
}
