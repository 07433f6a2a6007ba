"""Names and shapes of the parameters of the networks that dkpd knows, derived from their constructors' arguments.

What convert_weights.py checks a file against before it writes a byte.
"""


class Parameters(dict):
    """Shapes by name, put in layer by layer."""

    def layer(self, name, *shape):
        """A convolution or linear layer: its weight of this shape and a bias."""
        self[f"{name}.weight"] = shape
        self[f"{name}.bias"] = shape[:1]

    def norm(self, name, channels):
        self.layer(name, channels)


def shapes(architecture, config):
    """Every parameter's shape, by name. Raises KeyError, TypeError or ValueError for what makes no such network."""
    return {"guided-diffusion": guided_diffusion, "diffusers-unet2d": diffusers_unet2d}[architecture](config)


def guided_diffusion(config):
    channels = config["model_channels"]
    blocks = config["num_res_blocks"]
    multipliers = config["channel_mult"]
    attention = set(config["attention_resolutions"])
    updown = config["resblock_updown"]
    embedding = 4 * channels
    parameters = Parameters()

    def res_block(name, inputs, outputs):
        parameters.norm(f"{name}.in_layers.0", inputs)
        parameters.layer(f"{name}.in_layers.2", outputs, inputs, 3, 3)
        parameters.layer(
            f"{name}.emb_layers.1", (2 if config["use_scale_shift_norm"] else 1) * outputs, embedding)
        parameters.norm(f"{name}.out_layers.0", outputs)
        parameters.layer(f"{name}.out_layers.3", outputs, outputs, 3, 3)
        if inputs != outputs:
            parameters.layer(f"{name}.skip_connection", outputs, inputs, 1, 1)

    def attention_block(name, width):
        parameters.norm(f"{name}.norm", width)
        parameters.layer(f"{name}.qkv", 3 * width, width, 1)
        parameters.layer(f"{name}.proj_out", width, width, 1)

    parameters.layer("time_embed.0", embedding, channels)
    parameters.layer("time_embed.2", embedding, embedding)
    if config.get("num_classes") is not None:
        parameters["label_emb.weight"] = (config["num_classes"], embedding)
    first = width = int(multipliers[0] * channels)
    parameters.layer("input_blocks.0.0", width, config["in_channels"], 3, 3)
    skips = [width]
    factor = 1
    for level, multiplier in enumerate(multipliers):
        outputs = int(multiplier * channels)
        for _ in range(blocks):
            name = f"input_blocks.{len(skips)}"
            res_block(f"{name}.0", width, outputs)
            width = outputs
            if factor in attention:
                attention_block(f"{name}.1", width)
            skips.append(width)
        if level < len(multipliers) - 1:
            name = f"input_blocks.{len(skips)}.0"
            if updown:
                res_block(name, width, width)
            else:
                parameters.layer(f"{name}.op", width, width, 3, 3)
            skips.append(width)
            factor *= 2
    res_block("middle_block.0", width, width)
    attention_block("middle_block.1", width)
    res_block("middle_block.2", width, width)
    index = 0
    for level, multiplier in reversed(list(enumerate(multipliers))):
        outputs = int(multiplier * channels)
        for block in range(blocks + 1):
            name = f"output_blocks.{index}"
            index += 1
            res_block(f"{name}.0", width + skips.pop(), outputs)
            width = outputs
            layer = 1
            if factor in attention:
                attention_block(f"{name}.{layer}", width)
                layer += 1
            if level and block == blocks:
                if updown:
                    res_block(f"{name}.{layer}", width, width)
                else:
                    parameters.layer(f"{name}.{layer}.conv", width, width, 3, 3)
                factor //= 2
    parameters.norm("out.0", width)
    parameters.layer("out.2", config["out_channels"], first, 3, 3)
    return parameters


def diffusers_unet2d(config):
    unsupported = {
        "time_embedding_type": "positional", "class_embed_type": None, "num_class_embeds": None,
        "resnet_time_scale_shift": "default", "downsample_type": "conv", "upsample_type": "conv",
        "add_attention": True, "mid_block_type": "UNetMidBlock2D", "center_input_sample": False,
    }
    for key, only in unsupported.items():
        if config.get(key, only) != only:
            raise ValueError(f"{key} is {config[key]}, only {only} is supported")
    widths = config["block_out_channels"]
    layers = config["layers_per_block"]
    embedding = config.get("time_embedding_dim") or 4 * widths[0]
    parameters = Parameters()

    def has_attention(kind, direction):
        if kind not in (f"{direction}Block2D", f"Attn{direction}Block2D"):
            raise ValueError(f"block type {kind} is not supported")
        return kind.startswith("Attn")

    def resnet(name, inputs, outputs):
        parameters.norm(f"{name}.norm1", inputs)
        parameters.layer(f"{name}.conv1", outputs, inputs, 3, 3)
        parameters.layer(f"{name}.time_emb_proj", outputs, embedding)
        parameters.norm(f"{name}.norm2", outputs)
        parameters.layer(f"{name}.conv2", outputs, outputs, 3, 3)
        if inputs != outputs:
            parameters.layer(f"{name}.conv_shortcut", outputs, inputs, 1, 1)

    def attention(name, width):
        parameters.norm(f"{name}.group_norm", width)
        for part in ("to_q", "to_k", "to_v", "to_out.0"):
            parameters.layer(f"{name}.{part}", width, width)

    parameters.layer("conv_in", widths[0], config["in_channels"], 3, 3)
    parameters.layer("time_embedding.linear_1", embedding, widths[0])
    parameters.layer("time_embedding.linear_2", embedding, embedding)
    width = widths[0]
    for index, (kind, outputs) in enumerate(zip(config["down_block_types"], widths, strict=True)):
        name = f"down_blocks.{index}"
        for layer in range(layers):
            resnet(f"{name}.resnets.{layer}", width, outputs)
            width = outputs
            if has_attention(kind, "Down"):
                attention(f"{name}.attentions.{layer}", width)
        if index < len(widths) - 1:
            parameters.layer(f"{name}.downsamplers.0.conv", width, width, 3, 3)
    resnet("mid_block.resnets.0", width, width)
    attention("mid_block.attentions.0", width)
    resnet("mid_block.resnets.1", width, width)
    outward = widths[::-1]
    for index, (kind, outputs) in enumerate(zip(config["up_block_types"], outward, strict=True)):
        name = f"up_blocks.{index}"
        last_skip = outward[min(index + 1, len(outward) - 1)]
        for layer in range(layers + 1):
            resnet(f"{name}.resnets.{layer}", width + (last_skip if layer == layers else outputs), outputs)
            width = outputs
            if has_attention(kind, "Up"):
                attention(f"{name}.attentions.{layer}", width)
        if index < len(outward) - 1:
            parameters.layer(f"{name}.upsamplers.0.conv", width, width, 3, 3)
    parameters.norm("conv_norm_out", widths[0])
    parameters.layer("conv_out", config["out_channels"], widths[0], 3, 3)
    return parameters


def modern_name(name):
    """A diffusers parameter's name in today's spelling: attention layers were renamed in 2023."""
    parts = name.split(".")
    if "attentions" in parts:
        renamed = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
        parts = [renamed.get(part, part) for part in parts]
    return ".".join(parts)
