#pragma once
#include <stddef.h>
#include <stdint.h>

/// PNG through libpng, from and to memory. libpng reports errors with longjmp: every jump starts and lands inside this
/// file's functions, which call nothing but C, so no other language's frame is ever jumped over.

/// What came of a call.
typedef enum __attribute__((enum_extensibility(closed))) dkp_png_status {
    DKP_PNG_OK = 0,
    /// The bytes end before the image does.
    DKP_PNG_TRUNCATED,
    /// libpng refuses the bytes; the message says why.
    DKP_PNG_CORRUPT,
    /// An allocation failed.
    DKP_PNG_OUT_OF_MEMORY,
} dkp_png_status;

/// The form that pixels have outside: `channels` is 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA), `bit_depth` 8 or 16.
typedef struct dkp_png_layout {
    uint32_t width;
    uint32_t height;
    int channels;
    int bit_depth;
} dkp_png_layout;

/// One ancillary chunk, content only. `name` has four letters and a terminating zero.
typedef struct dkp_png_chunk {
    char name[5];
    const uint8_t *_Nullable bytes;
    size_t count;
} dkp_png_chunk;

/// Bounds that libpng itself holds to, beyond which it gives an error (sides) or leaves the chunk out (chunks).
typedef struct dkp_png_limits {
    uint32_t width;
    uint32_t height;
    uint32_t chunk_count;
    size_t chunk_bytes;
} dkp_png_limits;

typedef struct dkp_png_reader dkp_png_reader;

/// A reader of `bytes`, which must stay where they are until the reader is destroyed. NULL without memory.
dkp_png_reader *_Nullable dkp_png_reader_create(
    const uint8_t *_Nonnull bytes, size_t count, const dkp_png_limits *_Nonnull limits);

/// Frees a reader and all it holds. NULL is allowed.
void dkp_png_reader_destroy(dkp_png_reader *_Nullable reader);

/// Reads all that stands before the pixels, and tells the form in which `dkp_png_reader_read_pixels` will give them:
/// palettes become RGB, 1, 2 and 4 bits become 8, transparency becomes alpha, nothing else changes.
dkp_png_status dkp_png_reader_read_layout(dkp_png_reader *_Nonnull reader, dkp_png_layout *_Nonnull layout);

/// Reads the pixels as numbers in [0, 1], one plane after the other: 1 or 3 colour planes of height x width, and, where
/// the layout has an even number of channels, one alpha plane. Then reads on to the end of the file to verify it.
dkp_png_status dkp_png_reader_read_pixels(
    dkp_png_reader *_Nonnull reader, float *_Nonnull colour, float *_Nullable alpha);

/// The ancillary chunks to carry over (cICP, gAMA, cHRM, sRGB, iCCP, pHYs) or to heed (eXIf), in file order: how many,
/// and the one at `index`. Those after the pixels are known once these are read. Their bytes belong to the reader.
int dkp_png_reader_chunk_count(const dkp_png_reader *_Nonnull reader);
dkp_png_chunk dkp_png_reader_chunk(const dkp_png_reader *_Nonnull reader, int index);

/// What libpng warned of: how many warnings are kept, and the one at `index`.
int dkp_png_reader_warning_count(const dkp_png_reader *_Nonnull reader);
const char *_Nonnull dkp_png_reader_warning(const dkp_png_reader *_Nonnull reader, int index);

/// libpng's own words on the last error, or an empty string.
const char *_Nonnull dkp_png_reader_message(const dkp_png_reader *_Nonnull reader);

/// A finished PNG file in memory, or the reason why there is none.
typedef struct dkp_png_output {
    uint8_t *_Nullable bytes;
    size_t count;
    char message[256];
} dkp_png_output;

/// Encodes planes of numbers in [0, 1] (others are clamped, NaN becomes 0), rounded to the nearest of the layout's
/// 2^bit_depth levels. The chunks are written as they are, before the pixels. The output is to be freed in any case.
dkp_png_status dkp_png_encode(
    const dkp_png_layout *_Nonnull layout, const float *_Nonnull colour, const float *_Nullable alpha,
    const dkp_png_chunk *_Nullable chunks, size_t chunk_count, dkp_png_output *_Nonnull output);

/// Compresses bytes as a chunk's content is (zlib). The output is to be freed in any case.
dkp_png_status dkp_png_compress(const uint8_t *_Nonnull bytes, size_t count, dkp_png_output *_Nonnull output);

/// Frees what `dkp_png_encode` or `dkp_png_compress` allocated.
void dkp_png_output_free(dkp_png_output *_Nonnull output);
