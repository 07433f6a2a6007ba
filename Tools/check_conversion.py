#!/usr/bin/env python3
"""Proves Tools/convert_weights.py against the original implementations.

    pip install -r Tools/requirements.txt guided-diffusion-sdk blobfile tqdm diffusers
    Tools/check_conversion.py --output FOLDER [--dkp .build/release/dkp]

Makes models with random weights by the original packages, saves them as those do, converts them in every type, and keeps
the originals' answers in the converted files. With --dkp, that program runs every file and its answers are compared.
Also tries what must be refused. Exits 1 if anything is not as it should be.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import torch

CONVERT = Path(__file__).resolve().parent / "convert_weights.py"


def randomised(model, seed):
    """Random parameters, where the originals start some layers at zero: those would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in model.named_parameters():
            noise = torch.randn(value.shape, generator=generator)
            if value.dim() > 1:
                value.copy_(noise * (1 / value[0].numel()) ** 0.5)
            else:
                value.copy_(0.1 * noise + (1.0 if "norm" in name or name.endswith("0.weight") else 0.0))
    return model


GUIDED = {
    "up-down-scale-shift": dict(
        out_channels=6, attention_resolutions=[2, 4], channel_mult=[1, 2, 2], num_head_channels=16,
        use_scale_shift_norm=True, resblock_updown=True),
    "class-conditional": dict(
        out_channels=6, attention_resolutions=[2], channel_mult=[1, 2], num_classes=10, num_heads=4,
        use_scale_shift_norm=True, resblock_updown=True),
    "plain-new-order": dict(
        out_channels=3, attention_resolutions=[2], channel_mult=[1, 2], num_heads=2, use_new_attention_order=True),
}


def make_guided(folder):
    from guided_diffusion.unet import UNetModel
    for seed, (name, options) in enumerate(GUIDED.items()):
        config = dict(image_size=32, in_channels=3, model_channels=32, num_res_blocks=1, dropout=0.0, num_classes=None,
                      use_checkpoint=False, use_fp16=False, num_heads=1, num_head_channels=-1, num_heads_upsample=-1,
                      use_scale_shift_norm=False, resblock_updown=False, use_new_attention_order=False)
        config.update(options)
        torch.save(randomised(UNetModel(**config), seed).state_dict(), folder / f"{name}.pt")
        (folder / f"{name}.json").write_text(json.dumps(config))
        yield name, folder / f"{name}.pt", ["--config", folder / f"{name}.json", "--schedule", "linear"]


def make_diffusers(folder):
    from diffusers import DDPMScheduler, UNet2DModel
    model = randomised(
        UNet2DModel(sample_size=32, block_out_channels=(32, 64, 64), layers_per_block=1,
                    down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
                    up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"), attention_head_dim=None,
                    norm_eps=1e-6, flip_sin_to_cos=False, freq_shift=1, downsample_padding=0), 9)
    model.save_pretrained(folder / "diffusers")
    DDPMScheduler(beta_schedule="linear").save_pretrained(folder / "diffusers")
    yield "diffusers", folder / "diffusers", []
    # As published before attention layers were renamed, in a pickle.
    old = folder / "diffusers-old"
    old.mkdir(exist_ok=True)
    (old / "config.json").write_text((folder / "diffusers" / "config.json").read_text())
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = {}
    for name, value in model.state_dict().items():
        for new, former in names.items():
            name = name.replace(f".{new}.", f".{former}.")
        state[name] = value
    torch.save(state, old / "diffusion_pytorch_model.bin")
    yield "diffusers-old", old, []


class Code:
    """A pickle that runs a command when it is loaded."""

    def __reduce__(self):
        return (print, ("a pickle has run code",))


def make_refused(folder):
    good = torch.load(folder / "plain-new-order.pt", weights_only=True)
    config = ["--config", folder / "plain-new-order.json"]

    def saved(name, content):
        torch.save(content, folder / f"{name}.pt")
        return folder / f"{name}.pt"

    (folder / "text.pt").write_text("not a checkpoint")
    yield "code in a pickle", saved("code", {"weight": Code()}), config, "code of its own"
    yield "no checkpoint at all", folder / "text.pt", config, "not readable"
    yield "a missing parameter", saved("missing", dict(list(good.items())[1:])), config, "missing"
    yield "an extra parameter", saved("extra", dict(good, surplus=torch.zeros(1))), config, "surplus"
    yield "another shape", saved("shape", dict(good, **{"out.2.bias": torch.zeros(4)})), config, "shape"
    yield "a NaN", saved("nan", dict(good, **{"out.2.bias": torch.full((3,), torch.nan)})), config, "not finite"
    yield "too large for float16", saved(
        "large", dict(good, **{"out.2.bias": torch.full((3,), 1e6)})), [*config, "--dtype", "float16"], "too large"
    yield "an unknown architecture", folder / "plain-new-order.pt", [], "architecture is not in the file"
    yield "another architecture", folder / "plain-new-order.pt", ["--known", "ffhq_10m"], "does not fit"
    yield "no such file", folder / "nothing.pt", config, "no such file"


def convert(source, output, options):
    return subprocess.run([sys.executable, CONVERT, source, output, *options], capture_output=True, text=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="a folder for the models and the converted files")
    parser.add_argument("--dkp", help="the program to run the converted files with")
    arguments = parser.parse_args()
    folder = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    passed = failed = 0

    def judge(good, what, detail=""):
        nonlocal passed, failed
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok  ' if good else 'FAIL'} {what}{': ' + detail.strip() if detail else ''}", flush=True)

    for make in (make_guided, make_diffusers):
        for name, source, options in make(folder):
            for dtype in ("float32", "bfloat16", "float16"):
                output = folder / f"{name}-{dtype}.h5"
                done = convert(source, output, [*options, "--dtype", dtype, "--example", "32"])
                judge(done.returncode == 0, f"{name} as {dtype}", done.stdout + done.stderr)
                if arguments.dkp and done.returncode == 0:
                    run = subprocess.run([arguments.dkp, "inspect", "--run-example", output], capture_output=True, text=True)
                    judge(run.returncode == 0, f"{output.name} in dkp", (run.stdout + run.stderr).splitlines()[-1])
    for what, source, options, words in make_refused(folder):
        output = folder / "refused.h5"
        done = convert(source, output, options)
        good = done.returncode == 1 and words in done.stderr and not output.exists() and not done.stdout
        judge(good, f"refuses {what}", done.stderr)
    leftovers = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    judge(not leftovers, "leaves no temporary file", ", ".join(leftovers))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
