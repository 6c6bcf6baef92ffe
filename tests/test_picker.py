"""The picker of notebook 5, driven as its buttons would."""

import datetime
import io

import numpy as np
import pytest
from PIL import Image, ImageGrab

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.styles import CaptchaStyle
from helpers.experiments.picker import Picker, verdict
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
