#include "CPNG.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/// Lives in the caller of the function that sets the jump, so that a longjmp leaves it defined.
typedef struct {
    png_structp png;
    png_infop info;
    uint8_t *row;
    size_t capacity;
    dkp_png_status status;
    dkp_png_output *output;
} Writer;

static void on_error(png_structp png, png_const_charp text) {
    Writer *writer = png_get_error_ptr(png);
    if (writer->status == DKP_PNG_OK) writer->status = DKP_PNG_CORRUPT;
    snprintf(writer->output->message, sizeof writer->output->message, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void append(png_structp png, png_bytep bytes, png_size_t count) {
    Writer *writer = png_get_io_ptr(png);
    dkp_png_output *output = writer->output;
    if (count > writer->capacity - output->count) {
        size_t capacity = writer->capacity ? writer->capacity : 1 << 16;
        while (capacity - output->count < count) {
            if (capacity > SIZE_MAX / 2) png_error(png, "the file would be too large for memory");
            capacity *= 2;
        }
        uint8_t *grown = realloc(output->bytes, capacity);
        if (!grown) {
            writer->status = DKP_PNG_OUT_OF_MEMORY;
            png_error(png, "out of memory");
        }
        output->bytes = grown;
        writer->capacity = capacity;
    }
    memcpy(output->bytes + output->count, bytes, count);
    output->count += count;
}

static void flush(png_structp png) { (void)png; }

/// Nearest level, halves up, NaN to 0: the comparison with 0 fails for NaN.
static unsigned level(float value, double highest) {
    const double clamped = value > 0 ? (value < 1 ? value : 1) : 0;
    return (unsigned)(clamped * highest + 0.5);
}

static void pack(uint8_t *row, const dkp_png_layout *layout, size_t y, const float *colour, const float *alpha) {
    const size_t width = layout->width, plane = width * layout->height, channels = (size_t)layout->channels;
    const size_t colours = channels <= 2 ? 1 : 3;
    for (size_t channel = 0; channel < channels; channel++) {
        const float *source = (channel < colours ? colour + channel * plane : alpha) + y * width;
        if (layout->bit_depth == 16) {
            uint8_t *target = row + 2 * channel;
            for (size_t x = 0; x < width; x++, target += 2 * channels) {
                const unsigned sample = level(source[x], 65535);
                target[0] = (uint8_t)(sample >> 8);
                target[1] = (uint8_t)sample;
            }
        } else {
            uint8_t *target = row + channel;
            for (size_t x = 0; x < width; x++, target += channels) *target = (uint8_t)level(source[x], 255);
        }
    }
}

static dkp_png_status write_all(
    Writer *writer, const dkp_png_layout *layout, const float *colour, const float *alpha,
    const dkp_png_chunk *chunks, size_t chunk_count) {
    static const int colour_types[] = {
        PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    if (setjmp(png_jmpbuf(writer->png))) return writer->status;
    png_set_write_fn(writer->png, writer, append, flush);
    png_set_user_limits(writer->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(
        writer->png, writer->info, layout->width, layout->height, layout->bit_depth,
        colour_types[layout->channels - 1], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(writer->png, writer->info);
    for (size_t index = 0; index < chunk_count; index++)
        png_write_chunk(
            writer->png, (png_const_bytep)chunks[index].name, chunks[index].bytes, chunks[index].count);
    for (size_t y = 0; y < layout->height; y++) {
        pack(writer->row, layout, y, colour, alpha);
        png_write_row(writer->png, writer->row);
    }
    png_write_end(writer->png, NULL);
    return DKP_PNG_OK;
}

dkp_png_status dkp_png_encode(
    const dkp_png_layout *layout, const float *colour, const float *alpha, const dkp_png_chunk *chunks,
    size_t chunk_count, dkp_png_output *output) {
    memset(output, 0, sizeof *output);
    const int channels = layout->channels, alpha_needed = channels % 2 == 0;
    if (channels < 1 || channels > 4 || (layout->bit_depth != 8 && layout->bit_depth != 16) || (alpha_needed && !alpha)) {
        snprintf(output->message, sizeof output->message, "no such layout");
        return DKP_PNG_CORRUPT;
    }
    Writer writer = {NULL, NULL, NULL, 0, DKP_PNG_OK, output};
    dkp_png_status status = DKP_PNG_OUT_OF_MEMORY;
    writer.row = calloc(layout->width ? layout->width : 1, (size_t)channels * (size_t)(layout->bit_depth / 8));
    writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer, on_error, on_warning);
    if (writer.png) writer.info = png_create_info_struct(writer.png);
    if (writer.row && writer.info)
        status = write_all(&writer, layout, colour, alpha, chunks, chunk_count);
    else
        snprintf(output->message, sizeof output->message, "out of memory");
    png_destroy_write_struct(&writer.png, &writer.info);
    free(writer.row);
    return status;
}

dkp_png_status dkp_png_compress(const uint8_t *bytes, size_t count, dkp_png_output *output) {
    memset(output, 0, sizeof *output);
    uLongf length = compressBound(count);
    output->bytes = malloc(length);
    if (!output->bytes || compress2(output->bytes, &length, bytes, count, Z_BEST_COMPRESSION) != Z_OK)
        return DKP_PNG_OUT_OF_MEMORY;
    output->count = length;
    return DKP_PNG_OK;
}

void dkp_png_output_free(dkp_png_output *output) {
    free(output->bytes);
    output->bytes = NULL;
    output->count = 0;
}
