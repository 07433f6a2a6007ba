"""Random crops of photographs, the training data of a prior."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

ENDINGS = (".jpg", ".jpeg", ".png")


def picture_files(folders):
    """The pictures of some folders, by name. Raises ValueError where there is none."""
    files = []
    for folder in folders:
        folder = Path(folder)
        if not folder.is_dir():
            raise ValueError(f"{folder}: no such folder")
        found = sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS)
        if not found:
            raise ValueError(f"{folder}: has no picture that ends in {', '.join(ENDINGS)}")
        files += found
    return files


def read_picture(file):
    """A picture in RGB. Raises ValueError for what is none."""
    try:
        with Image.open(file) as picture:
            return picture.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file}: not readable as a picture: {error}") from error


def normalized(pixels):
    """Bytes [count, height, width, 3] as floats [count, 3, height, width] in [-1, 1]."""
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


def middles(files, size):
    """The middle `size` x `size` pixels of every picture, as floats in [-1, 1]."""
    parts = []
    for file in files:
        picture = read_picture(file)
        if min(picture.size) < size:
            raise ValueError(f"{file}: is smaller than {size} x {size} pixels: take it away")
        left, top = (picture.width - size) // 2, (picture.height - size) // 2
        parts.append(np.asarray(picture)[top:top + size, left:left + size])
    return normalized(torch.from_numpy(np.stack(parts)))


class Crops:
    """Every picture at several scales, as bytes in one buffer on the device, from which crops are taken by index."""

    def __init__(self, files, crop, scales, device):
        arrays = []
        for file in files:
            picture = read_picture(file)
            for scale in scales:
                size = (round(picture.width * scale), round(picture.height * scale))
                if min(size) >= crop:
                    arrays.append(np.asarray(picture if scale == 1 else picture.resize(size, Image.LANCZOS)))
        if not arrays:
            raise ValueError(f"no picture has {crop} x {crop} pixels: take larger ones, or a smaller --crop")
        self.crop = crop
        self.device = device
        self.heights = torch.tensor([array.shape[0] for array in arrays], device=device)
        self.widths = torch.tensor([array.shape[1] for array in arrays], device=device)
        sizes = [array.shape[0] * array.shape[1] for array in arrays]
        self.offsets = torch.tensor(np.concatenate([[0], np.cumsum(sizes)[:-1]]), device=device)
        self.pixels = torch.from_numpy(np.concatenate([array.reshape(-1, 3) for array in arrays])).to(device)
        # A picture of four times the crops is taken twice as often.
        places = (self.heights - crop + 1) * (self.widths - crop + 1)
        self.weights = places.float().sqrt()

    def draw(self, count, generator):
        """`count` crops [count, 3, crop, crop] in [-1, 1], each turned and mirrored at random."""
        def random(*shape):
            return torch.rand(*shape, generator=generator, device=self.device)

        crop = self.crop
        picture = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        top = (random(count) * (self.heights[picture] - crop + 1)).long()
        left = (random(count) * (self.widths[picture] - crop + 1)).long()
        upside_down, mirrored, transposed = (random(count, 1) < 0.5 for _ in range(3))
        forwards = torch.arange(crop, device=self.device).expand(count, crop)
        rows = torch.where(upside_down, crop - 1 - forwards, forwards)[:, :, None].expand(count, crop, crop)
        columns = torch.where(mirrored, crop - 1 - forwards, forwards)[:, None, :].expand(count, crop, crop)
        rows, columns = (
            torch.where(transposed[:, :, None], places.transpose(1, 2), places) for places in (rows, columns))
        index = self.offsets[picture][:, None, None] + (top[:, None, None] + rows) * self.widths[picture][
            :, None, None] + left[:, None, None] + columns
        return normalized(self.pixels[index])
