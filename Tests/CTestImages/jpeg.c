#include "CTestImages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <zlib.h>

int dkp_test_write_jpeg(const char *path, const dkp_test_jpeg *description, const uint8_t *samples) {
    FILE *file = fopen(path, "wb");
    if (!file) return -1;
    struct jpeg_compress_struct image;
    struct jpeg_error_mgr errors;
    image.err = jpeg_std_error(&errors);
    jpeg_create_compress(&image);
    jpeg_stdio_dest(&image, file);
    image.image_width = description->width;
    image.image_height = description->height;
    image.input_components = description->channels;
    image.in_color_space = description->channels == 1 ? JCS_GRAYSCALE : description->channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&image);
    jpeg_set_quality(&image, description->quality, TRUE);
    if (description->is_progressive) jpeg_simple_progression(&image);
    if (description->dots_per_inch) {
        image.density_unit = 1;
        image.X_density = image.Y_density = description->dots_per_inch;
    }
    jpeg_start_compress(&image, TRUE);
    if (description->exif)
        jpeg_write_marker(&image, JPEG_APP0 + 1, description->exif, (unsigned)description->exif_count);
    if (description->profile)
        jpeg_write_icc_profile(&image, description->profile, (unsigned)description->profile_count);
    const size_t row_bytes = (size_t)description->width * (size_t)description->channels;
    while (image.next_scanline < image.image_height) {
        JSAMPROW row = (JSAMPROW)(samples + image.next_scanline * row_bytes);
        jpeg_write_scanlines(&image, &row, 1);
    }
    jpeg_finish_compress(&image);
    jpeg_destroy_compress(&image);
    return fclose(file) == 0 ? 0 : -1;
}

long dkp_test_inflate(const uint8_t *bytes, size_t count, uint8_t *target, size_t capacity) {
    uLongf length = capacity;
    return uncompress(target, &length, bytes, count) == Z_OK ? (long)length : -1;
}
