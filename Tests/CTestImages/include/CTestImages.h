#pragma once
#include <stddef.h>
#include <stdint.h>

/// Image files for tests, made by the libraries that also read them. Every function returns 0, or -1 on failure.

/// A JPEG file of interleaved samples: `channels` is 1 (gray), 3 (RGB) or 4 (CMYK).
typedef struct dkp_test_jpeg {
    uint32_t width;
    uint32_t height;
    int channels;
    int quality;
    int is_progressive;
    uint16_t dots_per_inch;
    const uint8_t *_Nullable exif;
    size_t exif_count;
    const uint8_t *_Nullable profile;
    size_t profile_count;
} dkp_test_jpeg;

int dkp_test_write_jpeg(
    const char *_Nonnull path, const dkp_test_jpeg *_Nonnull description, const uint8_t *_Nonnull samples);

/// A TIFF file. Numbers are those of the format; 0 leaves a tag out (`tile` 0: strips of `rows_per_strip` rows).
typedef struct dkp_test_tiff {
    uint32_t width;
    uint32_t height;
    uint16_t samples;
    uint16_t bits;
    uint16_t sample_format;
    uint16_t photometric;
    uint16_t planar;
    uint16_t compression;
    uint16_t predictor;
    uint16_t orientation;
    uint16_t extra_sample;
    uint32_t tile;
    uint32_t rows_per_strip;
    uint16_t pages;
    /// What the first page is marked as, 1 for a reduced image.
    uint32_t subfile_type;
    /// How many of the pages behind the first are its sub-directories.
    uint16_t sub_directories;
    /// Whether there is the version that makes a file a DNG.
    int is_dng;
    /// The camera's maker, or null.
    const char *_Nullable maker;
    float dots_per_inch;
    const uint8_t *_Nullable profile;
    size_t profile_count;
} dkp_test_tiff;

/// Writes interleaved samples, in the machine's byte order; those of fewer than 8 bits (gray alone) one in a byte. `mode` is TIFFOpen's: "wl", "wb", "w8".
int dkp_test_write_tiff(
    const char *_Nonnull path, const char *_Nonnull mode, const dkp_test_tiff *_Nonnull description,
    const void *_Nonnull samples);

/// Decompresses what a PNG chunk holds; returns the length, or -1.
long dkp_test_inflate(const uint8_t *_Nonnull bytes, size_t count, uint8_t *_Nonnull target, size_t capacity);
