"""A plugin of pytest for nbval: what the lessons' figures claim holds also on the quick profile.

`make test` loads it with `-p tests.claims`. After each cell that nbval has executed, its claim is evaluated in the
same kernel, so that the lessons need not run a second time.
"""

from __future__ import annotations

from pathlib import Path

import pytest

# What each figure's title claims, in the names of its notebook, by the id of the cell that draws it.
CLAIMS: dict[str, dict[str, str]] = {
    "01_check_environment": {},
    "02_generate_captchas": {
        "5d20b3e1": (
            'ax.get_title().startswith(f"{int((abs(counts - drawn / 10) <= spread).sum())} of {counts.size} counts")'
        ),
        "02-62": "alike[0] == similarity.max() and f'{alike[0]:.2f}' in titles[5]",
    },
    "03_write_tfrecords": {
        "a9130e1f": "f'{min(rates.values()) / training:.1f}' in title and training == max(trained.values())"
    },
    "04_train_alexnet": {
        "04-05": (
            "f'{model.count_params():,} parameters' in ax.get_title() and "
            "ax.get_title().endswith(max(layer_shapes(model), key=lambda layer: layer[2])[0])"
        ),
        "c04f1a12": 'losses["as above"][-1] < min(0.95 * guessing, losses["without BatchNorm"][-1])',
        "04-28": 'lines["captchas, validation"][1][-1] == 100 * rows[-1]["validation_captcha_accuracy"]',
    },
    "05_read_captchas": {
        "05-08": "count == sum(r.text == i.text for r, i in zip(readings[:20], test_images))",
        "05-11": "first.text == style.labels_to_text(first.probabilities.argmax(axis=-1))",
        "05-15": "confidence[doubtful] == confidence.min()",
        "f5a30c68": "len(mistakes) == sum(r.text != i.text for r, i in zip(readings, test_images))",
        "05-23": (
            "of_wrong == f'{sum(confidence[i] > 0.95 for i in mistakes):,} of {len(mistakes):,}' and "
            "of_right == f'{(confidence > 0.95).sum() - sum(confidence[i] > 0.95 for i in mistakes):,} of"
            " {score.right:,}'"
        ),
        "05-27": "wrong.sum() == (labels != predicted).sum() and confusion.sum() == labels.size",
        "e830dbd2": (
            "own_share == scores.proportion(sum(not r.familiar for r in answers['captchas of this "
            "experiment']), len(own)).percent and noise_share == scores.proportion(sum(not r.familiar for"
            " r in answers['noise']), 200).percent"
        ),
        "05-42": "tested(experiments[0]).value == max(tested(e).value for e in experiments)",
    },
    "beyond/why_it_learns": {
        "b6a7000a": 'times["2014, 224 × 224"] > times["ours"]',
        "b6a7000e": 'lowest == "BatchNorm" == min(curves, key=lambda n: np.mean([r[-1] for r in curves[n]]))',
        "b6a70014": (  # one passing of 50 % is chance, the whole climb is not
            "min(sum(p[f'position {n}'] for p in shown) for n in (1, style.positions)) > "
            "max(sum(p[f'position {n}'] for p in shown) for n in range(2, style.positions))"
        ),
        "b6a70016": "rates[-1] == min(rates) and 0 < rates.index(highest) < len(rates) / 5",
        "b6a70018": "ends[0] < ends[-1] and max(changes['rows'], key=lambda row: row['right']) == changes['rows'][-1]",
        "b6a7001c": ('original["curves"]["ours"][-1]["captchas"] > original["curves"]["the original"][-1]["captchas"]'),
        "b6a70022": "better == len(pairs) > 0",
    },
    "beyond/what_it_sees": {
        "8a05be93": "stages[names[0]].size > stages[names[-1]].size",
        "b5-14": ("(np.diff([np.average(range(40), weights=one.clip(0).sum(axis=0)) for one in lost]) > 0).all()"),
    },
    "beyond/where_it_fails": {
        "b4-12": (
            "positions[ranked[0]].value == max(p.value for p in positions.values()) and "
            "positions[ranked[-1]].value == min(p.value for p in positions.values())"
        ),
        "b4-14": "counts.sum() - counts.trace() == (labels != predicted).sum()",
        "422ff0c4": "wrong.sum() == (labels != predicted).sum()",
        "b4-18": "(gap > 0) == (confidence.mean() > right.mean())",
        "b4-22": (
            "errors['after'] == calibration_error(corrected, right) and errors['before'] == "
            "calibration_error(confidence, right)"
        ),
        "b4-26": "of_the_surest(1).right == right.sum() and of_the_surest(0.8).value >= of_the_surest(1).value",
        "0c72fe58": "max(shares[most]) - min(shares[most]) == max(max(s) - min(s) for s in shares.values())",
    },
    "beyond/variable_length": {
        "b2-16": (
            "by_length[best].value == max(share.value for share in by_length.values()) and "
            "by_length[worst].value == min(share.value for share in by_length.values())"
        ),
        "b2-26": "len(everything['alphabet']) > len(apart['alphabet'])",
    },
    "beyond/carry_over": {
        "b1-08": (
            "own == min(shares[i, list(styles).index(name)] for i, name in enumerate(trained)) and own > shares.min()"
        ),
        "b1-12": "max(share.low for share in found.values()) <= min(share.high for share in found.values())",
        "b1-14": (
            "[y[0] - y[list(x).index(own)] < 0 for (x, y, *_), own in zip(curves.values(), (30, 200))] == [False, True]"
        ),
        "b1-16": (
            "all(min(y[i] for i in range(len(x)) if x[i] <= own) > 95 and y[-1] < 65 for (x, y, *_), own "
            "in zip(curves.values(), (30, 60)))"
        ),
        "b1-18": (
            "(lambda gains: gains == sorted(gains, reverse=True) and gains[0] > 0)([b.value - a.value for"
            " a, b in zip(list(found.values())[::2], list(found.values())[1::2])])"
        ),
        "b1-20": (
            "(lambda cold, warm: warm[0] > cold[0] and max(cold) > max(warm) and cold[-1] > "
            "warm[-1])(curves['random weights, 20,000'][1], curves[\"the default's weights, 20,000\"][1])"
        ),
        "b1-26": "found['clean'].value > found['noisy'].value",
        "b1-28": "len(distorted) == 20",
        "f05fe263": "missed[0] > missed[1] and drawn.count == curveless.count == 1_000",
    },
    "beyond/your_own_pictures": {
        "a22e0021": "wrong == [sum(r.text != t for r, t in zip(each, truth.values())) for each in (before, after)]",
        "a22e0023": "all(before[index].text != list(truth.values())[index] for index in missed)",
        "a22e0029": (
            "all(robust < default for package in packages[:2] for robust, default in "
            "zip(curve(package, 'robust')[1][:4], curve(package, 'default')[1][:4], strict=True))"
        ),
        "a22e0033": (
            "all(sure < lot for package in packages[:2] for sure, lot in "
            "zip(curve(package, 'robust', 'least sure')[1], curve(package, 'robust')[1][2:5], strict=True))"
        ),
        "a22e0035": (
            "all(np.mean(curve(packages[0], 'robust')[1][:5]) < np.mean(curve(packages[0], other)[1][:5]) "
            "for other in ('lookalike', 'default'))"
        ),
        "a22e0037": (
            "all(max(one.low for one in three) <= min(one.high for one in three) and "
            "max(one.high for one in three) < 0.1 for three in (list(found.values())[::2], list(found.values())[1::2]))"
        ),
    },
    "beyond/try_styles": {},
    "beyond/many_machines": {
        "mm-31": "all(best[1024][name] >= best[64][name] for name in networks) and best[1024] != best[64]",
        "mm-33": "all(f'{score.right:,}' in title for score in found.values())",
    },
}

# Cells that draw something without a title, or with one that only names it.
NO_CLAIM: dict[str, str] = {
    "01_check_environment": "01-11",
    "02_generate_captchas": "02-04 02-19 02-21 02-23 02-25 02-29 02-31 02-33 02-35-h 02-52 02-35-i",
    "03_write_tfrecords": "03-06 03-27",
    "04_train_alexnet": "04-13 04-24 04-26",
    "05_read_captchas": "05-36 05-37 05-43-c",
    "beyond/why_it_learns": "",
    "beyond/what_it_sees": "b5-04 b5-08",
    "beyond/where_it_fails": "b4-06",
    "beyond/variable_length": "b2-10 b2-20 b2-22",
    "beyond/carry_over": "b1-06 b1-24",
    "beyond/your_own_pictures": "a22e0005 a22e0013 a22e0017 a22e0019",
    "beyond/many_machines": "mm-09",
    "beyond/try_styles": "b7e10016 b7e10007 b7e1000b b7e1000f",
}

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
PICTURES = {"image/png", "image/svg+xml"}


def holds(kernel, claim: str) -> str:
    """What a claim is, in the kernel's names: "True", "False" or the error."""
    sent = kernel.kc.execute("", silent=True, user_expressions={"claim": f"bool({claim})"})
    while (reply := kernel.get_message("shell", timeout=60))["parent_header"].get("msg_id") != sent:
        pass
    result = reply["content"]["user_expressions"]["claim"]
    return result["data"]["text/plain"] if result["status"] == "ok" else f"{result['ename']}: {result['evalue']}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    result = yield
    if hasattr(item, "cell") and (lesson := item.path.relative_to(NOTEBOOKS).with_suffix("").as_posix()) in CLAIMS:
        drawn = item.parent.__dict__.setdefault("drawn", set())
        if any(PICTURES & output.get("data", {}).keys() for output in item.test_outputs):
            drawn.add(item.cell.id)
        if claim := CLAIMS[lesson].get(item.cell.id):
            assert (found := holds(item.parent.kernel, claim)) == "True", f"the figure's title claims: {claim}: {found}"
        if item.cell.id == [cell.id for cell in item.parent.nb.cells if cell.cell_type == "code"][-1]:
            unlike = drawn ^ {*CLAIMS[lesson], *NO_CLAIM[lesson].split()}
            assert not unlike, f"figures in no table, or in a table only: {sorted(unlike)}"
    return result
