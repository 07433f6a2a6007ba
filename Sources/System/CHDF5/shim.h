#pragma once
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

// What Swift cannot import from HDF5: identifiers that are macros around run-time variables, functions that later
// versions turned into macros, and the walk over the error stack.

static inline hid_t dkp_h5_type_f32le(void) { return H5T_IEEE_F32LE; }
static inline hid_t dkp_h5_type_f64le(void) { return H5T_IEEE_F64LE; }
static inline hid_t dkp_h5_type_u8le(void) { return H5T_STD_U8LE; }
static inline hid_t dkp_h5_type_u16le(void) { return H5T_STD_U16LE; }
static inline hid_t dkp_h5_type_i64le(void) { return H5T_STD_I64LE; }
static inline hid_t dkp_h5_type_u64le(void) { return H5T_STD_U64LE; }
static inline hid_t dkp_h5_type_c_string(void) { return H5T_C_S1; }
static inline size_t dkp_h5_variable_length(void) { return H5T_VARIABLE; }
static inline hid_t dkp_h5_class_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t dkp_h5_class_file_create(void) { return H5P_FILE_CREATE; }
static inline hid_t dkp_h5_class_group_create(void) { return H5P_GROUP_CREATE; }
static inline hid_t dkp_h5_class_dataset_create(void) { return H5P_DATASET_CREATE; }
static inline hid_t dkp_h5_default(void) { return H5P_DEFAULT; }
static inline hid_t dkp_h5_all(void) { return H5S_ALL; }
static inline unsigned dkp_h5_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned dkp_h5_truncate(void) { return H5F_ACC_TRUNC; }

// IEEE-754 binary16, little-endian, which HDF5 1.10 has no name for. The caller closes it.
static inline hid_t dkp_h5_copy_type_f16le(void) {
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    if (type < 0) return type;
    if (H5Tset_fields(type, 15, 10, 5, 0, 10) < 0 || H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, 15) < 0) {
        H5Tclose(type);
        return -1;
    }
    return type;
}

// HDF5 prints its error stack to stderr unless told otherwise; filters must not be loaded from files named by data.
static inline int dkp_h5_prepare(void) {
    if (H5dont_atexit() < 0 || H5open() < 0) return -1;
    return H5PLset_loading_state(0) < 0 ? -1 : 0;
}
static inline int dkp_h5_silence(void) { return H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }

// 0 hard, 1 soft, 2 anything that may lead to another file, -1 no such link.
static inline int dkp_h5_link_kind(hid_t location, const char *_Nonnull name) {
    H5L_info_t info;
    if (H5Lexists(location, name, H5P_DEFAULT) <= 0 || H5Lget_info(location, name, &info, H5P_DEFAULT) < 0) return -1;
    return info.type == H5L_TYPE_HARD ? 0 : info.type == H5L_TYPE_SOFT ? 1 : 2;
}

// The number of attributes of an open object, or -1.
static inline long long dkp_h5_attribute_count(hid_t object) {
    H5O_info_t info;
#if H5_VERSION_GE(1, 12, 0)
    if (H5Oget_info(object, &info, H5O_INFO_NUM_ATTRS) < 0) return -1;
#else
    if (H5Oget_info(object, &info) < 0) return -1;
#endif
    return (long long)info.num_attrs;
}

struct dkp_h5_error_text {
    char *_Nonnull buffer;
    size_t size;
    size_t used;
};

static inline herr_t dkp_h5_append_error(unsigned depth, const H5E_error2_t *_Nonnull error, void *_Nonnull context) {
    struct dkp_h5_error_text *text = (struct dkp_h5_error_text *)context;
    if (text->used >= text->size) return 0;
    int added = snprintf(
        text->buffer + text->used, text->size - text->used, "%s%s", depth == 0 ? "" : " < ",
        error->desc ? error->desc : "unknown");
    if (added > 0) text->used += (size_t)added;
    return 0;
}

// The error stack as one line, innermost cause first; empties the stack.
static inline void dkp_h5_take_errors(char *_Nonnull buffer, size_t size) {
    struct dkp_h5_error_text text = {buffer, size, 0};
    if (size == 0) return;
    buffer[0] = 0;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, dkp_h5_append_error, &text);
    H5Eclear2(H5E_DEFAULT);
}
