#!/usr/bin/env python3
"""The PyTorch side of the benchmark: one DIP-DKP image step, as a PyTorch user would write it.

A step is: x = D(theta) from fixed noise, the data term MSE((x (*) k) |s, y) through a fixed blur kernel, backward,
Adam (rate 5e-3). D is the deep-image-prior encoder-decoder with skips and non-local blocks that the golden numbers
pin; `--check` proves that this network is that one, outputs and gradients.

Prints one JSON object. Each measurement belongs in a process of its own, so that the peak memory is its own.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

NON_LOCAL_FROM_SCALE = 2  # the third scale, counted from 0


class ConvNormAct(nn.Module):
    """Convolution (reflection padding keeps the size at stride 1), batch norm, LeakyReLU(0.2)."""

    def __init__(self, inputs, outputs, size, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, padding_mode="reflect")
        self.norm = nn.BatchNorm2d(outputs)
        self.act = nn.LeakyReLU(0.2, inplace=True)

    def forward(self, x):
        return self.act(self.norm(self.conv(x)))


class NonLocal(nn.Module):
    """Embedded dot product over all positions; keys and values are 2x2 max-pooled; residual, starting at zero."""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.g = nn.Conv2d(channels, half, 1)
        self.theta = nn.Conv2d(channels, half, 1)
        self.phi = nn.Conv2d(channels, half, 1)
        self.out = nn.Conv2d(half, channels, 1)
        self.out_norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.out_norm.weight)
        nn.init.zeros_(self.out_norm.bias)

    def forward(self, x):
        batch, _, height, width = x.shape
        values = F.max_pool2d(self.g(x), 2).flatten(2)  # B, C/2, M
        queries = self.theta(x).flatten(2)  # B, C/2, N
        keys = F.max_pool2d(self.phi(x), 2).flatten(2)  # B, C/2, M
        affinity = queries.transpose(1, 2) @ keys / keys.shape[2]  # B, N, M
        gathered = (affinity @ values.transpose(1, 2)).transpose(1, 2)
        return x + self.out_norm(self.out(gathered.reshape(batch, -1, height, width)))


class Scale(nn.Module):
    """One scale of the encoder-decoder, holding the deeper ones."""

    def __init__(self, inputs, channels, skips, index=0):
        super().__init__()
        width = channels[index]
        self.skip = ConvNormAct(inputs, skips[index], 1)
        self.down = ConvNormAct(inputs, width, 3, stride=2)
        self.non_local = NonLocal(width) if index >= NON_LOCAL_FROM_SCALE else None
        self.refine = ConvNormAct(width, width, 3)
        self.deeper = Scale(width, channels, skips, index + 1) if index + 1 < len(channels) else None
        below = channels[index + 1] if self.deeper else width
        self.merge_norm = nn.BatchNorm2d(skips[index] + below)
        self.up = ConvNormAct(skips[index] + below, width, 3)
        self.mix = ConvNormAct(width, width, 1)

    def forward(self, x):
        skip = self.skip(x)
        deep = self.down(x)
        if self.non_local is not None:
            deep = self.non_local(deep)
        deep = self.refine(deep)
        if self.deeper is not None:
            deep = self.deeper(deep)
        deep = F.interpolate(deep, scale_factor=2, mode="bilinear", align_corners=False)
        size = [min(a, b) for a, b in zip(skip.shape[2:], deep.shape[2:])]
        merged = torch.cat([centred_crop(skip, size), centred_crop(deep, size)], dim=1)
        return self.mix(self.up(self.merge_norm(merged)))

    def named_leaves(self, prefix=""):
        """(golden name, module) of every module with parameters in this scale and below."""
        deep = prefix + "1.1."
        shift = 0 if self.non_local is None else 1
        yield prefix + "1.0.1.1", self.skip.conv
        yield prefix + "1.0.2", self.skip.norm
        yield deep + "1.1", self.down.conv
        yield deep + "2", self.down.norm
        if self.non_local is not None:
            yield deep + "4.g.0", self.non_local.g
            yield deep + "4.theta", self.non_local.theta
            yield deep + "4.phi.0", self.non_local.phi
            yield deep + "4.W.0", self.non_local.out
            yield deep + "4.W.1", self.non_local.out_norm
        yield f"{deep}{4 + shift}.1", self.refine.conv
        yield f"{deep}{5 + shift}", self.refine.norm
        if self.deeper is not None:
            yield from self.deeper.named_leaves(f"{deep}{7 + shift}.")
        yield prefix + "2", self.merge_norm
        yield prefix + "3.1", self.up.conv
        yield prefix + "4", self.up.norm
        yield prefix + "6.1", self.mix.conv
        yield prefix + "7", self.mix.norm


def centred_crop(x, size):
    top, left = ((have - want) // 2 for have, want in zip(x.shape[2:], size))
    return x[:, :, top : top + size[0], left : left + size[1]]


class SkipNetwork(nn.Module):
    def __init__(self, inputs=3, outputs=3, channels=(128,) * 5, skips=(16,) * 5):
        super().__init__()
        self.scales = Scale(inputs, channels, skips)
        self.out = nn.Conv2d(channels[0], outputs, 1)

    def forward(self, x):
        return torch.sigmoid(self.out(self.scales(x)))

    def named_golden_parameters(self):
        for name, module in [*self.scales.named_leaves(), ("9.1", self.out)]:
            for kind, parameter in module.named_parameters():
                yield f"{name}.{kind}", parameter


def gaussian_kernel(size, scale):
    """A plain Gaussian with its centre of mass where the restored image lies on the input's pixel grid."""
    offset = torch.arange(size, dtype=torch.float64) - (size // 2 + (scale - 1) / 2)
    line = torch.exp(-(offset**2) / (2 * scale))
    kernel = torch.outer(line, line)
    return (kernel / kernel.sum()).float()


def degrade(x, kernel, scale):
    """(x (*) k) |s: cross-correlation of each channel, circular boundary, every s-th row and column."""
    half = kernel.shape[-1] // 2
    planes = F.pad(x, (half,) * 4, mode="circular").transpose(0, 1)
    return F.conv2d(planes, kernel[None, None], stride=scale).transpose(0, 1)


def check(path):
    """Compares outputs and gradients with the golden numbers, in double precision; true when all agree."""
    import h5py
    import numpy as np

    agreed = True
    with h5py.File(path) as file:
        for group in (file["dip_small"], file["dip_odd"]):
            network = SkipNetwork(
                int(group.attrs["input_channels"]), group["output_f64"].shape[1],
                [int(n) for n in group.attrs["channels"]], [int(n) for n in group.attrs["skip_channels"]],
            ).double().train()
            parameters = dict(network.named_golden_parameters())
            if set(parameters) != set(group["parameters"]):
                print(f"{group.name}: parameter names differ: {set(parameters) ^ set(group['parameters'])}")
                agreed = False
                continue
            with torch.no_grad():
                for name, parameter in parameters.items():
                    parameter.copy_(torch.from_numpy(group["parameters"][name][...]))
            output = network(torch.from_numpy(group["input"][...]).double())
            loss = (output * torch.from_numpy(group["cotangent"][...]).double()).sum() / output.numel()
            loss.backward()
            pairs = {"output": (output.detach().numpy(), group["output_f64"][...])}
            for name, parameter in parameters.items():
                pairs[f"gradient of {name}"] = (parameter.grad.numpy(), group["gradients_f64"][name][...])
            # A bias in front of a batch norm has no effect: its gradient is rounding noise, hence the absolute part.
            worst = max(
                (float(np.max(np.abs(ours - golden) / (1e-8 + 1e-6 * np.abs(golden)))), name)
                for name, (ours, golden) in pairs.items()
            )
            good = worst[0] <= 1
            agreed = agreed and good
            print(f"{group.name}: {len(pairs)} arrays, worst {worst[0]:.3g} of the tolerance ({worst[1]}): "
                  f"{'agrees' if good else 'DIFFERS'}")
    return agreed


def processor_flags():
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("flags"):
                    return set(line.split())
    except OSError:
        pass
    return set()


def supports_bf16():
    return bool({"avx512_bf16", "amx_bf16"} & processor_flags())


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(arguments):
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    size, scale = arguments.size, arguments.scale
    if size % scale:
        sys.exit(f"--size {size} is not a multiple of --scale {scale}")
    after_import = peak_bytes()
    network = SkipNetwork().train()
    noise = torch.rand(1, 3, size, size) * 0.1
    target = torch.rand(1, 3, size // scale, size // scale)
    kernel = gaussian_kernel(min(4 * scale + 3, 21), scale)
    if arguments.channels_last:
        network = network.to(memory_format=torch.channels_last)
        noise = noise.to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.precision == "bf16")

    seconds = []
    for _ in range(arguments.warm_up + arguments.steps):
        start = time.perf_counter()
        optimiser.zero_grad()
        with autocast:
            image = network(noise)
        loss = F.mse_loss(degrade(image.float(), kernel, scale), target)
        loss.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - start)
    return {
        "program": "pytorch",
        "version": torch.__version__,
        "precision": arguments.precision,
        "memory_format": "channels_last" if arguments.channels_last else "contiguous",
        "size": size,
        "scale": scale,
        "threads": torch.get_num_threads(),
        "seconds_per_step": statistics.median(seconds[arguments.warm_up :]),
        "step_seconds": seconds[arguments.warm_up :],
        "first_step_seconds": seconds[0],
        "peak_bytes": peak_bytes(),
        "peak_bytes_after_import": after_import,
        "parameters": sum(p.numel() for p in network.parameters()),
        "loss": loss.item(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="bf16: autocast to bfloat16")
    parser.add_argument("--channels-last", action="store_true", help="channels-last memory format")
    parser.add_argument("--size", type=int, default=252, help="rows and columns of the restored image")
    parser.add_argument("--scale", type=int, default=4, choices=[2, 3, 4, 8])
    parser.add_argument("--steps", type=int, default=10, help="steps measured")
    parser.add_argument("--warm-up", type=int, default=2, help="steps before measuring")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--check", metavar="DIP.H5", help="compare the network with the golden numbers and exit")
    arguments = parser.parse_args()
    if arguments.check:
        sys.exit(0 if check(arguments.check) else 1)
    if arguments.precision == "bf16" and not supports_bf16():
        sys.exit("this processor has neither avx512_bf16 nor amx_bf16: bf16 would be emulated, not measured")
    print(json.dumps(measure(arguments)))


if __name__ == "__main__":
    main()
