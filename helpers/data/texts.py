"""Which texts are drawn, and which split each belongs to: for ever, whatever else is chosen."""

import functools
import hashlib
import itertools
import random
from collections import Counter
from collections.abc import Iterable

from helpers.captchas.styles import CaptchaStyle
from helpers.errors import SettingsError

SPLITS = ("train", "validation", "test")
FEWEST = 100  # different texts that a style must have
MANY = 1_000  # with so many texts, each split surely has some


def split_of(text: str) -> str:
    """The split that `text` belongs to, for ever: 80 % train, 10 % validation, 10 % test."""
    if not isinstance(text, str):
        raise SettingsError(f"A text must be a string, such as '5020'; {text!r} is a {type(text).__name__}.")
    return {0: "test", 1: "validation"}.get(derive_seed(text) % 10, "train")


def check_split(split: str) -> str:
    """`split` itself; SettingsError if there is no such split."""
    if split not in SPLITS:
        raise SettingsError(f"There is no split {split!r}. There are: {', '.join(SPLITS)}.")
    return split


def derive_seed(*parts: object) -> int:
    """A 64-bit seed that depends on all `parts`, such as (run seed, split, index)."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "big")


def draw_text(style: CaptchaStyle, split: str, seed: int) -> str:
    """A random text of `style` that belongs to `split`; SettingsError if there is none."""
    check_texts(style, (check_split(split),), fewest=1)
    generator = random.Random(seed)
    while True:
        length = generator.randint(*style.length)
        text = "".join(generator.choices(style.alphabet, k=length))
        if split_of(text) == split:
            return text


def check_texts(style: CaptchaStyle, splits: Iterable[str] = SPLITS, fewest: int = FEWEST) -> None:
    """SettingsError for a style with fewer than `fewest` different texts, or without texts in one of the splits."""
    counts = count_texts(style.alphabet, style.length)
    if counts and (counts.total() < fewest or not all(counts[split] for split in splits)):
        parts = ", ".join(f"{counts[split]} {split}" for split in SPLITS)
        few = f"This style has {counts.total()} different texts, too few for three splits ({parts})"
        raise SettingsError(f"{few}. Choose a longer length or a larger alphabet, for at least {FEWEST} texts.")


@functools.lru_cache(maxsize=64)
def count_texts(alphabet: str, length: tuple[int, int]) -> Counter[str] | None:
    """How many texts each split has, counted one by one; None where there are many."""
    lengths = range(length[0], length[1] + 1)
    if sum(len(alphabet) ** n for n in lengths) >= MANY:
        return None
    return Counter(split_of("".join(text)) for n in lengths for text in itertools.product(alphabet, repeat=n))
