#include "CTestImages.h"

#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

static void set_tags(TIFF *tiff, const dkp_test_tiff *description, int page) {
    if (page == 0) {
        if (description->subfile_type) TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, description->subfile_type);
        if (description->sub_directories) {
            static const toff_t places[8];
            TIFFSetField(tiff, TIFFTAG_SUBIFD, (int)description->sub_directories, places);
        }
        if (description->is_dng) TIFFSetField(tiff, TIFFTAG_DNGVERSION, "\1\4\0\0");
        if (description->maker) TIFFSetField(tiff, TIFFTAG_MAKE, description->maker);
    }
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, description->width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, description->height);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, description->samples);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, description->bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, description->sample_format);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, description->photometric);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, description->planar);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, description->compression);
    if (description->compression == COMPRESSION_JPEG) {
        TIFFSetField(tiff, TIFFTAG_JPEGQUALITY, 100);
        TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    if (description->predictor) TIFFSetField(tiff, TIFFTAG_PREDICTOR, description->predictor);
    if (description->orientation) TIFFSetField(tiff, TIFFTAG_ORIENTATION, description->orientation);
    if (description->extra_sample) {
        const uint16_t kind = description->extra_sample;
        TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &kind);
    }
    if (description->dots_per_inch > 0) {
        TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
        TIFFSetField(tiff, TIFFTAG_XRESOLUTION, description->dots_per_inch);
        TIFFSetField(tiff, TIFFTAG_YRESOLUTION, description->dots_per_inch);
    }
    if (description->profile)
        TIFFSetField(tiff, TIFFTAG_ICCPROFILE, (uint32_t)description->profile_count, description->profile);
    if (description->photometric == PHOTOMETRIC_PALETTE) {
        static uint16_t ramp[256];
        for (int index = 0; index < 256; index++) ramp[index] = (uint16_t)(index * 257);
        TIFFSetField(tiff, TIFFTAG_COLORMAP, ramp, ramp, ramp);
    }
    if (description->tile) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, description->tile);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, description->tile);
    } else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, description->rows_per_strip);
    }
}

/// Copies the part of an image that a strip or tile holds; what lies outside of the image stays zero.
static void cut(
    const dkp_test_tiff *description, const uint8_t *samples, uint8_t *block, size_t left, size_t top, size_t width,
    size_t height, size_t first, size_t count) {
    const size_t bytes = description->bits / 8;
    for (size_t y = 0; y < height && top + y < description->height; y++)
        for (size_t x = 0; x < width && left + x < description->width; x++)
            memcpy(
                block + (y * width + x) * count * bytes,
                samples + (((top + y) * description->width + left + x) * description->samples + first) * bytes,
                count * bytes);
}

/// Packs the part of a gray image of few bits that a strip or tile holds.
static void cut_bits(
    const dkp_test_tiff *description, const uint8_t *samples, uint8_t *block, size_t left, size_t top, size_t width,
    size_t height) {
    const size_t bits = description->bits, row_bytes = (width * bits + 7) / 8;
    for (size_t y = 0; y < height && top + y < description->height; y++)
        for (size_t x = 0; x < width && left + x < description->width; x++)
            block[y * row_bytes + x * bits / 8] |=
                (uint8_t)(samples[(top + y) * description->width + left + x] << (8 - bits - x * bits % 8));
}

static int write_page(TIFF *tiff, const dkp_test_tiff *description, const uint8_t *samples, int page) {
    set_tags(tiff, description, page);
    const int is_separate = description->planar == PLANARCONFIG_SEPARATE;
    const size_t passes = is_separate ? description->samples : 1, count = is_separate ? 1 : description->samples;
    const size_t width = description->tile ? description->tile : description->width;
    const size_t rows = description->tile ? description->tile : description->rows_per_strip;
    const size_t pixel = count * (description->bits < 8 ? 1 : description->bits / 8);
    for (size_t pass = 0; pass < passes; pass++)
        for (size_t top = 0; top < description->height; top += rows)
            for (size_t left = 0; left < description->width; left += width) {
                size_t height = rows;
                if (!description->tile && top + height > description->height) height = description->height - top;
                uint8_t *block = calloc(width * height, pixel);
                if (!block) return -1;
                if (description->bits >= 8)
                    cut(description, samples, block, left, top, width, height, pass, count);
                else
                    cut_bits(description, samples, block, left, top, width, height);
                tmsize_t size = (tmsize_t)(width * height * pixel);
                if (description->bits < 8) size = (tmsize_t)((width * description->bits + 7) / 8 * height);
                tmsize_t written;
                if (description->tile)
                    written = TIFFWriteEncodedTile(
                        tiff, TIFFComputeTile(tiff, (uint32_t)left, (uint32_t)top, 0, (uint16_t)pass), block, size);
                else
                    written = TIFFWriteEncodedStrip(
                        tiff, TIFFComputeStrip(tiff, (uint32_t)top, (uint16_t)pass), block, size);
                free(block);
                if (written < 0) return -1;
            }
    return TIFFWriteDirectory(tiff) ? 0 : -1;
}

int dkp_test_write_tiff(
    const char *path, const char *mode, const dkp_test_tiff *description, const void *samples) {
    TIFF *tiff = TIFFOpen(path, mode);
    if (!tiff) return -1;
    int status = 0;
    for (int page = 0; page < description->pages && status == 0; page++)
        status = write_page(tiff, description, samples, page);
    TIFFClose(tiff);
    return status;
}
