#pragma once
#include <stddef.h>
#include <stdint.h>

/// TIFF through libtiff, from memory.

/// What came of a call.
typedef enum __attribute__((enum_extensibility(closed))) dkp_tiff_status {
    DKP_TIFF_OK = 0,
    /// The bytes end before the image does.
    DKP_TIFF_TRUNCATED,
    /// libtiff refuses the bytes; the message says why.
    DKP_TIFF_CORRUPT,
    /// A valid image of a kind that is not read here: floating point, palettes, CMYK, camera raw, a preview; the message
    /// says which.
    DKP_TIFF_UNSUPPORTED,
    /// A strip or tile that is larger than any within the limits needs to be.
    DKP_TIFF_TOO_LARGE,
    /// An allocation failed.
    DKP_TIFF_OUT_OF_MEMORY,
} dkp_tiff_status;

/// What is known before the pixels are read. `channels` is 1 (gray) or 3 (RGB), `bit_depth` 8 (or less, gray
/// alone) or 16, `orientation` 1 to 8 as in EXIF; densities are in dots per unit, which is 1 (only their ratio has a meaning), 2 (inch) or 3
/// (centimetre), 0 where there are none.
typedef struct dkp_tiff_layout {
    uint32_t width;
    uint32_t height;
    int channels;
    int has_alpha;
    int bit_depth;
    int orientation;
    int has_more_pages;
    int density_unit;
    float horizontal_density;
    float vertical_density;
} dkp_tiff_layout;

typedef struct dkp_tiff_reader dkp_tiff_reader;

/// A reader of `bytes`, which must stay where they are until the reader is destroyed; for no single purpose will it take
/// more than about `memory` bytes. NULL without memory.
dkp_tiff_reader *_Nullable dkp_tiff_reader_create(const uint8_t *_Nonnull bytes, size_t count, size_t memory);

/// Frees a reader and all it holds. NULL is allowed.
void dkp_tiff_reader_destroy(dkp_tiff_reader *_Nullable reader);

/// Reads the description of the first page.
dkp_tiff_status dkp_tiff_reader_read_layout(dkp_tiff_reader *_Nonnull reader, dkp_tiff_layout *_Nonnull layout);

/// Reads the pixels as numbers in [0, 1], one plane of height x width after the other, and the alpha plane if there is
/// one; colours come straight, not multiplied by alpha.
dkp_tiff_status dkp_tiff_reader_read_pixels(
    dkp_tiff_reader *_Nonnull reader, float *_Nonnull colour, float *_Nullable alpha);

/// The embedded colour profile, NULL if there is none. It belongs to the reader.
const uint8_t *_Nullable dkp_tiff_reader_profile(const dkp_tiff_reader *_Nonnull reader, size_t *_Nonnull count);

/// What libtiff, or this reader, warned of: how many warnings are kept, and the one at `index`.
int dkp_tiff_reader_warning_count(const dkp_tiff_reader *_Nonnull reader);
const char *_Nonnull dkp_tiff_reader_warning(const dkp_tiff_reader *_Nonnull reader, int index);

/// What would make a file of an unsupported kind one that is read, or an empty string where the kind alone tells.
const char *_Nonnull dkp_tiff_reader_remedy(const dkp_tiff_reader *_Nonnull reader);

/// What was wrong in the last call that failed, or an empty string.
const char *_Nonnull dkp_tiff_reader_message(const dkp_tiff_reader *_Nonnull reader);
