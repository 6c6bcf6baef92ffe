"""Labelled pictures from elsewhere as an experiment: scaled and split; their own folder is never changed."""

import contextlib
import dataclasses
import hashlib
import io
import itertools
import os
import shutil
import string
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from helpers import files
from helpers.captchas.pictures import fit_to_style, open_image
from helpers.captchas.styles import CaptchaStyle
from helpers.data.images import image_manifest, image_name, restore
from helpers.data.texts import SPLITS, split_of
from helpers.errors import ImageError, SettingsError, StepError
from helpers.files.cores import on_all_cores
from helpers.files.labels import labels_of
from helpers.settings import Settings, load_settings, open_experiment

FEW = 2_000  # pictures: to scale them takes no longer than to start processes for it


def adopt_folder(name: str, folder: str | Path, labels: str | Path | None = None) -> Settings:
    """Make labelled pictures an experiment, which notebooks 3 to 5 and `run_experiment` then take as any other.

    Labels: None takes them from file names: 5020.png, 0007_5020.png or 5020_0007.png. Otherwise a CSV file with the
    columns `file` and `text`, or a regular expression for names without their ending, with a group `text`.
    SettingsError for labels that cannot be used; StepError for a name under which there is another experiment.
    """
    if not isinstance(folder, (str, os.PathLike)):
        raise SettingsError(f"folder: {folder!r} is a {type(folder).__name__}. Give the path of a folder.")
    folder = Path(folder).expanduser().resolve()
    texts, left_out = labels_of(folder, labels)
    lengths, found = sorted(map(len, texts.values())), set("".join(texts.values()))
    alphabet = string.digits if found <= set(string.digits) else "".join(sorted(found))
    style = CaptchaStyle(alphabet=alphabet, length=(lengths[0], lengths[-1]), check_fonts=False)
    settings = counted(load_settings(name, style=style, adopted=True), texts.values())
    if folder.is_relative_to(settings.data_dir):
        raise SettingsError(f"{folder} lies in the data folder, which `make clean` empties. Move it elsewhere.")
    tell(folder, texts, style)
    given = files.text_digest(files.to_json([[file, texts[file], (folder / file).stat().st_size] for file in texts]))
    with files.only_writer(settings.folder):
        restore(settings)
        if not _is_there(settings, given):
            shutil.rmtree(settings.images_folder, ignore_errors=True)
            _adopt(settings, folder, texts, {"left_out": left_out, "given": given})
    left_out = image_manifest(settings := open_experiment(name))["left_out"]
    for file, why in itertools.islice(left_out.items(), 3):
        print(f"left out: {file}, since {why}" + " (and so on)" * (len(left_out) > 3))
    print(", ".join(f"{split} {count:,}" for split, count in {**settings.counts, "left out": len(left_out)}.items()))
    return settings


def tell(folder: Path, texts: dict[str, str], style: CaptchaStyle) -> None:
    """Say what was understood of pictures and labels, and draw three of them with their texts."""
    from helpers import plots  # which no worker process needs

    sizes, pictures = Counter(), {}
    for file in list(texts)[:: -(-len(texts) // 200)]:
        with contextlib.suppress(ImageError):
            picture = open_image(folder / file)
            sizes[f"{picture.width}x{picture.height}"] += 1
            pictures |= {f"{file}: {texts[file]}": picture} if len(pictures) < 3 else {}
    print(f"{len(texts):,} labelled pictures, {len(set(texts.values())):,} different texts")
    print(f"characters: {style.alphabet}; in a text: {' to '.join(map(str, sorted(set(style.length))))}")
    most = ", ".join(size for size, _ in sizes.most_common(3)) + " and others" * (len(sizes) > 3)
    print(f"pixels: {most}; scaled to {style.image_width}x{style.height}")
    if both := [c for c in style.alphabet if c.islower() and c.upper() in style.alphabet]:
        print(f"{both[0]} and {both[0].upper()} count as different. If they are not, write all labels in one case.")
    print("; ".join(pictures))
    plots.gallery(list(pictures.values()), list(pictures), columns=3, width=2.8)


def counted(settings: Settings, texts: Iterable[str]) -> Settings:
    """`settings` with the number of these texts in each split; SettingsError if one has none."""
    counts = Counter(map(split_of, texts))
    if not all(counts[split] for split in SPLITS):
        parts = ", ".join(f"{counts[split]} {split}" for split in SPLITS)
        raise SettingsError(f"These labels are too few for three splits ({parts}). Label some 50 different texts.")
    return dataclasses.replace(settings, **{f"{split}_count": counts[split] for split in SPLITS})


def _is_there(settings: Settings, given: str) -> bool:
    """Whether these pictures were adopted before; StepError if another experiment has the name."""
    begun = (settings.folder / "experiment.json").is_file()
    stored = open_experiment(settings.experiment, settings.profile) if begun else settings
    whole = begun and stored.adopted and stored.manifest_path.is_file()
    another = not stored.adopted or begun < stored.images_folder.exists()
    if another or (whole and image_manifest(stored)["given"] != given):
        why = f"'{settings.experiment}' is another experiment, or other pictures or labels were adopted as it."
        raise StepError(f"{why} Choose another name, such as '{settings.experiment}-2'.")
    return whole


def _adopt(settings: Settings, folder: Path, texts: dict[str, str], manifest: dict[str, Any]) -> None:
    """Write settings, scaled pictures, settings with the counts that these gave, and at last the manifest."""
    files.write_json(settings.folder / "experiment.json", settings.describe())
    first, pictures, written = {}, [], {split: [] for split in SPLITS}
    paths = [folder / file for file in texts]
    parts = on_all_cores(fit_files, settings.style, paths, processes=1 if len(paths) < FEW else None)
    for (file, text), (digest, content) in zip(texts.items(), itertools.chain.from_iterable(parts), strict=True):
        same = first.setdefault(digest, file)
        if digest and texts[same] != text:
            raise SettingsError(f"{same} and {file} are the same picture, labelled {texts[same]} and {text}. Mend one.")
        if not digest or same != file:
            manifest["left_out"][file] = f"it is the same picture as {same}" if digest else content.decode()
            continue
        split = split_of(text)
        written[split].append(settings.images_folder / split / image_name(settings, split, len(written[split]), text))
        with files.written_whole(written[split][-1]) as temporary:
            temporary.write_bytes(content)
        pictures.append({"file": file, "text": text, "split": split})
    settings = counted(settings, [picture["text"] for picture in pictures])
    files.write_json(settings.folder / "experiment.json", settings.describe())
    digest = files.files_digest(itertools.chain(*written.values()), settings.images_folder)
    manifest |= {"counts": settings.counts, "images_digest": digest, "experiment": settings.describe()}
    manifest |= {"versions": files.package_versions("pillow", "numpy"), "pictures": pictures}
    files.write_json(settings.manifest_path, files.sealed(manifest))


def fit_files(style: CaptchaStyle, paths: list[Path]) -> list[tuple[str, bytes]]:
    """What a worker process does: the digest of each picture's pixels and its PNG file; or "" and what is wrong."""
    fitted = []
    for path in paths:
        try:
            grey, content = fit_to_style(path, style), io.BytesIO()
            Image.fromarray(grey).save(content, "png", compress_level=1)
            fitted.append((hashlib.sha256(grey.tobytes()).hexdigest(), content.getvalue()))
        except ImageError as reason:
            fitted.append(("", str(reason).encode()))
    return fitted
