#!/usr/bin/env python3
"""Makes the picture of the README: the program's own scene, blurred in two ways, restored by two methods.

Needs Pillow and h5py. The scene, its blurred forms and the results are kept in a folder and not made again if they are there.
"""

import argparse
import json
import pathlib
import subprocess

import h5py
import numpy
from PIL import Image, ImageDraw, ImageFont

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCALE = 4
# What the two rows show: the kind of blur, and the seed of its kernel. (Of motion the first whose path is longer than wide and
# no longer than what the search knows of; Docs/quality.md has the one before, a long straight line.)
ROWS = [("gaussian", 1), ("motion", 2)]
METHODS = [("dip-dkp", "DIP-DKP (0.1's default)"), ("pnp-dkp", "PnP-DKP (default)")]
SIDE = 256
GAP = 6
LINE = 20


def command(*words):
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)


def kernel_picture(kernel, side):
    """A kernel in gray levels, its largest value white."""
    levels = numpy.round(255 * kernel / kernel.max()).astype(numpy.uint8)
    return Image.fromarray(levels).resize((side, side), Image.Resampling.NEAREST).convert("RGB")


def with_kernel(picture, kernel):
    """A picture with a kernel in its lower right corner."""
    result = picture.copy()
    side = 4 * kernel.shape[0]
    framed = Image.new("RGB", (side + 2, side + 2), "white")
    framed.paste(kernel_picture(kernel, side), (1, 1))
    result.paste(framed, (SIDE - side - 2, SIDE - side - 2))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=pathlib.Path, help="the picture to write, PNG or JPEG by its name")
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="where what it is made of is kept")
    parser.add_argument("--dkp", default=str(ROOT / ".build" / "release" / "dkp"))
    arguments = parser.parse_args()
    folder, dkp = arguments.folder, arguments.dkp
    folder.mkdir(parents=True, exist_ok=True)
    truth = folder / "truth.png"
    if not truth.exists():
        command(dkp, "sample-scene", truth, "--size", f"{SIDE}x{SIDE}")

    rows = []
    for blur, seed in ROWS:
        blurred, kernel_file = folder / f"{blur}.png", folder / f"{blur}.kernel.h5"
        if not blurred.exists():
            command(
                dkp, "degrade", truth, "--output", blurred, "--scale", SCALE, "--kernel", blur, "--seed", seed,
                "--save-kernel", kernel_file)
        small = Image.open(blurred).convert("RGB")
        original = with_kernel(Image.open(truth).convert("RGB"), numpy.array(h5py.File(kernel_file)["kernel"]))
        cells = [
            (f"input, {blur} blur", small.resize((SIDE, SIDE), Image.Resampling.NEAREST)),
            ("bicubic", small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))]
        for method, title in METHODS:
            result = folder / f"{method}-{blur}"
            if not (result / "report.json").exists():
                command(dkp, "restore", blurred, "--output", result, "--scale", SCALE, "--method", method, "--seed", 0)
            scores = json.loads(
                subprocess.run(
                    [
                        dkp, "evaluate", result / "restored.png", truth, "--scale", str(SCALE), "--input", blurred,
                        "--json"], check=True, capture_output=True, text=True).stdout)
            cells[1] = (f"bicubic, {scores['bicubic_psnr']:.2f} dB", cells[1][1])
            with h5py.File(result / "result.h5") as file:
                found = numpy.array(file["kernel"])
            picture = with_kernel(Image.open(result / "restored.png").convert("RGB"), found)
            cells.append((f"{title}, {scores['psnr']:.2f} dB", picture))
        rows.append(cells + [("original and kernel", original)])

    columns = len(rows[0])
    sheet = Image.new("RGB", (columns * (SIDE + GAP) - GAP, len(rows) * (SIDE + LINE + GAP) - GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for row, cells in enumerate(rows):
        for column, (title, picture) in enumerate(cells):
            x, y = column * (SIDE + GAP), row * (SIDE + LINE + GAP)
            draw.text((x, y + 2), title, fill="black", font=font)
            sheet.paste(picture, (x, y + LINE))
    sheet.save(arguments.output, optimize=True, quality=92)


if __name__ == "__main__":
    main()
