#ifndef DKP_TIFF_READER_H
#define DKP_TIFF_READER_H

#include "CTIFF.h"

#include <tiffio.h>

enum { kept_warnings = 8, message_size = 256, maximum_samples = 8 };

struct dkp_tiff_reader {
    TIFF *tiff;
    const uint8_t *bytes;
    size_t count;
    size_t position;
    size_t memory;
    dkp_tiff_layout layout;
    uint16_t samples;
    int alpha_sample;
    int is_premultiplied;
    int is_inverted;
    int is_separate;
    int warning_count;
    char warnings[kept_warnings][message_size];
    char message[message_size];
    const char *remedy;
};

/// What makes an image of a camera raw file.
#define DKP_TIFF_DEVELOP "develop it first (darktable-cli IN OUT.tif)"

/// Notes why the image is not read, and what makes it readable; a constant, which is not copied.
dkp_tiff_status dkp_tiff_refuse(dkp_tiff_reader *reader, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/// Refuses a preview where the image itself is elsewhere in the file: the usual form of a camera's raw files.
dkp_tiff_status dkp_tiff_check_whole(dkp_tiff_reader *reader);

#endif
