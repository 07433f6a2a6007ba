#include "reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// MARK: The library's callbacks

static int on_error(TIFF *tiff, void *context, const char *module, const char *format, va_list arguments) {
    (void)tiff;
    (void)module;
    dkp_tiff_reader *reader = context;
    // The first error is the cause of those after it.
    if (!reader->message[0]) vsnprintf(reader->message, message_size, format, arguments);
    return 1;
}

static int on_warning(TIFF *tiff, void *context, const char *module, const char *format, va_list arguments) {
    (void)tiff;
    (void)module;
    dkp_tiff_reader *reader = context;
    if (reader->warning_count < kept_warnings)
        vsnprintf(reader->warnings[reader->warning_count++], message_size, format, arguments);
    return 1;
}

static tmsize_t read_bytes(thandle_t context, void *target, tmsize_t count) {
    dkp_tiff_reader *reader = context;
    const size_t left = reader->count - reader->position;
    const size_t taken = count < 0 ? 0 : (size_t)count < left ? (size_t)count : left;
    memcpy(target, reader->bytes + reader->position, taken);
    reader->position += taken;
    return (tmsize_t)taken;
}

static tmsize_t write_bytes(thandle_t context, void *source, tmsize_t count) {
    (void)context;
    (void)source;
    (void)count;
    return -1;
}

static toff_t seek(thandle_t context, toff_t offset, int origin) {
    dkp_tiff_reader *reader = context;
    const toff_t base = origin == SEEK_CUR ? reader->position : origin == SEEK_END ? reader->count : 0;
    const toff_t target = base + offset;
    reader->position = target < reader->count ? (size_t)target : reader->count;
    return target;
}

static int close_bytes(thandle_t context) {
    (void)context;
    return 0;
}

static toff_t size_of_bytes(thandle_t context) { return ((dkp_tiff_reader *)context)->count; }

// MARK: Opening

dkp_tiff_reader *dkp_tiff_reader_create(const uint8_t *bytes, size_t count, size_t memory) {
    dkp_tiff_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return NULL;
    reader->bytes = bytes;
    reader->count = count;
    reader->memory = memory;
    return reader;
}

void dkp_tiff_reader_destroy(dkp_tiff_reader *reader) {
    if (!reader) return;
    if (reader->tiff) TIFFClose(reader->tiff);
    free(reader);
}

static dkp_tiff_status open_tiff(dkp_tiff_reader *reader) {
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) return DKP_TIFF_OUT_OF_MEMORY;
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, reader);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, reader);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)reader->memory);
    // "m": no mapping of a file into memory, as there is none.
    reader->tiff = TIFFClientOpenExt(
        "TIFF", "rm", reader, read_bytes, write_bytes, seek, close_bytes, size_of_bytes, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return reader->tiff ? DKP_TIFF_OK : DKP_TIFF_CORRUPT;
}

dkp_tiff_status dkp_tiff_refuse(dkp_tiff_reader *reader, const char *remedy, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->message, message_size, format, arguments);
    va_end(arguments);
    reader->remedy = remedy;
    return DKP_TIFF_UNSUPPORTED;
}

static const char to_integers[] = "convert it to 16 bits (magick IN.tif -depth 16 OUT.png)";
static const char to_rgb[] = "convert it to RGB (magick IN.tif -colorspace sRGB -type TrueColor OUT.png)";
static const char uncompressed[] = "write it again without compression (tiffcp -c none IN.tif OUT.tif)";

static void warn(dkp_tiff_reader *reader, const char *text) {
    if (reader->warning_count < kept_warnings)
        snprintf(reader->warnings[reader->warning_count++], message_size, "%s", text);
}

/// Compressions that are common and whose decoders have earned trust; whatever else the library has stays untouched.
static int is_known(uint16_t compression) {
    switch (compression) {
    case COMPRESSION_NONE:
    case COMPRESSION_LZW:
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE:
    case COMPRESSION_PACKBITS:
    case COMPRESSION_JPEG:
    case COMPRESSION_CCITTRLE:
    case COMPRESSION_CCITTFAX3:
    case COMPRESSION_CCITTFAX4:
    case COMPRESSION_ZSTD: return TIFFIsCODECConfigured(compression);
    default: return 0;
    }
}

static dkp_tiff_status read_kind(dkp_tiff_reader *reader) {
    TIFF *tiff = reader->tiff;
    uint16_t bits = 1, samples = 1, format = SAMPLEFORMAT_UINT, compression = COMPRESSION_NONE;
    uint16_t planar = PLANARCONFIG_CONTIG, photometric = 0;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &format);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &compression);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &planar);
    if (!TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric))
        photometric = samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
    if (photometric == PHOTOMETRIC_CFA || photometric == 34892 /* linear raw */)
        return dkp_tiff_refuse(reader, DKP_TIFF_DEVELOP, "it holds what a camera's sensor saw");
    if (format == SAMPLEFORMAT_IEEEFP)
        return dkp_tiff_refuse(reader, to_integers, "its samples are floating-point numbers");
    if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID)
        return dkp_tiff_refuse(reader, to_integers, "its samples are of format %d, not unsigned numbers", format);
    if (!is_known(compression))
        return dkp_tiff_refuse(reader, uncompressed, "its compression, %d, is not one that is read", compression);
    if (photometric == PHOTOMETRIC_PALETTE) return dkp_tiff_refuse(reader, to_rgb, "its colours come from a palette");
    // Scans in black and white, and other grays of few levels.
    const int is_packed_gray = samples == 1 && (bits == 1 || bits == 2 || bits == 4);
    if (bits != 8 && bits != 16 && !is_packed_gray)
        return dkp_tiff_refuse(reader, to_integers, "its samples have %d bits, not 8 or 16", bits);
    if (samples < 1 || samples > maximum_samples)
        return dkp_tiff_refuse(reader, to_rgb, "its pixels have %d samples", samples);

    switch (photometric) {
    case PHOTOMETRIC_MINISBLACK: reader->layout.channels = 1; break;
    case PHOTOMETRIC_MINISWHITE:
        reader->layout.channels = 1;
        reader->is_inverted = 1;
        break;
    case PHOTOMETRIC_RGB: reader->layout.channels = 3; break;
    case PHOTOMETRIC_YCBCR:
        if (compression != COMPRESSION_JPEG || planar != PLANARCONFIG_CONTIG || samples != 3)
            return dkp_tiff_refuse(reader, to_rgb, "its colours are YCbCr outside of JPEG compression");
        TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        reader->layout.channels = 3;
        break;
    case PHOTOMETRIC_SEPARATED: return dkp_tiff_refuse(reader, to_rgb, "its colours are CMYK");
    default: return dkp_tiff_refuse(reader, to_rgb, "its colours are of kind %d, neither gray nor RGB", photometric);
    }
    if (samples < reader->layout.channels)
        return dkp_tiff_refuse(reader, to_rgb, "its pixels have %d samples, too few for RGB", samples);

    uint16_t extra_count = 0, *extra = NULL;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extra);
    for (int index = 0; index < samples - reader->layout.channels && !reader->layout.has_alpha; index++) {
        const uint16_t kind = extra && index < extra_count ? extra[index] : EXTRASAMPLE_UNSPECIFIED;
        if (kind != EXTRASAMPLE_ASSOCALPHA && kind != EXTRASAMPLE_UNASSALPHA) continue;
        reader->layout.has_alpha = 1;
        reader->alpha_sample = reader->layout.channels + index;
        reader->is_premultiplied = kind == EXTRASAMPLE_ASSOCALPHA;
    }
    if (samples > reader->layout.channels + reader->layout.has_alpha)
        warn(reader, "samples beside colour and opacity were left out");
    reader->samples = samples;
    reader->is_separate = planar == PLANARCONFIG_SEPARATE && samples > 1;
    reader->layout.bit_depth = bits;
    return DKP_TIFF_OK;
}

dkp_tiff_status dkp_tiff_reader_read_layout(dkp_tiff_reader *reader, dkp_tiff_layout *layout) {
    dkp_tiff_status status = open_tiff(reader);
    if (status != DKP_TIFF_OK) return status;
    if (!TIFFGetField(reader->tiff, TIFFTAG_IMAGEWIDTH, &reader->layout.width)
        || !TIFFGetField(reader->tiff, TIFFTAG_IMAGELENGTH, &reader->layout.height) || !reader->layout.width
        || !reader->layout.height) {
        snprintf(reader->message, message_size, "it has no size");
        return DKP_TIFF_CORRUPT;
    }
    status = dkp_tiff_check_whole(reader);
    if (status == DKP_TIFF_OK) status = read_kind(reader);
    if (status != DKP_TIFF_OK) return status;
    uint16_t orientation = ORIENTATION_TOPLEFT, unit = RESUNIT_INCH;
    TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_ORIENTATION, &orientation);
    reader->layout.orientation = orientation >= 1 && orientation <= 8 ? orientation : ORIENTATION_TOPLEFT;
    TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_RESOLUTIONUNIT, &unit);
    if (TIFFGetField(reader->tiff, TIFFTAG_XRESOLUTION, &reader->layout.horizontal_density)
        && TIFFGetField(reader->tiff, TIFFTAG_YRESOLUTION, &reader->layout.vertical_density))
        reader->layout.density_unit = unit;
    reader->layout.has_more_pages = !TIFFLastDirectory(reader->tiff);
    *layout = reader->layout;
    return DKP_TIFF_OK;
}

// MARK: Pixels

/// Where a block of pixels goes: a strip or a tile, of which `rows` x `columns` lie in the image.
typedef struct {
    size_t top, left, rows, columns;
    /// Pixels from one row to the next in the block.
    size_t stride;
    /// The first sample that the block holds, and how many lie side by side.
    size_t first_sample, sample_count;
} Block;

/// Gray of 1, 2 or 4 bits, several pixels in a byte; every row begins with a byte of its own.
static void unpack_bits(const dkp_tiff_reader *reader, const uint8_t *samples, Block block, float *colour) {
    const size_t width = reader->layout.width, bits = (size_t)reader->layout.bit_depth;
    const size_t row_bytes = (block.stride * bits + 7) / 8;
    const unsigned highest = (1u << bits) - 1;
    for (size_t y = 0; y < block.rows; y++) {
        float *target = colour + (block.top + y) * width + block.left;
        const uint8_t *source = samples + y * row_bytes;
        for (size_t x = 0; x < block.columns; x++) {
            const unsigned level = source[x * bits / 8] >> (8 - bits - x * bits % 8) & highest;
            target[x] = (float)(reader->is_inverted ? highest - level : level) / (float)highest;
        }
    }
}

static void unpack(const dkp_tiff_reader *reader, const void *samples, Block block, float *colour, float *alpha) {
    const size_t width = reader->layout.width, plane = width * reader->layout.height;
    if (reader->layout.bit_depth < 8) {
        unpack_bits(reader, samples, block, colour);
        return;
    }
    for (size_t index = 0; index < block.sample_count; index++) {
        const size_t sample = block.first_sample + index;
        const int is_alpha = reader->layout.has_alpha && sample == (size_t)reader->alpha_sample;
        if (!is_alpha && sample >= (size_t)reader->layout.channels) continue;
        const float offset = !is_alpha && reader->is_inverted ? 1 : 0, sign = offset > 0 ? -1 : 1;
        for (size_t y = 0; y < block.rows; y++) {
            float *target = (is_alpha ? alpha : colour + sample * plane) + (block.top + y) * width + block.left;
            const size_t start = y * block.stride * block.sample_count + index;
            if (reader->layout.bit_depth == 16) {
                const uint16_t *source = (const uint16_t *)samples + start;
                for (size_t x = 0; x < block.columns; x++)
                    target[x] = offset + sign * ((float)source[x * block.sample_count] / 65535.0f);
            } else {
                const uint8_t *source = (const uint8_t *)samples + start;
                for (size_t x = 0; x < block.columns; x++)
                    target[x] = offset + sign * ((float)source[x * block.sample_count] / 255.0f);
            }
        }
    }
}

/// Whether the file is long enough for a strip or tile.
static dkp_tiff_status check_place(dkp_tiff_reader *reader, uint32_t strile) {
    const uint64_t offset = TIFFGetStrileOffset(reader->tiff, strile);
    const uint64_t count = TIFFGetStrileByteCount(reader->tiff, strile);
    if (offset <= reader->count && count <= reader->count - offset) return DKP_TIFF_OK;
    snprintf(reader->message, message_size, "it ends before strip or tile %u", strile);
    return DKP_TIFF_TRUNCATED;
}

static size_t at_most(size_t value, size_t limit) { return value < limit ? value : limit; }

static dkp_tiff_status read_strips(
    dkp_tiff_reader *reader, void *buffer, size_t rows_per_strip, Block block, float *colour, float *alpha) {
    const size_t height = reader->layout.height, row_bytes = (size_t)TIFFScanlineSize64(reader->tiff);
    for (block.top = 0; block.top < height; block.top += rows_per_strip) {
        block.rows = at_most(rows_per_strip, height - block.top);
        const uint32_t strip = TIFFComputeStrip(reader->tiff, (uint32_t)block.top, (uint16_t)block.first_sample);
        const dkp_tiff_status status = check_place(reader, strip);
        if (status != DKP_TIFF_OK) return status;
        const tmsize_t needed = (tmsize_t)(block.rows * row_bytes);
        if (TIFFReadEncodedStrip(reader->tiff, strip, buffer, needed) != needed) return DKP_TIFF_CORRUPT;
        unpack(reader, buffer, block, colour, alpha);
    }
    return DKP_TIFF_OK;
}

static dkp_tiff_status read_tiles(
    dkp_tiff_reader *reader, void *buffer, size_t tile_height, Block block, float *colour, float *alpha) {
    const size_t height = reader->layout.height, width = reader->layout.width;
    const tmsize_t needed = TIFFTileSize(reader->tiff);
    for (block.top = 0; block.top < height; block.top += tile_height) {
        for (block.left = 0; block.left < width; block.left += block.stride) {
            block.rows = at_most(tile_height, height - block.top);
            block.columns = at_most(block.stride, width - block.left);
            const uint32_t tile = TIFFComputeTile(
                reader->tiff, (uint32_t)block.left, (uint32_t)block.top, 0, (uint16_t)block.first_sample);
            const dkp_tiff_status status = check_place(reader, tile);
            if (status != DKP_TIFF_OK) return status;
            if (TIFFReadEncodedTile(reader->tiff, tile, buffer, needed) != needed) return DKP_TIFF_CORRUPT;
            unpack(reader, buffer, block, colour, alpha);
        }
    }
    return DKP_TIFF_OK;
}

/// Colours that were multiplied by alpha, straight again.
static void divide_by_alpha(const dkp_tiff_reader *reader, float *colour, const float *alpha) {
    const size_t plane = (size_t)reader->layout.width * reader->layout.height;
    for (size_t channel = 0; channel < (size_t)reader->layout.channels; channel++)
        for (size_t index = 0; index < plane; index++) {
            float *value = colour + channel * plane + index;
            *value = alpha[index] <= 0 ? 0 : *value >= alpha[index] ? 1 : *value / alpha[index];
        }
}

dkp_tiff_status dkp_tiff_reader_read_pixels(dkp_tiff_reader *reader, float *colour, float *alpha) {
    const int is_tiled = TIFFIsTiled(reader->tiff);
    const size_t bits = (size_t)reader->layout.bit_depth, sample_bytes = (bits + 7) / 8;
    Block block = {.columns = reader->layout.width, .stride = reader->layout.width};
    block.sample_count = reader->is_separate ? 1 : reader->samples;
    uint32_t block_height = 0, tile_width = 0;
    if (is_tiled) {
        if (!TIFFGetField(reader->tiff, TIFFTAG_TILEWIDTH, &tile_width)
            || !TIFFGetField(reader->tiff, TIFFTAG_TILELENGTH, &block_height) || !tile_width || !block_height)
            return DKP_TIFF_CORRUPT;
        block.stride = tile_width;
    } else {
        TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_ROWSPERSTRIP, &block_height);
        if (!block_height) return DKP_TIFF_CORRUPT;
        block_height = (uint32_t)at_most(block_height, reader->layout.height);
    }
    // At most 2^32 * 2^32 pixels of 16 bytes: checked in steps that cannot overflow.
    if (block.stride > reader->memory || block_height > reader->memory / block.stride
        || block.sample_count * sample_bytes > reader->memory / (block.stride * block_height)) {
        snprintf(reader->message, message_size, "its strips or tiles are %zu x %u pixels", block.stride, block_height);
        return DKP_TIFF_TOO_LARGE;
    }
    const size_t row_bytes = bits < 8 ? (block.stride * bits + 7) / 8 : block.stride * block.sample_count * sample_bytes;
    const size_t expected = row_bytes * block_height;
    const uint64_t announced = is_tiled ? TIFFTileSize64(reader->tiff)
                                        : TIFFScanlineSize64(reader->tiff) * (uint64_t)block_height;
    if (announced != expected) {
        snprintf(reader->message, message_size, "the sizes that it gives do not fit together");
        return DKP_TIFF_CORRUPT;
    }
    void *buffer = calloc(expected, 1);
    if (!buffer) return DKP_TIFF_OUT_OF_MEMORY;
    const size_t passes = reader->is_separate ? reader->samples : 1;
    dkp_tiff_status status = DKP_TIFF_OK;
    for (size_t pass = 0; pass < passes && status == DKP_TIFF_OK; pass++) {
        block.first_sample = pass;
        status = is_tiled ? read_tiles(reader, buffer, block_height, block, colour, alpha)
                          : read_strips(reader, buffer, block_height, block, colour, alpha);
    }
    free(buffer);
    if (status == DKP_TIFF_OK && reader->is_premultiplied) divide_by_alpha(reader, colour, alpha);
    return status;
}

const uint8_t *dkp_tiff_reader_profile(const dkp_tiff_reader *reader, size_t *count) {
    uint32_t length = 0;
    void *profile = NULL;
    *count = 0;
    if (!TIFFGetField(reader->tiff, TIFFTAG_ICCPROFILE, &length, &profile) || !profile) return NULL;
    *count = length;
    return profile;
}

int dkp_tiff_reader_warning_count(const dkp_tiff_reader *reader) { return reader->warning_count; }

const char *dkp_tiff_reader_warning(const dkp_tiff_reader *reader, int index) {
    return index >= 0 && index < reader->warning_count ? reader->warnings[index] : "";
}

const char *dkp_tiff_reader_remedy(const dkp_tiff_reader *reader) { return reader->remedy ? reader->remedy : ""; }

const char *dkp_tiff_reader_message(const dkp_tiff_reader *reader) { return reader->message; }
