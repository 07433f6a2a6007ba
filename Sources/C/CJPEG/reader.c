#include "CJPEG.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

enum {
    kept_warnings = 8,
    /// A progressive file may go over the image again and again; sound ones need a few dozen scans at most.
    maximum_scans = 500,
};

/// All state lives here, not in locals, which a longjmp would leave indeterminate. libjpeg's own structs come first in
/// ours, so that its callbacks find the reader from them.
struct dkp_jpeg_reader {
    struct jpeg_decompress_struct image;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    JSAMPLE *row;
    JOCTET *profile;
    unsigned profile_count;
    dkp_jpeg_status status;
    int warning_count;
    char warnings[kept_warnings][JMSG_LENGTH_MAX];
    char message[JMSG_LENGTH_MAX];
};

static dkp_jpeg_reader *reader_of(j_common_ptr image) { return image->client_data; }

static _Noreturn void fail(dkp_jpeg_reader *reader, dkp_jpeg_status status) {
    reader->status = status;
    longjmp(reader->jump, 1);
}

static void on_error(j_common_ptr image) {
    dkp_jpeg_reader *reader = reader_of(image);
    reader->errors.format_message(image, reader->message);
    switch (reader->errors.msg_code) {
    case JERR_OUT_OF_MEMORY: fail(reader, DKP_JPEG_OUT_OF_MEMORY);
    case JERR_BAD_PRECISION:
    case JERR_ARITH_NOTIMPL:
    case JERR_SOF_UNSUPPORTED:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_NOTIMPL: fail(reader, DKP_JPEG_UNSUPPORTED);
    default: fail(reader, DKP_JPEG_CORRUPT);
    }
}

/// libjpeg goes on after damage and makes the rest up: here damage is an error, and other oddities are warnings.
static void on_message(j_common_ptr image, int level) {
    if (level >= 0) return;
    dkp_jpeg_reader *reader = reader_of(image);
    reader->errors.num_warnings++;
    switch (reader->errors.msg_code) {
    case JWRN_ARITH_BAD_CODE:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
        reader->errors.format_message(image, reader->message);
        fail(reader, DKP_JPEG_CORRUPT);
    default: break;
    }
    if (reader->warning_count < kept_warnings)
        reader->errors.format_message(image, reader->warnings[reader->warning_count++]);
}

static void on_progress(j_common_ptr image) {
    dkp_jpeg_reader *reader = reader_of(image);
    if (reader->image.input_scan_number <= maximum_scans) return;
    snprintf(reader->message, sizeof reader->message, "more than %d scans over the image", maximum_scans);
    fail(reader, DKP_JPEG_CORRUPT);
}

static void start_source(j_decompress_ptr image) { (void)image; }

static boolean fill_source(j_decompress_ptr image) {
    dkp_jpeg_reader *reader = image->client_data;
    snprintf(reader->message, sizeof reader->message, "the file ends before the image does");
    fail(reader, DKP_JPEG_TRUNCATED);
}

static void skip_source(j_decompress_ptr image, long count) {
    if (count <= 0) return;
    if ((size_t)count > image->src->bytes_in_buffer) fill_source(image);
    image->src->next_input_byte += count;
    image->src->bytes_in_buffer -= (size_t)count;
}

static void end_source(j_decompress_ptr image) { (void)image; }

dkp_jpeg_reader *dkp_jpeg_reader_create(const uint8_t *bytes, size_t count) {
    dkp_jpeg_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return NULL;
    reader->image.err = jpeg_std_error(&reader->errors);
    reader->errors.error_exit = on_error;
    reader->errors.emit_message = on_message;
    reader->image.client_data = reader;
    if (setjmp(reader->jump)) {
        dkp_jpeg_reader_destroy(reader);
        return NULL;
    }
    jpeg_create_decompress(&reader->image);
    reader->source = (struct jpeg_source_mgr){
        .next_input_byte = bytes,
        .bytes_in_buffer = count,
        .init_source = start_source,
        .fill_input_buffer = fill_source,
        .skip_input_data = skip_source,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = end_source,
    };
    reader->image.src = &reader->source;
    reader->progress.progress_monitor = on_progress;
    reader->image.progress = &reader->progress;
    // EXIF, and the pieces of a colour profile.
    jpeg_save_markers(&reader->image, JPEG_APP0 + 1, 0xFFFF);
    jpeg_save_markers(&reader->image, JPEG_APP0 + 2, 0xFFFF);
    return reader;
}

void dkp_jpeg_reader_destroy(dkp_jpeg_reader *reader) {
    if (!reader) return;
    jpeg_destroy_decompress(&reader->image);
    free(reader->row);
    free(reader->profile);
    free(reader);
}

dkp_jpeg_status dkp_jpeg_reader_read_layout(dkp_jpeg_reader *reader, dkp_jpeg_layout *layout) {
    if (setjmp(reader->jump)) return reader->status;
    struct jpeg_decompress_struct *image = &reader->image;
    jpeg_read_header(image, TRUE);
    switch (image->jpeg_color_space) {
    case JCS_GRAYSCALE: image->out_color_space = JCS_GRAYSCALE; break;
    case JCS_YCbCr:
    case JCS_RGB: image->out_color_space = JCS_RGB; break;
    case JCS_CMYK:
    case JCS_YCCK:
        snprintf(reader->message, sizeof reader->message, "its colours are CMYK");
        return DKP_JPEG_UNSUPPORTED;
    default:
        snprintf(reader->message, sizeof reader->message, "it has %d components", image->num_components);
        return DKP_JPEG_UNSUPPORTED;
    }
    *layout = (dkp_jpeg_layout){
        .width = image->image_width,
        .height = image->image_height,
        .channels = image->out_color_space == JCS_GRAYSCALE ? 1 : 3,
        .density_unit = image->saw_JFIF_marker ? image->density_unit : 0,
        .horizontal_density = image->saw_JFIF_marker ? image->X_density : 0,
        .vertical_density = image->saw_JFIF_marker ? image->Y_density : 0,
    };
    return DKP_JPEG_OK;
}

dkp_jpeg_status dkp_jpeg_reader_read_pixels(dkp_jpeg_reader *reader, float *colour) {
    if (setjmp(reader->jump)) return reader->status;
    struct jpeg_decompress_struct *image = &reader->image;
    jpeg_start_decompress(image);
    const size_t width = image->output_width, height = image->output_height;
    const size_t channels = (size_t)image->output_components;
    reader->row = calloc(width, channels);
    if (!reader->row) return DKP_JPEG_OUT_OF_MEMORY;
    while (image->output_scanline < height) {
        const size_t y = image->output_scanline;
        jpeg_read_scanlines(image, &reader->row, 1);
        for (size_t channel = 0; channel < channels; channel++) {
            float *target = colour + (channel * height + y) * width;
            const JSAMPLE *source = reader->row + channel;
            for (size_t x = 0; x < width; x++, source += channels) target[x] = (float)*source / 255.0f;
        }
    }
    jpeg_finish_decompress(image);
    return DKP_JPEG_OK;
}

const uint8_t *dkp_jpeg_reader_profile(dkp_jpeg_reader *reader, size_t *count) {
    *count = 0;
    if (setjmp(reader->jump)) return NULL;
    if (!reader->profile) jpeg_read_icc_profile(&reader->image, &reader->profile, &reader->profile_count);
    if (reader->profile) *count = reader->profile_count;
    return reader->profile;
}

const uint8_t *dkp_jpeg_reader_exif(const dkp_jpeg_reader *reader, size_t *count) {
    static const char name[6] = "Exif\0";
    *count = 0;
    for (jpeg_saved_marker_ptr marker = reader->image.marker_list; marker; marker = marker->next) {
        if (marker->marker != JPEG_APP0 + 1 || marker->data_length < sizeof name) continue;
        if (memcmp(marker->data, name, sizeof name) != 0) continue;
        *count = marker->data_length - sizeof name;
        return marker->data + sizeof name;
    }
    return NULL;
}

int dkp_jpeg_reader_warning_count(const dkp_jpeg_reader *reader) { return reader->warning_count; }

const char *dkp_jpeg_reader_warning(const dkp_jpeg_reader *reader, int index) {
    return index >= 0 && index < reader->warning_count ? reader->warnings[index] : "";
}

const char *dkp_jpeg_reader_message(const dkp_jpeg_reader *reader) { return reader->message; }
