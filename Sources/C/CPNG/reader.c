#include "CPNG.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kept_warnings = 8, message_size = 256 };

/// All state lives here, not in locals, which a longjmp would leave indeterminate.
struct dkp_png_reader {
    png_structp png;
    png_infop info;
    const uint8_t *bytes;
    size_t count;
    size_t position;
    uint8_t *rows;
    dkp_png_layout layout;
    int passes;
    dkp_png_status status;
    int warning_count;
    char warnings[kept_warnings][message_size];
    char message[message_size];
};

static void on_error(png_structp png, png_const_charp text) {
    dkp_png_reader *reader = png_get_error_ptr(png);
    if (reader->status == DKP_PNG_OK) reader->status = DKP_PNG_CORRUPT;
    snprintf(reader->message, sizeof reader->message, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
    dkp_png_reader *reader = png_get_error_ptr(png);
    if (reader->warning_count < kept_warnings)
        snprintf(reader->warnings[reader->warning_count++], message_size, "%s", text);
}

static void read_bytes(png_structp png, png_bytep destination, png_size_t count) {
    dkp_png_reader *reader = png_get_io_ptr(png);
    if (count > reader->count - reader->position) {
        reader->status = DKP_PNG_TRUNCATED;
        png_error(png, "the file ends before the image does");
    }
    memcpy(destination, reader->bytes + reader->position, count);
    reader->position += count;
}

dkp_png_reader *dkp_png_reader_create(const uint8_t *bytes, size_t count, const dkp_png_limits *limits) {
    dkp_png_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return NULL;
    reader->bytes = bytes;
    reader->count = count;
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, on_error, on_warning);
    if (reader->png) reader->info = png_create_info_struct(reader->png);
    if (!reader->png || !reader->info || setjmp(png_jmpbuf(reader->png))) {
        dkp_png_reader_destroy(reader);
        return NULL;
    }
    png_set_read_fn(reader->png, reader, read_bytes);
    png_set_user_limits(reader->png, limits->width, limits->height);
    png_set_chunk_cache_max(reader->png, limits->chunk_count);
    png_set_chunk_malloc_max(reader->png, limits->chunk_bytes);
    // Everything ancillary is skipped unread (text can be a decompression bomb), but for what is carried over, raw.
    static const png_byte carried[] = "cICP\0gAMA\0cHRM\0sRGB\0iCCP\0pHYs\0eXIf";
    png_set_keep_unknown_chunks(reader->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_keep_unknown_chunks(reader->png, PNG_HANDLE_CHUNK_ALWAYS, carried, 7);
    return reader;
}

void dkp_png_reader_destroy(dkp_png_reader *reader) {
    if (!reader) return;
    png_destroy_read_struct(&reader->png, &reader->info, NULL);
    free(reader->rows);
    free(reader);
}

dkp_png_status dkp_png_reader_read_layout(dkp_png_reader *reader, dkp_png_layout *layout) {
    if (setjmp(png_jmpbuf(reader->png))) return reader->status;
    png_read_info(reader->png, reader->info);
    png_set_expand(reader->png);
    reader->passes = png_set_interlace_handling(reader->png);
    png_read_update_info(reader->png, reader->info);
    reader->layout.width = png_get_image_width(reader->png, reader->info);
    reader->layout.height = png_get_image_height(reader->png, reader->info);
    reader->layout.channels = png_get_channels(reader->png, reader->info);
    reader->layout.bit_depth = png_get_bit_depth(reader->png, reader->info);
    *layout = reader->layout;
    return DKP_PNG_OK;
}

static void unpack(const uint8_t *row, const dkp_png_layout *layout, size_t y, float *colour, float *alpha) {
    const size_t width = layout->width, plane = width * layout->height, channels = (size_t)layout->channels;
    const size_t colours = channels <= 2 ? 1 : 3;
    for (size_t channel = 0; channel < channels; channel++) {
        float *target = (channel < colours ? colour + channel * plane : alpha) + y * width;
        if (layout->bit_depth == 16) {
            const uint8_t *source = row + 2 * channel;
            for (size_t x = 0; x < width; x++, source += 2 * channels)
                target[x] = (float)(source[0] << 8 | source[1]) / 65535.0f;
        } else {
            const uint8_t *source = row + channel;
            for (size_t x = 0; x < width; x++, source += channels) target[x] = (float)*source / 255.0f;
        }
    }
}

dkp_png_status dkp_png_reader_read_pixels(dkp_png_reader *reader, float *colour, float *alpha) {
    if (setjmp(png_jmpbuf(reader->png))) return reader->status;
    const size_t row_bytes = png_get_rowbytes(reader->png, reader->info);
    const size_t height = reader->layout.height;
    // An interlaced image comes in seven passes over all its rows; otherwise one row is enough.
    reader->rows = calloc(reader->passes > 1 ? height : 1, row_bytes);
    if (!reader->rows) return DKP_PNG_OUT_OF_MEMORY;
    if (reader->passes > 1) {
        for (int pass = 0; pass < reader->passes; pass++)
            for (size_t y = 0; y < height; y++) png_read_row(reader->png, reader->rows + y * row_bytes, NULL);
        for (size_t y = 0; y < height; y++)
            unpack(reader->rows + y * row_bytes, &reader->layout, y, colour, alpha);
    } else {
        for (size_t y = 0; y < height; y++) {
            png_read_row(reader->png, reader->rows, NULL);
            unpack(reader->rows, &reader->layout, y, colour, alpha);
        }
    }
    // A camera's description may follow the pixels.
    png_read_end(reader->png, reader->info);
    return DKP_PNG_OK;
}

int dkp_png_reader_chunk_count(const dkp_png_reader *reader) {
    png_unknown_chunkp chunks = NULL;
    return png_get_unknown_chunks(reader->png, reader->info, &chunks);
}

dkp_png_chunk dkp_png_reader_chunk(const dkp_png_reader *reader, int index) {
    dkp_png_chunk result = {{0}, NULL, 0};
    png_unknown_chunkp chunks = NULL;
    if (index < 0 || index >= png_get_unknown_chunks(reader->png, reader->info, &chunks)) return result;
    memcpy(result.name, chunks[index].name, 4);
    result.bytes = chunks[index].data;
    result.count = chunks[index].size;
    return result;
}

int dkp_png_reader_warning_count(const dkp_png_reader *reader) { return reader->warning_count; }

const char *dkp_png_reader_warning(const dkp_png_reader *reader, int index) {
    return index >= 0 && index < reader->warning_count ? reader->warnings[index] : "";
}

const char *dkp_png_reader_message(const dkp_png_reader *reader) { return reader->message; }
