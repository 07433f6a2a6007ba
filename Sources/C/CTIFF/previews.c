// Which images of a file are whole ones, and which are smaller versions of them.

#include "reader.h"

#include <string.h>

enum { maximum_pages = 64 };

static const char whole_image[] = "give the whole image in a file of its own";

/// Whether the present page is marked as a smaller version of another image.
static int is_reduced(TIFF *tiff) {
    uint32_t kind = 0;
    uint16_t old_kind = 0;
    if (TIFFGetField(tiff, TIFFTAG_SUBFILETYPE, &kind)) return (kind & FILETYPE_REDUCEDIMAGE) != 0;
    return TIFFGetField(tiff, TIFFTAG_OSUBFILETYPE, &old_kind) && old_kind == OFILETYPE_REDUCEDIMAGE;
}

/// Whether a later page is a whole image. Leaves the first page as the present one.
static int has_whole_page(dkp_tiff_reader *reader) {
    int found = 0;
    for (int page = 1; page < maximum_pages && !found && TIFFReadDirectory(reader->tiff); page++)
        found = !is_reduced(reader->tiff);
    TIFFSetDirectory(reader->tiff, 0);
    // What is wrong with pages that nobody asked for is no matter.
    reader->message[0] = 0;
    return found;
}

dkp_tiff_status dkp_tiff_check_whole(dkp_tiff_reader *reader) {
    TIFF *tiff = reader->tiff;
    const uint8_t *version = NULL;
    uint16_t count = 0;
    toff_t *places = NULL;
    char *maker = NULL;
    if (TIFFGetField(tiff, TIFFTAG_DNGVERSION, &version))
        return dkp_tiff_refuse(reader, DKP_TIFF_DEVELOP, "a camera raw file, DNG");
    if (reader->count > 10 && reader->bytes[8] == 'C' && reader->bytes[9] == 'R')
        return dkp_tiff_refuse(reader, DKP_TIFF_DEVELOP, "a camera raw file, CR2");
    if (!is_reduced(tiff)) return DKP_TIFF_OK;
    if (!TIFFGetField(tiff, TIFFTAG_MAKE, &maker)) maker = NULL;
    if (TIFFGetField(tiff, TIFFTAG_SUBIFD, &count, &places) && count > 0) {
        static const char *const makers[][2] = {{"NIKON", "NEF"}, {"SONY", "ARW"}, {"PENTAX", "PEF"},
                                                {"RICOH", "PEF"}, {"SAMSUNG", "SRW"}, {"Hasselblad", "3FR"}};
        for (size_t index = 0; maker && index < sizeof makers / sizeof *makers; index++)
            if (strncmp(maker, makers[index][0], strlen(makers[index][0])) == 0)
                return dkp_tiff_refuse(reader, DKP_TIFF_DEVELOP, "a camera raw file, %s", makers[index][1]);
        return dkp_tiff_refuse(
            reader, maker ? DKP_TIFF_DEVELOP : whole_image,
            "its first page is a reduced image, the whole one lies in a sub-directory");
    }
    if (has_whole_page(reader))
        return dkp_tiff_refuse(
            reader, whole_image, "its first page is a reduced image, the whole one is on a later page");
    return DKP_TIFF_OK;
}
