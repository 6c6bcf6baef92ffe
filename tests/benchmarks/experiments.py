"""Experiments: what carries over to another style, what a warm start saves, other lengths and alphabets.

Each training run is an experiment in the data folder. What exists already is not made again, so an
interrupted run goes on where it stopped. A style's own score counts test captchas of its own; where
recipes are compared on the same captchas, these are validation captchas.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers import files, scores
from helpers.captchas.drawing import draw_captcha
from helpers.data.records import write_records
from helpers.data.texts import derive_seed, draw_text
from helpers.experiments.explorer import Explorer
from helpers.experiments.start import start_from
from helpers.experiments.whole import run_experiment
from helpers.files import read_rows
from helpers.files.results import load_result
from helpers.network.alexnet import build_alexnet
from helpers.precision import has_bfloat16
from helpers.quiet_tensorflow import keras
from helpers.reading import Reader
from helpers.settings import PRESETS, CaptchaStyle, Settings, load_settings, open_experiment
from helpers.training.evaluation import calibrate, score_test
from helpers.training.fit import compile_model, save_model, train
from tests.benchmarks import measured
from tests.benchmarks.accuracy import default_experiment, draw, predicted_of, score_validation
from tests.benchmarks.foreign import DESIGNS, foreign_captchas

SMALL = {"train_count": 20_000, "validation_count": 5_000, "test_count": 5_000, "epochs": 3}
LARGE = {"validation_count": 5_000, "test_count": 10_000, "epochs": 3}
READ = 1_000  # captchas behind each figure of the carry-over
COMMAND = "make experiments"
SPLITS = ("validation", "test")  # on which each network is scored
MANY_FONTS = PRESETS["many fonts"]["fonts"]
LEFT_OUT = "DejaVuSerif-Italic"

CARRY = {  # trained on, and read: four digits each, 60 x 160
    "default": CaptchaStyle(),
    "clean": CaptchaStyle.preset("clean"),
    "noisy": CaptchaStyle.preset("noisy"),
    "tilted": CaptchaStyle.preset("tilted"),
    "one other font": CaptchaStyle(fonts="DejaVuSerif"),
    "many fonts": CaptchaStyle.preset("many fonts"),
    "all fonts but one": CaptchaStyle(fonts=tuple(font for font in MANY_FONTS if font != LEFT_OUT)),
}
READ_ONLY = {"the font left out": CaptchaStyle(fonts=LEFT_OUT)}
KNOBS: dict[str, list[Any]] = {
    "noise_dots": [0, 15, 30, 60, 100, 150, 200, 300, 400],
    "rotation": [(-turn, turn) for turn in (0, 15, 30, 45, 60, 75, 90)],
}
LETTERS, LENGTHS, APART, ROBUST = "capitals and digits", "lengths 3 to 6", "without look-alikes", "robust"
SIZES = {LETTERS: 30_000, APART: 30_000, LENGTHS: 60_000}  # training captchas of the large runs
PRECISION_SEEDS = (1, 2)
AMOUNTS = (5_000, 10_000, 20_000)  # training captchas of cold and warm starts
CONFUSED = 0.02  # two characters look alike if more than this share of their occurrences are taken for each other


def experiment_name(name: str) -> str:
    """The folder of one of these training runs, apart from the learner's own."""
    return name if name == ROBUST else f"{'large' if name in SIZES else 'small'}-{name.replace(' ', '-')}"


def opened(name: str) -> Settings:
    """The settings of one of these training runs, from disk."""
    return open_experiment(experiment_name(name), profile="full")


def make(
    name: str, style: CaptchaStyle, source: str | None = None, bfloat16: bool | None = None, **changes: Any
) -> dict[str, Any]:
    """Draw, pack, train and score one experiment, unless that was done; seconds of each step, and scores by split."""
    changes = {**({**LARGE, "train_count": SIZES[name]} if name in SIZES else SMALL), **changes}
    settings = load_settings(experiment_name(name), profile="full", style=style, **changes)
    path = settings.folder / "steps.json"
    if not path.exists():
        steps = {step: measured.in_own_process(function, settings)[0] for step, function in STEPS.items()}
        (steps["training [s]"], *found), peak = measured.in_own_process(fit, settings, source, bfloat16)
        counts = {"training captchas": settings.train_count, "epochs": settings.epochs}
        columns = {split: measured.columns(score) for split, score in zip(SPLITS, found, strict=True)}
        files.write_json(path, {**counts, **steps, "peak [MB]": peak, **columns})
        measured.show(name, [{**columns["validation"], **steps}])
    return files.read_json(path, made_by=COMMAND)


def pack(settings: Settings) -> float:
    """Write the records; the seconds it took."""
    return measured.seconds(lambda: write_records(settings))


STEPS = {"drawing [s]": draw, "packing [s]": pack}


def fit(
    settings: Settings, source: str | None, bfloat16: bool | None
) -> tuple[float, scores.Proportion, scores.Proportion]:
    """Train from random weights or from those of `source`, save and score: seconds of training, and `SPLITS`' scores.

    Args:
        bfloat16: see `train`.
    """
    keras.utils.set_random_seed(settings.seed)
    model = build_alexnet(settings.style)
    if source:
        model = start_from(model, settings, source)
    model = compile_model(model, settings)
    training = train(model, settings, bfloat16=bfloat16)
    save_model(model, settings, calibrate(model, settings))
    return training.seconds, score_validation(model, settings), score_test(model, settings, training)


def made(name: str, style: CaptchaStyle, split: str = "test", **options: Any) -> dict[str, Any]:
    """Like `make`: counts, seconds and the score on one split as columns of a row."""
    row = make(name, style, **options)
    columns = {each: row.pop(each) for each in SPLITS}
    return {**row, **columns[split]}


def held_out(style: CaptchaStyle, *seed: object) -> tuple[list[str], list[int]]:
    """Texts of the test split, and a seed for drawing each anew: these captchas are in no experiment."""
    seeds = [derive_seed(*seed, number) for number in range(READ)]
    return [draw_text(style, "test", seed) for seed in seeds], seeds


def read_styles(name: str, styles: dict[str, CaptchaStyle]) -> dict[str, scores.Proportion]:
    """How many captchas with held-out texts one network reads right, style by style."""
    reader = Reader.load(experiment_name(name))
    found = {}
    for key, style in styles.items():
        texts, seeds = held_out(style, "carry over", key)
        images = [draw_captcha(text, style, seed) for text, seed in zip(texts, seeds, strict=True)]
        found[key] = count_right(reader, images, texts)
    return found


def count_right(reader: Reader, images: list[Any], texts: list[str]) -> scores.Proportion:
    """How many pictures are read completely right."""
    readings = reader.read(images)
    return scores.proportion(sum(r.text == text for r, text in zip(readings, texts, strict=True)), len(texts))


def carry_over() -> None:
    """Every network reads every style."""
    styles, rows = {**CARRY, **READ_ONLY}, []
    for name, style in CARRY.items():
        make(name, style)
        found, _ = measured.in_own_process(read_styles, name, styles)
        rows += [{"trained on": name, "read": key, **measured.columns(score)} for key, score in found.items()]
    fields = {name: style.to_dict() for name, style in styles.items()}
    measured.save("carry_over", "Which network reads which style?", rows, command=COMMAND, styles=fields)


def knobs() -> None:
    """Two networks each read along the number of dots and along rotation."""
    rows = []
    for knob, values in KNOBS.items():
        styles = {str(value): CaptchaStyle(**{knob: value}) for value in values}
        for name in ("default", "noisy" if knob == "noise_dots" else "tilted"):
            make(name, CARRY[name])
            found, _ = measured.in_own_process(read_styles, name, styles)
            for value, score in zip(values, found.values(), strict=True):
                amount = value if isinstance(value, int) else value[1]
                rows.append({"knob": knob, "value": amount, "trained on": name, **measured.columns(score)})
    measured.save("knobs", "How far does a network carry along a knob?", rows, command=COMMAND)


def warm_start() -> None:
    """The noisy preset from random weights, and from the default experiment's in a third of the passes."""
    style, source = CaptchaStyle.preset("noisy"), str(default_experiment(trained=True).model_path)
    warm = {"source": source, "epochs": SMALL["epochs"] // 3}
    rows, curves = [], {}
    for count in AMOUNTS:
        cold = "noisy" if count == SMALL["train_count"] else f"noisy {count}"
        starts = {cold: ("random weights", {}), f"{cold} from default": ("the default's weights", warm)}
        for name, (label, options) in starts.items():
            rows.append({"start": label, **made(name, style, "validation", train_count=count, **options)})
            points = read_rows(opened(name).progress_path)
            curves[f"{label}, {count:,}"] = [
                {"seconds": p["seconds"], "captchas": p["validation captchas"]} for p in points
            ]
    measured.save("warm_start", "What does a warm start save?", rows, COMMAND, curves=curves, split="validation")


def presets() -> None:
    """What each preset takes, and how many of its captchas are then read right."""
    (longest, *_), (letters, *_) = (load_result(name)["rows"] for name in ("lengths", "alphabets"))
    known = {LENGTHS: longest, LETTERS: letters}  # measured by the questions before
    rows = []
    for preset in PRESETS:
        row = known.get(preset) or made(preset, CaptchaStyle.preset(preset))
        rows.append({"preset": preset, **{name: row[name] for name in row if name not in ("length", "alphabet")}})
    measured.save("presets", "What does each preset take?", rows, command=COMMAND, bfloat16=has_bfloat16())


def precision() -> None:
    """The noisy preset with 16-bit multiplications in training and without, from two seeds each."""
    if not has_bfloat16():
        print("This processor does not multiply bfloat16 numbers: skipped")
        return
    style, rows = CaptchaStyle.preset("noisy"), []
    for seed in PRECISION_SEEDS:
        for kind, bfloat16 in {"float32": False, "bfloat16": True}.items():
            row = made(f"noisy {kind} {seed}", style, "validation", seed=seed, bfloat16=bfloat16)
            rows.append({"convolutions 2 to 5": kind, "seed": str(seed), **row})
    question = "What do 16-bit multiplications save, and cost?"
    measured.save("precision", question, rows, command=COMMAND, split="validation")


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


def predictions(name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions of a trained network on one split, [captchas, positions]."""
    reader = Reader.load(experiment_name(name))
    return predicted_of(reader.model, opened(name), split)


def confused_pairs(labels: np.ndarray, predicted: np.ndarray, classes: str) -> list[dict[str, Any]]:
    """Pairs of characters that are taken for each other, and how often; the most frequent first."""
    counts = scores.confusion(labels, predicted, len(classes)).sum(axis=0)
    pairs = []
    for first in range(len(classes)):
        for second in range(first):
            wrong, of = counts[first, second] + counts[second, first], counts[[first, second]].sum()
            if wrong:
                pair = f"{classes[second]}{classes[first]}"
                pairs.append({"pair": pair, "wrong": int(wrong), "of": int(of), "share": float(wrong / of)})
    return sorted(pairs, key=lambda pair: -pair["share"])


def alphabets() -> None:
    """Capitals and digits: all of them, then without the look-alikes that validation captchas named."""
    style = CaptchaStyle.preset(LETTERS)
    everything = made(LETTERS, style)
    (labels, predicted), _ = measured.in_own_process(predictions, LETTERS, "validation")
    named = [pair["pair"] for pair in confused_pairs(labels, predicted, style.classes) if pair["share"] > CONFUSED]
    dropped = {pair[1] for pair in ["0O", "1I", *named]}
    apart = CaptchaStyle(alphabet="".join(c for c in style.alphabet if c not in dropped))
    rows = [{"alphabet": style.alphabet, **everything}, {"alphabet": apart.alphabet, **made(APART, apart)}]
    (labels, predicted), _ = measured.in_own_process(predictions, LETTERS, "test")
    test_pairs = confused_pairs(labels, predicted, style.classes)
    measured.save("alphabets", "How are letters read?", rows, command=COMMAND, look_alike=named, pairs=test_pairs)


def lengths() -> None:
    """One network for three to six digits: how each length is read, and where it sees the end."""
    style = CaptchaStyle.preset(LENGTHS)
    rows = [{"length": "3 to 6", **made(LENGTHS, style)}]
    (labels, predicted), _ = measured.in_own_process(predictions, LENGTHS, "test")
    nothing = len(style.classes) - 1
    true, read = ((array != nothing).sum(axis=1) for array in (labels, predicted))
    by_length = []
    for length in range(style.min_length, style.max_length + 1):
        score = scores.captcha_accuracy(labels[true == length], predicted[true == length])
        counted = [int((read[true == length] == other).sum()) for other in range(style.max_length + 1)]
        by_length.append({"length": length, **measured.columns(score), "read as so many": counted})
    measured.save("lengths", "How are other lengths read?", rows, command=COMMAND, by_length=by_length)


def read_foreign(design: str) -> scores.Proportion | None:
    """How many captchas of another generator the robust network reads right; None where that is not installed."""
    texts, _ = held_out(CaptchaStyle(), "foreign", design)
    images = foreign_captchas(texts, design)
    return images and count_right(Reader.load(experiment_name(ROBUST)), images, texts)


def robust() -> None:
    """A network for pictures that this generator did not draw: many fonts, distorted in training."""
    metrics, _ = measured.in_own_process(run_experiment, ROBUST, None, None, "full")
    counts = {"training captchas": metrics["train_images"], "epochs": metrics["epochs"]}
    own = scores.proportion(metrics["captchas_right"], metrics["test_count"])
    first = {"read": "its own style, undistorted", **counts, "training [s]": metrics["train_seconds"]}
    rows = [{**first, **measured.columns(own)}]
    plain, _ = measured.in_own_process(read_styles, ROBUST, {"": CaptchaStyle()})
    rows.append({**dict.fromkeys(rows[0]), "read": "the default style", **measured.columns(plain[""])})
    for design in DESIGNS:
        score, _ = measured.in_own_process(read_foreign, design)
        if score:
            rows.append({**dict.fromkeys(rows[0]), "read": f"wheezy.captcha, {design}", **measured.columns(score)})
        else:
            print("wheezy.captcha is not installed: skipped")
    question = "How well are pictures of another generator read?"
    measured.save("robust", question, rows, command=COMMAND, bfloat16=has_bfloat16())


QUESTIONS = {
    question.__name__: question
    for question in (redraw, warm_start, carry_over, knobs, lengths, alphabets, presets, precision, robust)
}


def main() -> None:
    """All of it."""
    for question in QUESTIONS.values():
        question()
