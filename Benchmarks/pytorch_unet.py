#!/usr/bin/env python3
"""The PyTorch side of the U-Net benchmark: one noise prediction of a guided-diffusion U-Net, with random weights.

The network is that of Dhariwal & Nichol, "Diffusion Models Beat GANs on Image Synthesis" (2021); `--check` proves, on
the golden numbers, that this network is that one: parameter names, shapes and outputs.

Prints one JSON object. Each measurement belongs in a process of its own, so that the peak memory is its own.
"""

import argparse
import json
import math
import os
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

from pytorch_dip import peak_bytes, supports_bf16

CONFIGURATIONS = {
    # The 256 x 256 ImageNet model: 552.8 million parameters.
    "imagenet256": dict(
        image_size=256, model_channels=256, out_channels=6, num_res_blocks=2, attention_resolutions=[8, 16, 32],
        channel_mult=[1, 1, 2, 2, 4, 4], num_head_channels=64, use_scale_shift_norm=True, resblock_updown=True),
    "small64": dict(
        image_size=64, model_channels=64, out_channels=6, num_res_blocks=2, attention_resolutions=[4, 8],
        channel_mult=[1, 2, 3, 4], num_head_channels=64, use_scale_shift_norm=True, resblock_updown=True),
    # The shape of the prior that comes with dkpd.
    "prior256": dict(
        image_size=256, model_channels=64, out_channels=3, num_res_blocks=2, attention_resolutions=[],
        channel_mult=[1, 2, 3, 4], num_head_channels=64, use_scale_shift_norm=True, resblock_updown=True),
}


def group_norm(channels):
    return nn.GroupNorm(32, channels)


class Down(nn.Module):
    def __init__(self, channels, convolves):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1) if convolves else nn.AvgPool2d(2)

    def forward(self, x):
        return self.op(x)


class Up(nn.Module):
    def __init__(self, channels, convolves):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1) if convolves else nn.Identity()

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, embedding, scale_shift, resampling=None):
        super().__init__()
        self.scale_shift = scale_shift
        self.in_layers = nn.Sequential(group_norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, outputs * (2 if scale_shift else 1)))
        self.out_layers = nn.Sequential(
            group_norm(outputs), nn.SiLU(), nn.Identity(), nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.resample = resampling(inputs, False) if resampling else nn.Identity()

    def forward(self, x, embedding):
        norm, act, conv = self.in_layers
        h = conv(self.resample(act(norm(x))))
        e = self.emb_layers(embedding)[:, :, None, None]
        if self.scale_shift:
            scale, shift = e.chunk(2, dim=1)
            h = self.out_layers[0](h) * (1 + scale) + shift
            h = self.out_layers[1:](h)
        else:
            h = self.out_layers(h + e)
        return self.skip_connection(self.resample(x)) + h


class Attention(nn.Module):
    def __init__(self, channels, heads, qkv_outermost):
        super().__init__()
        self.heads = heads
        self.qkv_outermost = qkv_outermost
        self.norm = group_norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x, _=None):
        batch, channels, *size = x.shape
        width = channels // self.heads
        flat = x.flatten(2)
        qkv = self.qkv(self.norm(flat))
        if self.qkv_outermost:
            q, k, v = (part.reshape(batch * self.heads, width, -1) for part in qkv.chunk(3, dim=1))
        else:
            q, k, v = qkv.reshape(batch * self.heads, 3 * width, -1).split(width, dim=1)
        scale = width**-0.25
        weights = torch.einsum("bct,bcs->bts", q * scale, k * scale)
        weights = torch.softmax(weights.float(), dim=-1).to(weights.dtype)
        y = torch.einsum("bts,bcs->bct", weights, v).reshape(batch, channels, -1)
        return (flat + self.proj_out(y)).reshape(batch, channels, *size)


class Steps(nn.Sequential):
    def forward(self, x, embedding):
        for layer in self:
            x = layer(x, embedding) if isinstance(layer, Residual) else layer(x)
        return x


class UNet(nn.Module):
    def __init__(
        self, model_channels, out_channels, num_res_blocks, attention_resolutions, image_size=None, in_channels=3,
        dropout=0.0, channel_mult=(1, 2, 4, 8), conv_resample=True, num_classes=None, num_heads=1,
        num_head_channels=-1, num_heads_upsample=-1, use_scale_shift_norm=False, resblock_updown=False,
        use_new_attention_order=False, use_checkpoint=False, use_fp16=False,
    ):
        super().__init__()
        self.model_channels = model_channels
        embedding = 4 * model_channels
        self.time_embed = nn.Sequential(
            nn.Linear(model_channels, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.label_emb = nn.Embedding(num_classes, embedding) if num_classes else None

        def residual(inputs, outputs, resampling=None):
            return Residual(inputs, outputs, embedding, use_scale_shift_norm, resampling)

        def attention(channels, heads):
            return Attention(
                channels, heads if num_head_channels == -1 else channels // num_head_channels,
                use_new_attention_order)

        channels = int(channel_mult[0] * model_channels)
        self.input_blocks = nn.ModuleList([Steps(nn.Conv2d(in_channels, channels, 3, padding=1))])
        skips = [channels]
        reduction = 1
        for level, multiple in enumerate(channel_mult):
            width = int(multiple * model_channels)
            for _ in range(num_res_blocks):
                steps = [residual(channels, width)]
                channels = width
                if reduction in attention_resolutions:
                    steps.append(attention(channels, num_heads))
                self.input_blocks.append(Steps(*steps))
                skips.append(channels)
            if level + 1 < len(channel_mult):
                down = residual(channels, channels, Down) if resblock_updown else Down(channels, conv_resample)
                self.input_blocks.append(Steps(down))
                skips.append(channels)
                reduction *= 2
        self.middle_block = Steps(
            residual(channels, channels), attention(channels, num_heads), residual(channels, channels))
        self.output_blocks = nn.ModuleList()
        for level, multiple in reversed(list(enumerate(channel_mult))):
            width = int(multiple * model_channels)
            for index in range(num_res_blocks + 1):
                steps = [residual(channels + skips.pop(), width)]
                channels = width
                if reduction in attention_resolutions:
                    steps.append(attention(channels, num_heads if num_heads_upsample == -1 else num_heads_upsample))
                if level and index == num_res_blocks:
                    steps.append(
                        residual(channels, channels, Up) if resblock_updown else Up(channels, conv_resample))
                    reduction //= 2
                self.output_blocks.append(Steps(*steps))
        self.out = nn.Sequential(group_norm(channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1))

    def forward(self, x, t, y=None):
        half = self.model_channels // 2
        rates = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
        angles = t.float()[:, None] * rates
        embedding = self.time_embed(torch.cat([angles.cos(), angles.sin()], dim=1).to(x.dtype))
        if self.label_emb is not None:
            embedding = embedding + self.label_emb(y)
        skips = []
        for block in self.input_blocks:
            x = block(x, embedding)
            skips.append(x)
        x = self.middle_block(x, embedding)
        for block in self.output_blocks:
            x = block(torch.cat([x, skips.pop()], dim=1), embedding)
        return self.out(x)


def check(path):
    """Compares names, shapes and outputs with the golden numbers; true when all agree."""
    import h5py

    agreed = True
    with h5py.File(path) as file:
        for name, group in file.items():
            if group.attrs.get("architecture") != "guided-diffusion":
                continue
            network = UNet(**json.loads(group.attrs["config"])).double().eval()
            state = {key: torch.from_numpy(value[...]).double() for key, value in group["state_dict"].items()}
            network.load_state_dict(state)
            example = {key: torch.from_numpy(value[...]) for key, value in group["example"].items()}
            with torch.no_grad():
                output = network(example["x"].double(), example["t"], example.get("y"))
            worst = ((output - example["output"]).abs().max() / example["output"].abs().max()).item()
            agreed = agreed and worst < 1e-5
            print(f"{name}: worst difference {worst:.3g} of the largest output")
    return agreed


def measure(arguments):
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    after_import = peak_bytes()
    configuration = CONFIGURATIONS[arguments.configuration]
    network = UNet(**configuration).eval()
    size = configuration["image_size"]
    image = torch.randn(1, 3, size, size)
    if arguments.channels_last:
        network = network.to(memory_format=torch.channels_last)
        image = image.to(memory_format=torch.channels_last)
    timestep = torch.tensor([500])
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.precision == "bf16")
    seconds = []
    with torch.inference_mode(), autocast:
        for _ in range(arguments.warm_up + arguments.steps):
            start = time.perf_counter()
            network(image, timestep)
            seconds.append(time.perf_counter() - start)
    return {
        "program": "pytorch",
        "version": torch.__version__,
        "configuration": arguments.configuration,
        "precision": arguments.precision,
        "memory_format": "channels_last" if arguments.channels_last else "contiguous",
        "threads": torch.get_num_threads(),
        "seconds_per_step": statistics.median(seconds[arguments.warm_up :]),
        "step_seconds": seconds[arguments.warm_up :],
        "first_step_seconds": seconds[0],
        "peak_bytes": peak_bytes(),
        "peak_bytes_after_import": after_import,
        "parameters": sum(p.numel() for p in network.parameters()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configuration", choices=sorted(CONFIGURATIONS), default="imagenet256")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="bf16: autocast to bfloat16")
    parser.add_argument("--channels-last", action="store_true", help="channels-last memory format")
    parser.add_argument("--steps", type=int, default=2, help="predictions measured")
    parser.add_argument("--warm-up", type=int, default=1, help="predictions before measuring")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--check", metavar="DDPM.H5", help="compare the network with the golden numbers and exit")
    arguments = parser.parse_args()
    if arguments.check:
        sys.exit(0 if check(arguments.check) else 1)
    if arguments.precision == "bf16" and not supports_bf16():
        sys.exit("this processor has neither avx512_bf16 nor amx_bf16: bf16 would be emulated, not measured")
    print(json.dumps(measure(arguments)))


if __name__ == "__main__":
    main()
