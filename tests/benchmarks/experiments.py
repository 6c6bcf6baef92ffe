"""Experiments: what carries over to another style, what a warm start saves, what a preset takes.

Each training is an experiment in the data folder. What is there already is not made again, so an
interrupted run goes on where it stopped.
"""

from __future__ import annotations

from typing import Any

from helpers import _run, _storage
from helpers._callbacks import read_rows
from helpers.alexnet import build_alexnet
from helpers.captchas import draw_captcha
from helpers.dataset import derive_seed, draw_text
from helpers.distortion import Distortion
from helpers.experiments import start_from
from helpers.explorer import Explorer
from helpers.quiet_tensorflow import keras
from helpers.reading import Reader
from helpers.records import write_records
from helpers.scores import Proportion, proportion
from helpers.settings import PRESETS, CaptchaStyle, Settings, load_settings
from helpers.training import compile_model, save_model, score_test, shift_batch, train
from tests.benchmarks import measured
from tests.benchmarks.accuracy import draw

COUNTS = {"train_count": 30_000, "validation_count": 2_000, "test_count": 5_000, "epochs": 3}
READ = 1_000  # captchas behind each figure of the carry-over
COMMAND = "make experiments"
MANY_FONTS = PRESETS["many fonts"]["fonts"]
LEFT_OUT = "DejaVuSerif-Italic"

CARRY = {  # trained on, and read: all draw four digits, 60 x 160
    "default": CaptchaStyle(),
    "clean": CaptchaStyle.preset("clean"),
    "noisy": CaptchaStyle.preset("noisy"),
    "tilted": CaptchaStyle.preset("tilted"),
    "dejavu-serif": CaptchaStyle(fonts="DejaVuSerif"),
    "many-fonts": CaptchaStyle.preset("many fonts"),
    "all-but-one": CaptchaStyle(fonts=tuple(font for font in MANY_FONTS if font != LEFT_OUT)),
}
READ_ONLY = {"the one left out": CaptchaStyle(fonts=LEFT_OUT)}
KNOBS: dict[str, list[Any]] = {
    "noise_dots": [0, 15, 30, 60, 100, 150, 200, 300, 400],
    "rotation": [(-turn, turn) for turn in (0, 15, 30, 45, 60, 75, 90)],
}
LARGE = {"train_count": 80_000, "validation_count": 5_000, "test_count": 10_000}
ROBUST = "robust"


def experiment_name(name: str) -> str:
    """The folder of one of these trainings, apart from the learner's own."""
    return name if name == ROBUST else f"small-{name.replace(' ', '-')}"


def make(name: str, style: CaptchaStyle, source: str | None = None, **changes: Any) -> dict[str, float | None]:
    """Draw, pack, train and score one experiment, unless it was done; the seconds that each step took."""
    settings = load_settings(experiment_name(name), profile="full", style=style, **{**COUNTS, **changes})
    path = settings.folder / "steps.json"
    if not path.exists():
        steps = {step: measured.in_own_process(function, settings)[0] for step, function in STEPS.items()}
        steps["training [s]"] = measured.in_own_process(fit, settings, source)[0]
        _storage.write_json(path, steps)
    return _storage.read_json(path, made_by=COMMAND)


def pack(settings: Settings) -> float:
    """Write the records; the seconds it took."""
    return measured.seconds(lambda: write_records(settings))


STEPS = {"drawing [s]": draw, "packing [s]": pack}


def fit(settings: Settings, source: str | None) -> float:
    """Train from random weights or from those of `source`, save and score; the seconds of training."""
    keras.utils.set_random_seed(settings.seed)
    model = build_alexnet(settings.style)
    if source:
        model = start_from(model, settings, experiment_name(source))
    model = compile_model(model, settings)
    training = train(model, settings, augment=Distortion() if settings.experiment == ROBUST else shift_batch)
    save_model(model, settings)
    score_test(model, settings, training)
    return training.seconds


def test_score(name: str) -> Proportion:
    """The held-out score of one of these trainings."""
    return _run.test_score(load_settings(experiment_name(name), profile="full"))


def columns(score: Proportion) -> dict[str, Any]:
    """A score as columns of a row."""
    percent = {"right [%]": 100 * score.value, "lowest [%]": 100 * score.low, "highest [%]": 100 * score.high}
    return {"right": score.right, "of": score.count, **percent}


def read_styles(name: str, styles: dict[str, CaptchaStyle]) -> dict[str, Proportion]:
    """How many captchas with held-out texts one network reads, style by style."""
    reader = Reader.load(experiment_name(name))
    scores = {}
    for key, style in styles.items():
        seeds = [derive_seed("carry over", key, number) for number in range(READ)]
        texts = [draw_text(style, "test", seed) for seed in seeds]
        images = [draw_captcha(text, style, seed) for text, seed in zip(texts, seeds, strict=True)]
        readings = reader.read(images)
        right = sum(reading.text == text for reading, text in zip(readings, texts, strict=True))
        scores[key] = proportion(right, READ)
    return scores


def carry_over() -> None:
    """Every network reads every style; and two of them read along two knobs."""
    rows = []
    for name, style in CARRY.items():
        make(name, style)
        scores, _ = measured.in_own_process(read_styles, name, {**CARRY, **READ_ONLY})
        rows += [{"trained on": name, "read": key, **columns(score)} for key, score in scores.items()]
    measured.save("carry_over", "Which network reads which style?", rows, command=COMMAND)

    rows = []
    for knob, values in KNOBS.items():
        styles = {str(value): CaptchaStyle(**{knob: value}) for value in values}
        for name in ("default", "noisy" if knob == "noise_dots" else "tilted"):
            scores, _ = measured.in_own_process(read_styles, name, styles)
            for value, score in zip(values, scores.values(), strict=True):
                amount = value if isinstance(value, int) else value[1]
                rows.append({"knob": knob, "value": amount, "trained on": name, **columns(score)})
    measured.save("knobs", "How far does a network carry along a knob?", rows, command=COMMAND)


def warm_start() -> None:
    """The noisy preset from random weights, and from the default's in a third of the passes."""
    style = CaptchaStyle.preset("noisy")
    make("default", CaptchaStyle())
    make("noisy", style)
    make("noisy-warm", style, source="default", epochs=COUNTS["epochs"] // 3)
    rows, curves = [], {}
    for name, label in {"noisy": "from random weights", "noisy-warm": "from the default's weights"}.items():
        settings = load_settings(experiment_name(name), profile="full")
        points = read_rows(settings.progress_path)
        curves[label] = [{"seconds": p["seconds"], "captchas": p["validation captchas"]} for p in points]
        rows.append({"start": label, "training [s]": points[-1]["seconds"], **columns(test_score(name))})
    measured.save("warm_start", "What does a warm start save?", rows, command=COMMAND, curves=curves)


def presets() -> None:
    """What each preset takes, and how many of its captchas are then read."""
    rows = []
    for preset in PRESETS:
        name = {"many fonts": "many-fonts"}.get(preset, preset)
        steps = make(name, CaptchaStyle.preset(preset))
        rows.append({"preset": preset, **steps, **columns(test_score(name))})
    measured.save("presets", "What does each preset take?", rows, command=COMMAND)


def redraw() -> None:
    """How long the explorer's grid takes to follow a slider."""
    rows = []
    for preset in PRESETS:
        explorer = Explorer(CaptchaStyle.preset(preset))
        taken = []
        for step in range(20):
            dots = explorer.knobs["noise_dots"]
            taken.append(1000 * measured.seconds(lambda: setattr(dots, "value", 10 * (step % 2) + 100)))  # noqa: B023
        rows.append({"preset": preset, **measured.spread(taken, "ms")})
    measured.save("redraw", "How long does the explorer take to follow a slider?", rows, command=COMMAND)


def robust() -> None:
    """A reader for pictures that this generator did not draw: many fonts, distorted in training."""
    steps = make(ROBUST, CaptchaStyle.preset("many fonts"), **LARGE, epochs=4)
    rows = [{"read": "many fonts, as drawn", **steps, **columns(test_score(ROBUST))}]
    measured.save("robust", "How well does the reader for foreign pictures read?", rows, command=COMMAND)


def main() -> None:
    """All of it, the quickest first."""
    for question in (redraw, warm_start, carry_over, presets, robust):
        question()
