"""The network of the prior that comes with dkpd: guided-diffusion's U-Net (Dhariwal and Nichol 2021), all convolutions.

Parameters have the names of that project. No attention counts: the middle block has one, for its names alone, whose
output convolution stays zero. So images of any size will do whose sides divide by the factor of the halvings.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

# Arguments of guided-diffusion's UNetModel: the shipped prior's.
SHIPPED = {
    "image_size": 256, "in_channels": 3, "model_channels": 64, "out_channels": 3, "num_res_blocks": 2,
    "attention_resolutions": [], "dropout": 0.0, "channel_mult": [1, 2, 3, 4], "num_classes": None,
    "use_checkpoint": False, "use_fp16": False, "num_heads": 4, "num_head_channels": 64, "num_heads_upsample": -1,
    "use_scale_shift_norm": True, "resblock_updown": True, "use_new_attention_order": False,
}
# What of the configuration may not be otherwise, as this network is written for nothing else.
FIXED = {
    "attention_resolutions": [], "dropout": 0.0, "num_classes": None, "use_scale_shift_norm": True,
    "resblock_updown": True, "in_channels": 3, "out_channels": 3,
}
GROUPS = 32


def check_configuration(config):
    """Raises ValueError for a configuration that is not of this kind of network."""
    for key in ("model_channels", "num_res_blocks", "channel_mult", "image_size"):
        if key not in config:
            raise ValueError(f"{key} is missing")
    for key, only in FIXED.items():
        if config.get(key, only) != only:
            raise ValueError(f"{key} is {config[key]}; only {only} can be trained")
    multiples = config["channel_mult"]
    if not isinstance(multiples, list) or not multiples:
        raise ValueError("channel_mult is not a list of numbers")
    for multiple in multiples:
        channels = multiple * config["model_channels"]
        if channels != int(channels) or channels < GROUPS or channels % GROUPS:
            raise ValueError(f"{channels} channels do not divide into {GROUPS} groups")


def size_factor(config):
    """What the sides of an image divide by."""
    return 2 ** (len(config["channel_mult"]) - 1)


def normalization(channels):
    return nn.GroupNorm(GROUPS, channels)


def zeroed(module):
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


class ResidualBlock(nn.Module):
    """Two normalised convolutions beside a skip connection, told the time step; `resize` doubles or halves the map."""

    def __init__(self, inputs, outputs, embedding, resize=None):
        super().__init__()
        self.resize = resize
        self.in_layers = nn.Sequential(
            normalization(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * outputs))
        # The third place is the original's dropout, which has no parameters.
        self.out_layers = nn.Sequential(
            normalization(outputs), nn.SiLU(), nn.Identity(), zeroed(nn.Conv2d(outputs, outputs, 3, padding=1)))
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def resized(self, x):
        if self.resize == "double":
            return F.interpolate(x, scale_factor=2, mode="nearest")
        return F.avg_pool2d(x, 2) if self.resize == "halve" else x

    def forward(self, x, embedding):
        h = self.in_layers[2](self.resized(F.silu(self.in_layers[0](x))))
        scale, shift = self.emb_layers(embedding)[:, :, None, None].chunk(2, 1)
        h = self.out_layers[0](h) * (1 + scale) + shift
        return self.skip_connection(self.resized(x)) + self.out_layers[3](F.silu(h))


class SilentAttention(nn.Module):
    """The parameters of an attention whose output convolution is zero: it adds nothing, and is not computed."""

    def __init__(self, channels):
        super().__init__()
        self.norm = normalization(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = zeroed(nn.Conv1d(channels, channels, 1))
        for parameter in self.parameters():
            parameter.requires_grad_(False)

    def forward(self, x, embedding):
        return x


class UNet(nn.Module):
    """Predicts the noise in images [count, 3, height, width] at time steps [count]."""

    def __init__(self, config):
        super().__init__()
        self.model_channels = config["model_channels"]
        multiples, blocks = config["channel_mult"], config["num_res_blocks"]
        embedding = 4 * self.model_channels
        levels = [(level, int(multiple * self.model_channels)) for level, multiple in enumerate(multiples)]
        self.time_embed = nn.Sequential(
            nn.Linear(self.model_channels, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        width = levels[0][1]
        self.input_blocks = nn.ModuleList([nn.ModuleList([nn.Conv2d(3, width, 3, padding=1)])])
        skips = [width]
        for level, channels in levels:
            for _ in range(blocks):
                self.input_blocks.append(nn.ModuleList([ResidualBlock(width, channels, embedding)]))
                width = channels
                skips.append(width)
            if level + 1 < len(levels):
                self.input_blocks.append(nn.ModuleList([ResidualBlock(width, width, embedding, "halve")]))
                skips.append(width)
        self.middle_block = nn.ModuleList([
            ResidualBlock(width, width, embedding), SilentAttention(width), ResidualBlock(width, width, embedding)])
        self.output_blocks = nn.ModuleList()
        for level, channels in reversed(levels):
            for block in range(blocks + 1):
                parts = [ResidualBlock(width + skips.pop(), channels, embedding)]
                width = channels
                if level and block == blocks:
                    parts.append(ResidualBlock(width, width, embedding, "double"))
                self.output_blocks.append(nn.ModuleList(parts))
        self.out = nn.Sequential(normalization(width), nn.SiLU(), zeroed(nn.Conv2d(width, 3, 3, padding=1)))

    def time_embedding(self, t):
        half = self.model_channels // 2
        frequencies = torch.exp(-math.log(10000) * torch.arange(half, device=t.device) / half)
        angles = t[:, None].float() * frequencies
        return self.time_embed(torch.cat([angles.cos(), angles.sin()], 1))

    def forward(self, x, t):
        embedding = self.time_embedding(t)
        skips = []
        for number, (block,) in enumerate(self.input_blocks):
            x = block(x, embedding) if number else block(x)
            skips.append(x)
        for block in self.middle_block:
            x = block(x, embedding)
        for blocks in self.output_blocks:
            x = torch.cat([x, skips.pop()], 1)
            for block in blocks:
                x = block(x, embedding)
        return self.out(x)
