"""A run as one HTML file that needs no other file."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from typing import Any

from services.cli.run_record import doubts

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}img{max-width:100%;height:auto;border:1px solid #ccc}
table{border-collapse:collapse;margin:.5rem 0}
td,th{border:1px solid #ddd;padding:.25rem .6rem;text-align:left;vertical-align:top}
th{background:#f4f4f4;font-weight:600}code{font-size:.85em;overflow-wrap:anywhere}
.warning{border-left:4px solid #d55e00;background:#fff4ea;padding:.3rem 1rem;margin:.5rem 0}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}figure{margin:0}figcaption{color:#555}
"""


LIKENESS = (
    "Both have the same labels and look; texture and noise lie elsewhere by intent, so these figures cannot be those "
    "of two equal images, and a blurred picture would score better. Whether it looks like a real one, `biosynth "
    "evaluate` tells of many."
)


def report(run: Mapping[str, Any], overview_png: bytes, pictures: Sequence[tuple[str, bytes]]) -> str:
    """Return the HTML of a run: what there is of it. run: what run.json holds. pictures: captions and PNG files."""
    body = [
        f"<h1>biosynth run: {_text(run['input']['name'])}</h1>",
        _picture("image, segmentation, reference, generated: as far as the run went", overview_png),
        _table(("what", "value"), _facts(run)),
        _warned("Nothing was generated (--force does so all the same):", run["stopped"]),
        _warned("Of the segmentation, to be looked at before it is used:", _doubts(run)),
        *_means(run["segmentation"]["means"]),
        *(_generation(run) if "generation" in run else ()),
        *(_levels(run["reference"]) if "reference" in run else ()),
        "<h2>Stages</h2>",
        _table(
            ("stage", "seconds", "from the store"),
            [(s["stage"], f"{s['seconds']:.2f}", s["cached"]) for s in run["stages"]],
        ),
        "<h2>Pictures</h2><div class=pair>",
        *(_picture(caption, data) for caption, data in pictures),
        "</div><h2>Files</h2>",
        _table(("file", "sha256"), sorted(run["outputs"].items())),
        "<h2>Versions</h2>",
        _table(("package", "version"), sorted(run["versions"].items())),
    ]
    head = f"<meta charset=utf-8><title>biosynth: {_text(run['input']['name'])}</title><style>{_STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(body)}</body></html>\n"


def _facts(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = run["segmentation"]
    facts = [
        ("image", f"{run['input']['name']}, {found['height_px']} x {found['width_px']} px"),
        ("segmenter", f"{found['segmenter']} v{found['segmenter_version']}: {counts(found)}"),
    ]
    if "prepared" in run["input"]:
        facts.append(("of the file", prepared(run["input"]["prepared"])))
    if found["choice_confidence"] is not None:
        facts.append(("chosen by auto", f"{found['choice_confidence']:.2f} sure of it, of 0.5 to 1"))
    if found["diameter_px"] is not None:
        facts.append(("diameter", f"{found['diameter_px']:.1f} px"))
    facts.append(("at the border", f"{found['at_border']} of the cells and nuclei"))
    if found["pixel_size_um"] is not None:
        facts.append(("pixel size", f"{found['pixel_size_um']:g} um"))
    if "reference" in run:
        facts.append(("schema", f"{run['reference']['schema']} v{run['reference']['schema_version']}"))
    if "generation" in run:
        made = run["generation"]
        facts.append(("model", f"{made['model']} v{made['model_version']}, seed {made['seed']}"))
        facts.append(("engine", f"{made['engine']}, {made['precision']}"))
    return facts


def prepared(told: Mapping[str, Any]) -> str:
    """Say in words which planes of a file were taken, and what was done to their values."""
    channels = " and ".join(f"channel {one['index']} {one['name']}".rstrip() for one in told["channels"])
    places = [channels, f"z {told['z']}", f"time {told['time']}"]
    done = dict.fromkeys(text for text in (told["colours"], *told["scaling"]) if text)
    return "; ".join([", ".join(places), *done])


def _doubts(run: Mapping[str, Any]) -> list[str]:
    return doubts(run["segmentation"], told=run["stopped"])


def _means(means: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The objects in a few figures, a column for each part that has any."""
    names = dict.fromkeys(name for of_part in means.values() for name in of_part)
    rows = [(name, *(f"{of_part[name]:.4g}" for of_part in means.values())) for name in names]
    return ["<h2>Objects, on average</h2>", _table(("measure", *means), rows)] if rows else []


def _generation(run: Mapping[str, Any]) -> list[str]:
    made = run["generation"]
    unlike = f"Unlike the images that model {made['model']} was trained on, so the generated image may look wrong:"
    return [
        "<h2>Look of the generated image</h2>",
        _warned(unlike, made["warnings"]),
        f"<p>{_text(origin(made['look']))}</p>",
        _table(("value", "used"), [(k, f"{v:.4g}") for k, v in made["appearance"].items()]),
        "<h2>How near the generated image is to yours, pixel by pixel</h2>",
        f"<p>{_text(LIKENESS)}</p>",
        _table(("metric", "value"), [(name, f"{value:.4g}") for name, value in run["likeness"].items()]),
    ]


def _levels(drawn: Mapping[str, Any]) -> list[str]:
    levels = [(level["index"], level["name"], level["pixels"]) for level in drawn["levels"]]
    return ["<h2>Levels of the reference</h2>", _table(("level", "meaning", "pixels"), levels)]


def origin(look: Mapping[str, Any]) -> str:
    """Say in words where a look came from."""
    return {
        "measured": "Measured on the image; values that were asked for take the place of measured ones.",
        "drawn": f"Drawn by seed from training images with like labels, of the kind {look['drawn_from'] or 'unnamed'}.",
        "given": "Given with the request.",
    }.get(look["origin"], str(look["origin"]))


def _warned(head: str, warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{_text(warning)}</li>" for warning in warnings)
    return f"<div class=warning><p>{_text(head)}</p><ul>{items}</ul></div>"


def counts(found: Mapping[str, Any]) -> str:
    """Say in words what a segmentation holds."""
    counts = [f"{found[part]} {part}" for part in ("cells", "nuclei") if part in found["parts"]]
    if "wound" in found["parts"]:
        share = found["wound_fraction"]
        counts.append(f"wound {100 * share:.1f} % of the area" if share else "no wound")
    return ", ".join(counts)


def _picture(caption: str, png: bytes) -> str:
    data = base64.b64encode(png).decode("ascii")
    text = _text(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = "".join(f"<th>{_text(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td><code>{_text(cell)}</code></td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{lines}</table>"


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)
