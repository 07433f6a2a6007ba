#!/usr/bin/env python3
"""Trains a diffusion model of photographs, a prior for dkpd, and writes its averaged weights.

    pip install -r Tools/requirements.txt
    Tools/train_prior.py PHOTOGRAPHS --output prior.h5 --steps 6000 --trained-on "956 photographs of ..."
    Tools/train_prior.py PHOTOGRAPHS --output more.h5 --steps 9000 --from-weights Weights/natural-images.h5

The prior that comes with the program is such a model; see Docs/weights.md. The network predicts the noise of one of 1,000
time steps with linear betas (Ho et al. 2020). Whenever the program is stopped, the same command goes on from its last
checkpoint and ends, on a CPU, with the same bytes. One NVIDIA H100 takes 7 minutes for 6,000 steps; a CPU, weeks.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent))
import convert_weights  # noqa: E402
import prior_network  # noqa: E402
import prior_pictures  # noqa: E402
from whole_file import whole_file  # noqa: E402

TIME_STEPS = 1000
DIFFUSION = {"steps": TIME_STEPS, "schedule": "linear", "learn_sigma": False, "pixel_range": [-1, 1]}
CHECKPOINT_FORMAT = "dkp-prior-training-1"
# Standard deviations of noise, of 255, at which pictures that were held out are denoised.
NOISE_LEVELS = (5, 15, 25, 50, 100)
HELD_OUT_SIZE = 256


class Refusal(Exception):
    """Why training cannot begin or go on, with what to do about it."""


def alpha_bars():
    """What is left of the image's power at every time step."""
    betas = torch.linspace(1e-4, 0.02, TIME_STEPS, dtype=torch.float64)
    return torch.cumprod(1 - betas, 0).float()


def learning_rate(step, settings):
    """A linear warm-up, then half a cosine down to almost nothing."""
    warm_up = min(1, (step + 1) / settings["warm_up"])
    return settings["learning_rate"] * warm_up * (0.5 + 0.5 * math.cos(math.pi * step / settings["steps"])) + 1e-6


def read_weights(path):
    """Configuration and parameters, float32, of a weights file that dkpd reads."""
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != convert_weights.FORMAT or "state_dict" not in file:
                raise Refusal(f"{path}: no weights file of dkpd (Docs/formats.md)")
            architecture = file.attrs.get("architecture")
            if architecture != "guided-diffusion":
                raise Refusal(f"{path}: of architecture {architecture}; only guided-diffusion is trained")
            config = json.loads(file.attrs["config"])
            diffusion = json.loads(file.attrs.get("diffusion", json.dumps(DIFFUSION)))
            state = {name: convert_weights.floats(dataset) for name, dataset in file["state_dict"].items()}
    except (OSError, KeyError, ValueError) as error:
        raise Refusal(f"{path}: not readable as weights: {error}") from error
    if diffusion != DIFFUSION:
        raise Refusal(f"{path}: trained with {diffusion}; this program trains with {DIFFUSION}")
    return config, state


def make_network(config, state, source):
    """The network with the parameters of `state`, or with random ones."""
    try:
        prior_network.check_configuration(config)
        network = prior_network.UNet(config)
    except (ValueError, TypeError) as error:
        raise Refusal(f"{source}: {error}") from error
    if state is not None:
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise Refusal(f"{source}: its parameters do not fit its configuration: {error}") from error
        if any(state[f"middle_block.1.proj_out.{part}"].any() for part in ("weight", "bias")):
            raise Refusal(f"{source}: the attention of its middle block counts; only models without one can be trained")
    return network


class Training:
    """The network, its average and its optimiser, and what has been done so far."""

    def __init__(self, network, settings, device):
        self.settings = settings
        self.device = device
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.average = {name: value.clone() for name, value in network.state_dict().items()}
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters, settings["learning_rate"], betas=(0.9, 0.99), weight_decay=1e-4, fused=device == "cuda")
        self.alpha_bars = alpha_bars().to(device)
        self.generator = torch.Generator(device=device)
        self.model = torch.compile(network) if settings["compile"] else network
        self.step = 0
        self.losses = []

    def autocast(self):
        return torch.autocast(self.device, torch.bfloat16, enabled=self.settings["precision"] == "bfloat16")

    def advance(self, crops):
        """One step of the optimiser. All that is random is of the seed and the step's number: a stop changes nothing."""
        settings = self.settings
        self.generator.manual_seed((settings["seed"] << 32) + self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, settings)
        x = crops.draw(settings["batch"], self.generator).contiguous(memory_format=torch.channels_last)
        noise = torch.randn(x.shape, generator=self.generator, device=self.device)
        # A third of the time steps are drawn from the first quarter: little noise is what restoration ends with.
        uniform = torch.rand(len(x), generator=self.generator, device=self.device)
        is_early = torch.rand(len(x), generator=self.generator, device=self.device) < 0.35
        t = torch.where(is_early, uniform * (TIME_STEPS // 4), uniform * TIME_STEPS).long().clamp(0, TIME_STEPS - 1)
        kept = self.alpha_bars[t][:, None, None, None]
        with self.autocast():
            predicted = self.model(kept.sqrt() * x + (1 - kept).sqrt() * noise, t)
        loss = F.mse_loss(predicted.float(), noise)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.step += 1
        self.losses.append(loss.detach())
        self.update_average()

    @torch.no_grad()
    def update_average(self):
        """The exponential moving average of the parameters, over fewer of them at the beginning."""
        decay = min(self.settings["average_decay"], (self.step + 1) / (self.step + 10))
        for name, value in self.network.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    def recent_loss(self):
        """The mean loss since it was last asked for. Raises Refusal where training has come apart."""
        loss = torch.stack(self.losses).mean().item() if self.losses else 0.0
        self.losses = []
        if not math.isfinite(loss):
            raise Refusal(f"step {self.step}: the loss is {loss}: begin anew with a smaller --learning-rate")
        return loss

    @torch.no_grad()
    def denoising_psnr(self, pictures):
        """PSNR of the averaged network as a denoiser, in dB, by standard deviation of the noise (of 255)."""
        network = prior_network.UNet(self.settings["config"]).to(self.device)
        network.load_state_dict(self.average)
        network.eval()
        generator = torch.Generator(device=self.device).manual_seed(1)
        deviations = ((1 - self.alpha_bars) / self.alpha_bars).sqrt()
        result = {}
        for level in NOISE_LEVELS:
            t = int((deviations - 2 * level / 255).abs().argmin())
            psnr = []
            for picture in pictures.split(1):
                picture = picture.to(self.device)
                noisy = picture + deviations[t] * torch.randn(picture.shape, generator=generator, device=self.device)
                with self.autocast():
                    noise = network(self.alpha_bars[t].sqrt() * noisy, torch.tensor([t], device=self.device)).float()
                error = F.mse_loss((noisy - deviations[t] * noise).clamp(-1, 1), picture)
                psnr.append(10 * math.log10(4 / max(error.item(), 1e-12)))
            result[str(level)] = round(sum(psnr) / len(psnr), 3)
        return result

    def save(self, path):
        with whole_file(path) as temporary:
            torch.save(
                {
                    "format": CHECKPOINT_FORMAT, "settings": self.settings, "step": self.step,
                    "network": self.network.state_dict(), "average": self.average,
                    "optimizer": self.optimizer.state_dict(),
                }, temporary)

    def resume(self, path):
        """Takes over a checkpoint. Raises Refusal for one that is damaged or of other settings."""
        try:
            saved = torch.load(path, map_location=self.device, weights_only=True)
        except Exception as error:
            raise Refusal(
                f"{path}: not readable as a checkpoint ({type(error).__name__}): remove it to begin anew") from error
        if not isinstance(saved, dict) or saved.get("format") != CHECKPOINT_FORMAT:
            raise Refusal(f"{path}: no checkpoint of this program: name another with --checkpoint")
        other = [name for name, value in self.settings.items() if saved["settings"].get(name) != value]
        if other:
            raise Refusal(
                f"{path}: begun with other settings ({', '.join(other)}): give the same again, or remove it to begin "
                "anew")
        self.network.load_state_dict(saved["network"])
        self.average = saved["average"]
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step = saved["step"]


def write_weights(path, training, arguments):
    """The averaged weights as a file that dkpd reads, compared with the architecture and read back."""
    config = training.settings["config"]
    state = {name: value.float().cpu() for name, value in training.average.items()}
    origin = argparse.Namespace(
        source="the trained network", dtype=arguments.dtype, trained_on=arguments.trained_on, license=arguments.license)
    entry = {"trained_on": "", "license": ""}
    try:
        with whole_file(path) as temporary:
            expected, names = convert_weights.write(
                temporary, "guided-diffusion", config, DIFFUSION, entry, state, origin)
            convert_weights.verify(temporary, expected, names, state, origin)
            if arguments.example:
                add_example(temporary, config, arguments.example)
    except convert_weights.Refusal as error:
        raise Refusal(str(error)) from error


def add_example(path, config, size):
    """Keeps beside the stored parameters what this network makes of noise, for dkp inspect --run-example."""
    with h5py.File(path, "r+") as file:
        network = prior_network.UNet(config)
        network.load_state_dict({name: convert_weights.floats(value) for name, value in file["state_dict"].items()})
        network.eval()
        x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
        t = torch.tensor([TIME_STEPS // 2])
        with torch.no_grad():
            output = network(x, t)
        example = file.create_group("example")
        for name, value in (("x", x), ("t", t), ("output", output)):
            example.create_dataset(name, data=value.numpy())


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def positive_number(text):
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError("must be a number above 0")
    return value


def fraction(text):
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError("must be from 0 to below 1")
    return value


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], epilog="See the head of this file, and Docs/weights.md.")
    parser.add_argument("pictures", nargs="+", help="folders of photographs (JPEG, PNG)")
    parser.add_argument("--output", type=Path, required=True, help="the weights file to write")
    parser.add_argument("--steps", type=positive, required=True, help="steps of the optimiser, all in all")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--from-weights", type=Path, help="begin with these weights, and their configuration")
    start.add_argument("--config", type=Path, help="a JSON file with UNetModel's arguments (the shipped prior's)")
    parser.add_argument("--checkpoint", type=Path, help="where to keep the state (OUTPUT.checkpoint); resumed if there")
    parser.add_argument("--checkpoint-every", type=positive, default=500, metavar="STEPS", help="(%(default)s)")
    parser.add_argument("--stop-after", type=positive_number, metavar="SECONDS",
                        help="write a checkpoint and stop then, to go on another time")
    parser.add_argument("--held-out", type=Path, metavar="FOLDER",
                        help="photographs to denoise at every checkpoint, of none of those trained on")
    parser.add_argument("--batch", type=positive, default=64, help="crops a step (%(default)s)")
    parser.add_argument("--crop", type=positive, default=96, help="pixels a side of a crop (%(default)s)")
    parser.add_argument("--scales", type=positive_number, nargs="+", default=[1, 0.75, 0.5], metavar="FACTOR",
                        help="sizes at which every photograph is shown (1 0.75 0.5)")
    parser.add_argument("--learning-rate", type=positive_number, default=4e-4, help="at its highest (%(default)s)")
    parser.add_argument("--warm-up", type=positive, default=300, metavar="STEPS", help="(%(default)s)")
    parser.add_argument("--average-decay", type=fraction, default=0.999,
                        help="of the moving average of the parameters (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--device", choices=("cuda", "cpu"), help="(cuda where there is one)")
    parser.add_argument("--precision", choices=("bfloat16", "float32"),
                        help="of the network's layers (bfloat16 on cuda, else float32)")
    parser.add_argument("--compile", action="store_true", help="let PyTorch compile the network: faster after minutes")
    parser.add_argument("--dtype", choices=convert_weights.DTYPES, default="float16",
                        help="of the stored parameters (%(default)s)")
    parser.add_argument("--trained-on", help="the data, for people to read in the weights file")
    parser.add_argument("--license", help="the licence of the weights, for people to read")
    parser.add_argument("--example", type=positive, metavar="SIZE",
                        help="keep the network's answer to noise of this size in the file, for dkp inspect "
                        "--run-example")
    return parser.parse_args()


def prepare(arguments):
    """The training, fresh or resumed, with its crops and the pictures that were held out."""
    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise Refusal("PyTorch finds no CUDA device: leave --device out, or say --device cpu")
    if not 0 <= arguments.seed < 1 << 31:
        raise Refusal(f"--seed {arguments.seed}: must be from 0 to {(1 << 31) - 1}")
    torch.manual_seed(arguments.seed)
    torch.set_float32_matmul_precision("high" if device == "cuda" else "highest")
    config, state, source = dict(prior_network.SHIPPED), None, "the shipped prior's configuration"
    if arguments.from_weights:
        source = arguments.from_weights
        config, state = read_weights(source)
    elif arguments.config:
        source = arguments.config
        config = convert_weights.read_json(source)
    network = make_network(config, state, source)
    for name, size in (("--crop", arguments.crop), ("--example", arguments.example or 0)):
        if size % prior_network.size_factor(config):
            raise Refusal(f"{name} {size}: must divide by {prior_network.size_factor(config)}: the network halves it")
    try:
        files = prior_pictures.picture_files(arguments.pictures)
        crops = prior_pictures.Crops(files, arguments.crop, arguments.scales, device)
        held_out = None
        if arguments.held_out:
            held_out = prior_pictures.middles(prior_pictures.picture_files([arguments.held_out]), HELD_OUT_SIZE)
    except ValueError as error:
        raise Refusal(str(error)) from error
    settings = {
        "config": config, "from_weights": str(arguments.from_weights or ""), "pictures": len(files),
        "pixels": len(crops.pixels), "steps": arguments.steps, "batch": arguments.batch, "crop": arguments.crop,
        "learning_rate": arguments.learning_rate, "warm_up": arguments.warm_up,
        "average_decay": arguments.average_decay, "seed": arguments.seed, "device": device,
        "precision": arguments.precision or ("bfloat16" if device == "cuda" else "float32"),
        "compile": arguments.compile,
    }
    training = Training(network, settings, device)
    count = sum(parameter.numel() for parameter in network.parameters())
    pixels = f"{len(crops.pixels) / 1e6:.1f} megapixels"
    print(f"{count} parameters, {len(files)} pictures, {pixels}, on {device}", flush=True)
    return training, crops, held_out


def train(arguments):
    if not arguments.output.absolute().parent.is_dir():
        raise Refusal(f"{arguments.output.absolute().parent}: no such folder")
    checkpoint = arguments.checkpoint or arguments.output.with_name(arguments.output.name + ".checkpoint")
    if arguments.output.exists() and not checkpoint.exists():
        raise Refusal(f"{arguments.output}: is there already: name another file with --output, or remove it")
    training, crops, held_out = prepare(arguments)
    if checkpoint.exists():
        training.resume(checkpoint)
        print(f"goes on from step {training.step} of {checkpoint}", flush=True)
    started = time.monotonic()
    while training.step < arguments.steps:
        training.advance(crops)
        is_last = training.step == arguments.steps
        is_late = arguments.stop_after is not None and time.monotonic() - started > arguments.stop_after
        if is_last or is_late or training.step % arguments.checkpoint_every == 0:
            report = f"step {training.step} of {arguments.steps}, loss {training.recent_loss():.5f}"
            training.save(checkpoint)
            if held_out is not None:
                report += f", denoising {training.denoising_psnr(held_out)} dB"
            print(f"{report}, {time.monotonic() - started:.0f} s", flush=True)
        if is_late and not is_last:
            print(f"stopped; the same command goes on from {checkpoint}")
            return
    write_weights(arguments.output, training, arguments)
    checkpoint.unlink(missing_ok=True)
    print(f"{arguments.output}: the weights after {training.step} steps, verified")


def main():
    try:
        train(parse())
    except (Refusal, convert_weights.Refusal, OSError) as error:
        sys.exit(f"train_prior: {error}")
    except KeyboardInterrupt:
        sys.exit("train_prior: interrupted; the same command goes on from the last checkpoint")


if __name__ == "__main__":
    main()
