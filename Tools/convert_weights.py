#!/usr/bin/env python3
"""Converts the weights of a diffusion model to the HDF5 file that dkpd reads.

    pip install -r Tools/requirements.txt
    Tools/convert_weights.py 256x256_diffusion_uncond.pt imagenet256.h5
    Tools/convert_weights.py path/to/ddpm-celebahq-256 celebahq256.h5        (a diffusers folder)
    Tools/convert_weights.py model.pt model.h5 --config config.json --steps 1000 --schedule cosine

Takes guided-diffusion checkpoints (.pt, .pth) and the UNet2DModel of diffusers (a folder with config.json and
diffusion_pytorch_model.safetensors or .bin). The architecture of a .pt file is not in it: it is known for the published
files (by name, see --list), and otherwise given by --known or --config. Every parameter is checked against the architecture by name and
shape, written one at a time, and read back and compared when the file is complete. Pickles are only read as plain
tensors; one that wants to run code is refused. See Docs/formats.md for the format and Docs/weights.md for the way from
the download to a restored image.
"""

import argparse
import json
import pickle
import sys
from pathlib import Path

import h5py
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
import weight_shapes  # noqa: E402
from whole_file import whole_file  # noqa: E402

FORMAT = "dkp-ddpm"
FORMAT_VERSION = 1
DTYPES = ("float32", "float16", "bfloat16")


class Refusal(Exception):
    """Why a file cannot be converted, with what to do about it."""


# Constructor arguments of guided-diffusion's UNetModel for the published files, as its create_model makes them of the
# flags that come with each (its README; for the ffhq files, which have P2 weighting's architecture, that project's).
def guided(image_size, channel_mult, attention_pixels, *, channels=256, res_blocks=2, classes=None, learn_sigma=True,
           heads=4, head_channels=64, updown=True, dropout=0.0):
    return {
        "image_size": image_size, "in_channels": 3, "model_channels": channels,
        "out_channels": 6 if learn_sigma else 3, "num_res_blocks": res_blocks,
        "attention_resolutions": [image_size // pixels for pixels in attention_pixels], "dropout": dropout,
        "channel_mult": channel_mult, "num_classes": classes, "use_checkpoint": False, "use_fp16": False,
        "num_heads": heads, "num_head_channels": head_channels, "num_heads_upsample": -1,
        "use_scale_shift_norm": True, "resblock_updown": updown, "use_new_attention_order": False,
    }


DEEP = [1, 1, 2, 2, 4, 4]
ATTENTION = [32, 16, 8]


def known(config, schedule="linear", trained_on="", license=""):
    return {"config": config, "schedule": schedule, "trained_on": trained_on, "license": license}


OPENAI = "MIT (openai/guided-diffusion)"
IMAGENET = "ImageNet"
KNOWN = {
    "64x64_diffusion": known(
        dict(guided(64, [1, 2, 3, 4], ATTENTION, channels=192, res_blocks=3, classes=1000, dropout=0.1),
             use_new_attention_order=True), "cosine", IMAGENET, OPENAI),
    "128x128_diffusion": known(
        guided(128, [1, 1, 2, 3, 4], ATTENTION, classes=1000, head_channels=-1), "linear", IMAGENET, OPENAI),
    "256x256_diffusion": known(guided(256, DEEP, ATTENTION, classes=1000), "linear", IMAGENET, OPENAI),
    "256x256_diffusion_uncond": known(guided(256, DEEP, ATTENTION), "linear", IMAGENET, OPENAI),
    "512x512_diffusion": known(
        guided(512, [0.5, 1, 1, 2, 2, 4, 4], ATTENTION, classes=1000), "linear", IMAGENET, OPENAI),
    "lsun_bedroom": known(guided(256, DEEP, ATTENTION, dropout=0.1), "linear", "LSUN bedroom", OPENAI),
    "lsun_cat": known(guided(256, DEEP, ATTENTION, dropout=0.1), "linear", "LSUN cat", OPENAI),
    "lsun_horse": known(guided(256, DEEP, ATTENTION, dropout=0.1), "linear", "LSUN horse", OPENAI),
    "lsun_horse_nodropout": known(guided(256, DEEP, ATTENTION), "linear", "LSUN horse", OPENAI),
    "ffhq_10m": known(
        guided(256, DEEP, [16], channels=128, res_blocks=1), "linear", "FFHQ", "see the file's source"),
    "ffhq_p2": known(
        guided(256, DEEP, [16], channels=128, res_blocks=1), "linear", "FFHQ", "see the file's source"),
}


def read_pickle(path):
    """A state dict out of a PyTorch file, read as plain tensors."""
    content = None
    # Files of the format before PyTorch 1.6 cannot be mapped into memory.
    for mapped in (True, False):
        try:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
            break
        except OSError:
            raise
        except pickle.UnpicklingError as error:
            # PyTorch's own message advises to trust the file; that is not for this program to advise.
            raise Refusal(
                f"{path}: not readable as plain tensors; a checkpoint that wants to run code of its own is not "
                "converted: ask its author for a plain state dict") from error
        except Exception as error:
            if not mapped:
                raise Refusal(f"{path}: not readable as a PyTorch checkpoint: {type(error).__name__}") from error
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content or not all(
            isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()):
        raise Refusal(f"{path}: not a state dict of named tensors")
    return content


class Safetensors:
    """A safetensors file as a mapping whose tensors are read when they are asked for."""

    def __init__(self, path):
        from safetensors import safe_open
        try:
            self.file = safe_open(path, framework="pt")
        except Exception as error:
            raise Refusal(f"{path}: not a safetensors file: {error}") from error
        self.names = list(self.file.keys())

    def keys(self):
        return self.names

    def __getitem__(self, name):
        return self.file.get_tensor(name)


def read_json(path):
    try:
        content = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise Refusal(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(content, dict):
        raise Refusal(f"{path}: not a JSON object")
    return content


def from_guided(arguments):
    """Architecture, config, diffusion and state dict of a guided-diffusion checkpoint."""
    path = Path(arguments.source)
    name = arguments.known or path.stem
    entry = KNOWN.get(name)
    if arguments.config:
        config = dict(read_json(arguments.config))
        entry = known(config)
    elif entry is None:
        raise Refusal(
            f"{path}: the architecture is not in the file and \"{name}\" is no published model; give --known with one "
            f"of {', '.join(KNOWN)}, or --config with a JSON file of UNetModel's arguments")
    config = entry["config"]
    learn_sigma = config.get("out_channels") == 2 * config.get("in_channels", 3)
    diffusion = {
        "steps": arguments.steps or 1000, "schedule": arguments.schedule or entry["schedule"],
        "learn_sigma": learn_sigma, "pixel_range": [-1, 1],
    }
    return "guided-diffusion", config, diffusion, entry, read_pickle(path)


BETAS = {"linear": "linear", "squaredcos_cap_v2": "cosine"}


def from_diffusers(arguments):
    """The same of a diffusers folder, or of a pipeline's with the folders unet and scheduler in it."""
    folder = Path(arguments.source)
    unet = folder / "unet" if (folder / "unet" / "config.json").is_file() else folder
    config = read_json(arguments.config or unet / "config.json")
    kind = config.get("_class_name", "UNet2DModel")
    if kind != "UNet2DModel":
        raise Refusal(f"{unet}/config.json: a {kind}; only UNet2DModel is supported")
    diffusion = {"steps": 1000, "schedule": "linear", "learn_sigma": False, "pixel_range": [-1, 1]}
    for place in (folder / "scheduler" / "scheduler_config.json", unet / "scheduler_config.json"):
        if place.is_file():
            scheduler = read_json(place)
            betas = scheduler.get("beta_schedule", "linear")
            if betas not in BETAS:
                raise Refusal(f"{place}: beta_schedule {betas}; supported: {', '.join(BETAS)}")
            limits = (scheduler.get("beta_start", 0.0001), scheduler.get("beta_end", 0.02))
            if betas == "linear" and limits != (0.0001, 0.02):
                raise Refusal(f"{place}: betas from {limits[0]} to {limits[1]}; supported: 0.0001 to 0.02")
            if scheduler.get("prediction_type", "epsilon") != "epsilon":
                raise Refusal(f"{place}: predicts {scheduler['prediction_type']}; supported: epsilon")
            diffusion["steps"] = scheduler.get("num_train_timesteps", 1000)
            diffusion["schedule"] = BETAS[betas]
            break
    diffusion["steps"] = arguments.steps or diffusion["steps"]
    diffusion["schedule"] = arguments.schedule or diffusion["schedule"]
    candidates = [unet / f"diffusion_pytorch_model{ending}" for ending in (".safetensors", ".bin")]
    file = next((candidate for candidate in candidates if candidate.is_file()), None)
    if file is None:
        raise Refusal(f"{unet}: neither {candidates[0].name} nor {candidates[1].name} is there")
    weights = Safetensors(file) if file.suffix == ".safetensors" else read_pickle(file)
    public = {key: value for key, value in config.items() if not key.startswith("_")}
    return "diffusers-unet2d", public, diffusion, known(public, license="see the file's source"), weights


def check_names(architecture, config, weights, source):
    """Compares names and shapes with those that the architecture makes."""
    try:
        expected = weight_shapes.shapes(architecture, config)
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(f"{source}: the configuration makes no network: {error!r}") from error
    # diffusers renamed its attention layers in 2023; older files have the old names.
    names = {weight_shapes.modern_name(name) if architecture == "diffusers-unet2d" else name: name
             for name in weights.keys()}
    missing = sorted(set(expected) - set(names))
    extra = sorted(set(names) - set(expected))
    if missing or extra:
        parts = [f"{title}: {', '.join(found[:5])}{' ...' if len(found) > 5 else ''} ({len(found)})"
                 for title, found in (("missing", missing), ("not of this architecture", extra)) if found]
        raise Refusal(f"{source}: does not fit its configuration; {'; '.join(parts)}")
    return expected, names


def tensor(weights, name, shape, source):
    """One parameter in float32, checked. Old attention layers were 1 x 1 convolutions: trailing ones are dropped."""
    value = weights[name].detach()
    if not value.is_floating_point():
        raise Refusal(f"{source}: {name} is of {value.dtype}")
    if tuple(value.shape) != tuple(shape) and value.numel() == np.prod(shape, dtype=np.int64) and \
            tuple(d for d in value.shape if d != 1) == tuple(d for d in shape if d != 1):
        value = value.reshape(tuple(shape))
    if tuple(value.shape) != tuple(shape):
        raise Refusal(f"{source}: {name} has shape {list(value.shape)}, the architecture wants {list(shape)}")
    if not torch.isfinite(value).all():
        raise Refusal(f"{source}: {name} has values that are not finite")
    return value.contiguous()


def stored(value, dtype, name, source):
    """A tensor as the array that goes into the file."""
    if dtype == "bfloat16":
        return value.to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    array = value.to(getattr(torch, dtype)).numpy()
    if not np.isfinite(array).all():
        raise Refusal(f"{source}: {name} has values too large for {dtype}; take bfloat16 or float32")
    return array


def floats(dataset):
    """A stored parameter as a float32 tensor."""
    array = dataset[()]
    if dataset.attrs.get("dtype") == "bfloat16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return torch.from_numpy(array.astype(np.float32))


def write(path, architecture, config, diffusion, entry, weights, arguments):
    expected, names = check_names(architecture, config, weights, arguments.source)
    with h5py.File(path, "w", libver="earliest") as file:
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["architecture"] = architecture
        file.attrs["config"] = json.dumps(config)
        file.attrs["diffusion"] = json.dumps(diffusion)
        for key in ("trained_on", "license"):
            text = getattr(arguments, key) or entry[key]
            if text:
                file.attrs[key] = text
        group = file.create_group("state_dict")
        for name, shape in expected.items():
            value = tensor(weights, names[name], shape, arguments.source)
            dataset = group.create_dataset(name, data=stored(value, arguments.dtype, name, arguments.source))
            if arguments.dtype == "bfloat16":
                dataset.attrs["dtype"] = "bfloat16"
    return expected, names


def verify(path, expected, names, weights, arguments):
    """Reads the file back and compares every value with its source."""
    with h5py.File(path, "r") as file:
        group = file["state_dict"]
        if set(group.keys()) != set(expected):
            raise Refusal(f"{path}: reading back, the parameters' names differ")
        for name, shape in expected.items():
            value = tensor(weights, names[name], shape, arguments.source)
            if not np.array_equal(group[name][()], stored(value, arguments.dtype, name, arguments.source)):
                raise Refusal(f"{path}: reading back, {name} differs from what was written; check the disk")


def add_example(path, architecture, config, size):
    """Runs the original implementation with the stored parameters and keeps what it said beside them."""
    with h5py.File(path, "r+") as file:
        state = {name: floats(dataset) for name, dataset in file["state_dict"].items()}
        try:
            if architecture == "guided-diffusion":
                from guided_diffusion.unet import UNetModel
                model = UNetModel(**config)
            else:
                from diffusers import UNet2DModel
                model = UNet2DModel(**config)
        except ImportError as error:
            raise Refusal(f"--example needs the original implementation: {error}") from error
        model.load_state_dict(state)
        model.eval()
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(1, config["in_channels"], size, size, generator=generator)
        t = torch.tensor([500])
        y = torch.tensor([7]) if config.get("num_classes") is not None else None
        with torch.no_grad():
            if architecture == "guided-diffusion":
                output = model(x, t) if y is None else model(x, t, y)
            else:
                output = model(x, t).sample
        example = file.create_group("example")
        for name, value in (("x", x), ("t", t), ("y", y), ("output", output)):
            if value is not None:
                example.create_dataset(name, data=value.numpy())


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], epilog="See the head of this file, and Docs/weights.md.")
    parser.add_argument("source", nargs="?", help="a .pt file of guided-diffusion or a folder of diffusers")
    parser.add_argument("output", nargs="?", help="the HDF5 file to write")
    parser.add_argument("--dtype", choices=DTYPES, default="bfloat16", help="of the stored parameters (%(default)s)")
    parser.add_argument("--known", choices=sorted(KNOWN), help="the published model that a .pt file is")
    parser.add_argument("--config", help="a JSON file with the constructor's arguments")
    parser.add_argument("--steps", type=int, help="the steps of the training")
    parser.add_argument("--schedule", choices=("linear", "cosine"), help="the noise schedule of the training")
    parser.add_argument("--trained-on", help="the data, for people to read")
    parser.add_argument("--license", help="the licence of the weights, for people to read")
    parser.add_argument("--example", type=int, metavar="SIZE",
                        help="run the original implementation, which must be installed, on noise of this size and keep "
                        "its answer in the file, for dkp inspect --run-example")
    parser.add_argument("--list", action="store_true", help="list the published models known by name")
    arguments = parser.parse_args()
    if arguments.list:
        for name, entry in KNOWN.items():
            print(f"{name}: {entry['trained_on']}, {entry['config']['image_size']} pixels, {entry['schedule']}")
        sys.exit(0)
    if not arguments.source or not arguments.output:
        parser.error("give the source and the file to write")
    return arguments


def main():
    arguments = parse()
    source = Path(arguments.source)
    output = Path(arguments.output)
    try:
        if not source.exists():
            raise Refusal(f"{source}: no such file or folder")
        read = from_diffusers if source.is_dir() else from_guided
        architecture, config, diffusion, entry, weights = read(arguments)
        # Under another name until it has been verified: a file that is there is whole.
        with whole_file(output) as temporary:
            expected, names = write(temporary, architecture, config, diffusion, entry, weights, arguments)
            verify(temporary, expected, names, weights, arguments)
            if arguments.example:
                add_example(temporary, architecture, config, arguments.example)
    except (Refusal, OSError) as error:
        sys.exit(f"convert_weights: {error}")
    count = sum(int(np.prod(shape, dtype=np.int64)) for shape in expected.values())
    print(f"{output}: {architecture}, {len(expected)} arrays, {count} parameters as {arguments.dtype}, verified")


if __name__ == "__main__":
    main()
