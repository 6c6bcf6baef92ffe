"""The picker of notebook 5 and the labeller, driven as their buttons and keys would."""

import csv
import datetime
import io
import os

import numpy as np
import pytest
from PIL import Image, ImageGrab

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.styles import CaptchaStyle
from helpers.data import adopt_folder
from helpers.experiments.grid import NOTHING
from helpers.experiments.picker import Labeller, Picker, verdict
from helpers.reading import Reading

CAPTCHA = draw_captcha("5020", CaptchaStyle(), seed=1)


def as_png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def choose(picker, content: bytes, name: str) -> None:
    """What the browser sends when a file is chosen."""
    file = {"name": name, "type": "image/png", "size": len(content), "content": memoryview(content)}
    picker.upload.value = ({**file, "last_modified": datetime.datetime.now(datetime.UTC)},)


@pytest.fixture
def picker(reader):
    return Picker(reader)


def expected(reader, picture=CAPTCHA) -> str:
    return f"<b>{verdict(reader.read(picture)[0])}</b>"


def shown(picker) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picker.picture.value)).convert("L"))


def test_before_a_picture_is_chosen_there_is_one_that_takes_no_room(picker):
    with Image.open(io.BytesIO(picker.picture.value)) as nothing:
        assert nothing.width >= 1_000 * nothing.height  # also where it is stretched to the page's width
        assert nothing.convert("RGBA").getextrema()[3] == (0, 0)


def test_a_chosen_file_is_read_and_shown(picker, reader):
    choose(picker, as_png(CAPTCHA), "mine.png")
    assert picker.verdict.value == expected(reader)
    first = shown(picker)
    assert first.std() > 1
    other = draw_captcha("9999", CaptchaStyle(), seed=2).resize((320, 120))
    choose(picker, as_png(other), "other.png")
    assert picker.verdict.value == expected(reader, other)
    assert (shown(picker) != first).any()


def test_the_same_file_is_read_again_when_it_is_chosen_again(picker, monkeypatch):
    read, moment = [], datetime.datetime.now(datetime.UTC)
    reader_read = picker.reader.read
    monkeypatch.setattr(picker.reader, "read", lambda picture: read.append(picture) or reader_read(picture))
    content = as_png(CAPTCHA)
    file = {"name": "mine.png", "type": "image/png", "size": len(content), "content": memoryview(content)}
    for count in (1, 2, 3):
        picker.verdict.value = "something else"
        picker.upload.value = ({**file, "last_modified": moment},)
        assert len(read) == count
        assert picker.verdict.value == f"<b>{verdict(reader_read(CAPTCHA)[0])}</b>"
        assert picker.upload.value == ()
    for _ in (1, 2):
        picker.verdict.value = "something else"
        picker.upload.value = ({**file, "content": memoryview(b"no picture"), "last_modified": moment},)
        assert "mine.png is no readable image" in picker.verdict.value


def test_a_message_of_the_browser_is_answered_with_an_empty_choice(picker, reader, monkeypatch):
    sent = []
    monkeypatch.setattr(picker.upload, "send_state", lambda key=None: sent.append((key, picker.upload.value)))
    content = as_png(CAPTCHA)
    file = {"name": "mine.png", "type": "image/png", "size": len(content), "last_modified": 1_700_000_000_000}
    for _ in range(2):
        picker.verdict.value = ""
        picker.upload.set_state({"value": [{**file, "content": memoryview(content)}]})
        assert picker.verdict.value == expected(reader)
        assert ("value", ()) in sent
        sent.clear()


def test_a_turned_picture_is_read_upright(picker, reader):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    CAPTCHA.rotate(90, expand=True).save(file, "PNG", exif=exif)
    choose(picker, file.getvalue(), "turned.png")
    assert picker.verdict.value == expected(reader)


def test_a_path_is_read(picker, reader, tmp_path):
    CAPTCHA.save(tmp_path / "mine.png")
    picker.path.value = f" {tmp_path / 'mine.png'} "
    assert picker.verdict.value == expected(reader)
    assert shown(picker).std() > 1


def test_the_same_path_can_be_given_again_in_quotes_or_from_home(picker, reader, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    full = tmp_path / "mine.png"
    for number, path in enumerate((str(full), f'"{full}"', "~/mine.png", "~/mine.png")):
        picture = draw_captcha("5020", CaptchaStyle(), seed=number)
        picture.save(full)
        picker.path.value = path
        assert picker.verdict.value == expected(reader, picture)
        assert picker.path.value == ""


@pytest.mark.parametrize("copied", ["picture", "file"])
def test_what_is_in_the_clipboard_is_read(picker, reader, tmp_path, monkeypatch, copied):
    CAPTCHA.save(tmp_path / "mine.png")
    content = CAPTCHA if copied == "picture" else [str(tmp_path / "mine.png")]
    monkeypatch.setattr(ImageGrab, "grabclipboard", lambda: content)
    picker.button.click()
    assert picker.verdict.value == expected(reader)


def no_clipboard():
    raise NotImplementedError("xclip is missing")


def broken_clipboard():
    raise ValueError("damaged clipboard")


def test_what_cannot_be_read_is_refused_in_place_and_the_last_picture_stays(picker, tmp_path, monkeypatch):
    choose(picker, as_png(CAPTCHA), "mine.png")
    before = picker.picture.value
    (tmp_path / "notes.png").write_text("no picture")
    steps = {
        "broken.png is no readable image": lambda: choose(picker, as_png(CAPTCHA)[:500], "broken.png"),
        "notes.png is no readable image": lambda: setattr(picker.path, "value", str(tmp_path / "notes.png")),
        "absent.png does not exist": lambda: setattr(picker.path, "value", str(tmp_path / "absent.png")),
        "There is no picture in the clipboard": lambda: picker.button.click(),
    }
    monkeypatch.setattr(ImageGrab, "grabclipboard", lambda: None)
    for message, step in steps.items():
        step()
        assert picker.verdict.value.startswith("<b>Not read.</b>")
        assert message in picker.verdict.value
        assert picker.picture.value == before
    monkeypatch.setattr(ImageGrab, "grabclipboard", no_clipboard)
    picker.button.click()
    assert "xclip is missing" in picker.verdict.value
    monkeypatch.setattr(ImageGrab, "grabclipboard", lambda: [])
    picker.button.click()
    assert "There is no picture in the clipboard" in picker.verdict.value
    monkeypatch.setattr(ImageGrab, "grabclipboard", broken_clipboard)
    picker.button.click()
    assert "damaged clipboard" in picker.verdict.value
    choose(picker, as_png(CAPTCHA), "again.png")
    assert "Not read" not in picker.verdict.value


@pytest.mark.parametrize("familiar", [True, False])
def test_a_foreign_picture_is_read_with_a_warning(familiar):
    said = verdict(Reading("5020", 0.987, np.eye(10)[[5, 0, 2, 0]], familiar=familiar))
    assert said.startswith("Read as 5020, 98.7 % sure.")
    assert ("do not rely on it" in said) is not familiar


def test_without_a_kernel_a_sentence_stands_for_it(picker):
    assert "choose a picture" in repr(picker)
    assert "choose a picture" in picker._repr_mimebundle_()["text/plain"]


TEXTS = ("5020", "9999", "1234", "0071")


@pytest.fixture
def folder(tmp_path):
    """Four captchas and a file that only looks like one."""
    for number, text in enumerate(TEXTS):
        draw_captcha(text, CaptchaStyle(), seed=number).save(tmp_path / f"{number}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    return tmp_path


def rows(folder) -> list[dict[str, str]]:
    with open(folder / "labels.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def enter(labeller, text: str | None = None) -> None:
    """What the browser sends when a text is written, or left as it is, and Enter is pressed."""
    labeller.field.value = f"{labeller.field.value if text is None else text}\n"


def test_pictures_come_least_sure_first_each_with_its_guess(reader, folder):
    labeller = Labeller(reader, folder)
    readings = {name: reader.read(folder / name)[0] for name in ("0.png", "1.png", "2.png", "3.png")}
    wanted = sorted(readings, key=lambda name: readings[name].confidence)
    for name in wanted:
        assert labeller.said.value.startswith(name)
        assert labeller.field.value == readings[name].text
        assert Image.open(io.BytesIO(labeller.picture.value)).size == (160, 60)
        enter(labeller)
    assert rows(folder) == [{"file": n, "text": readings[n].text, "guess": readings[n].text} for n in wanted]
    assert labeller.picture.value == NOTHING and "all have a label" in labeller.said.value
    enter(labeller, "more")  # there is nothing left to label
    assert len(rows(folder)) == 4


def test_the_file_grows_label_by_label_and_is_taken_up_again(reader, folder):
    first = Labeller(reader, folder)
    enter(first, "5020")
    enter(first, " 12 34 ")  # blanks are no part of a text
    assert [row["text"] for row in rows(folder)] == ["5020", "1234"]
    second = Labeller(reader, folder)  # after a restart
    assert second.order == first.order and second.at == 2
    assert "2 labelled, 2 left" in second.said.value
    second.back.click()
    assert second.field.value == "1234"
    enter(second, "0071")  # another text for the same picture
    assert [row["text"] for row in rows(folder)] == ["5020", "0071"]
    assert second.at == 2


def test_a_skipped_picture_and_an_empty_field_leave_no_row(reader, folder):
    labeller = Labeller(reader, folder)
    labeller.skip.click()
    enter(labeller, "")
    assert labeller.at == 2 and not (folder / "labels.csv").exists()
    enter(labeller, "1111")
    enter(labeller, "2222")
    assert [row["file"] for row in rows(folder)] == labeller.order[2:]
    assert "2 have no label" in labeller.said.value
    labeller.skip.click()  # there is none behind the last
    labeller.back.click()
    assert labeller.field.value == "2222"
    for _ in range(9):  # nor before the first
        labeller.back.click()
    assert labeller.at == 0


def test_the_share_of_right_guesses_counts_only_guesses(reader, folder):
    (folder / "labels.csv").write_text("file,text,where\n0.png,5020,a form\n", encoding="utf-8")  # by hand
    labeller = Labeller(reader, folder)
    assert labeller.share() == "" and labeller.at == 1
    enter(labeller)
    enter(labeller, "other")
    assert labeller.share().startswith("Guessed right: 50.0 % (1 of 2; 95 % interval 9.5–90.5).")
    assert "least sure come first" in labeller.share()
    enter(labeller)
    assert "least sure" not in labeller.share()
    assert rows(folder)[0] == {"file": "0.png", "text": "5020", "where": "a form", "guess": ""}


def test_a_label_that_cannot_be_kept_is_told_and_not_counted(reader, folder, monkeypatch):
    labeller = Labeller(reader, folder)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    enter(labeller, "5020")
    assert labeller.said.value.startswith("<b>Not kept.</b>") and "labels.csv" in labeller.said.value
    assert labeller.at == 0 and not labeller.rows
    monkeypatch.undo()
    enter(labeller, "5020\n")
    assert [row["text"] for row in rows(folder)] == ["5020"]


def test_what_was_labelled_can_be_adopted(reader, tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(60):
        draw_captcha(f"{number * 37:04}", CaptchaStyle(), seed=number).save(folder / f"{number:02}.png")
    labeller = Labeller(reader, folder)
    for _ in range(55):
        enter(labeller, f"{int(labeller.order[labeller.at][:2]) * 37:04}")
    settings = adopt_folder("labelled", folder, labels="labels.csv")
    assert sum(settings.counts.values()) == 55
    assert "left out 5" in capsys.readouterr().out
