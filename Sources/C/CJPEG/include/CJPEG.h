#pragma once
#include <stddef.h>
#include <stdint.h>

/// JPEG through libjpeg-turbo, from memory. The library reports errors by not returning: every jump starts and lands
/// inside this target's functions, which call nothing but C, so no other language's frame is ever jumped over.

/// What came of a call.
typedef enum __attribute__((enum_extensibility(closed))) dkp_jpeg_status {
    DKP_JPEG_OK = 0,
    /// The bytes end before the image does.
    DKP_JPEG_TRUNCATED,
    /// libjpeg refuses the bytes, or finds damage in them; the message says what.
    DKP_JPEG_CORRUPT,
    /// A valid image of a kind that is not read here: CMYK, 12 bits, lossless.
    DKP_JPEG_UNSUPPORTED,
    /// An allocation failed.
    DKP_JPEG_OUT_OF_MEMORY,
} dkp_jpeg_status;

/// What stands before the pixels. `channels` is 1 (gray) or 3 (RGB); densities are in dots per unit, which is 0 (only
/// their ratio has a meaning), 1 (inch) or 2 (centimetre).
typedef struct dkp_jpeg_layout {
    uint32_t width;
    uint32_t height;
    int channels;
    int density_unit;
    uint32_t horizontal_density;
    uint32_t vertical_density;
} dkp_jpeg_layout;

typedef struct dkp_jpeg_reader dkp_jpeg_reader;

/// A reader of `bytes`, which must stay where they are until the reader is destroyed. NULL without memory.
dkp_jpeg_reader *_Nullable dkp_jpeg_reader_create(const uint8_t *_Nonnull bytes, size_t count);

/// Frees a reader and all it holds. NULL is allowed.
void dkp_jpeg_reader_destroy(dkp_jpeg_reader *_Nullable reader);

/// Reads all that stands before the pixels; no memory is given to them yet.
dkp_jpeg_status dkp_jpeg_reader_read_layout(dkp_jpeg_reader *_Nonnull reader, dkp_jpeg_layout *_Nonnull layout);

/// Reads the pixels as numbers in [0, 1], one plane of height x width after the other, and on to the end of the image.
dkp_jpeg_status dkp_jpeg_reader_read_pixels(dkp_jpeg_reader *_Nonnull reader, float *_Nonnull colour);

/// The embedded colour profile, NULL if there is none. It belongs to the reader. To be asked before the pixels are read.
const uint8_t *_Nullable dkp_jpeg_reader_profile(dkp_jpeg_reader *_Nonnull reader, size_t *_Nonnull count);

/// The content of the first EXIF marker, from its TIFF header on; NULL if there is none. It belongs to the reader, until
/// the pixels are read.
const uint8_t *_Nullable dkp_jpeg_reader_exif(const dkp_jpeg_reader *_Nonnull reader, size_t *_Nonnull count);

/// What libjpeg warned of: how many warnings are kept, and the one at `index`.
int dkp_jpeg_reader_warning_count(const dkp_jpeg_reader *_Nonnull reader);
const char *_Nonnull dkp_jpeg_reader_warning(const dkp_jpeg_reader *_Nonnull reader, int index);

/// The library's own words on the last error, or an empty string.
const char *_Nonnull dkp_jpeg_reader_message(const dkp_jpeg_reader *_Nonnull reader);
