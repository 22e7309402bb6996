/* How the axes of an activation in a BERT graph are made up: each axis is a product of atoms (batch,
 * sequence, features, heads, features of a head), and a reshape divides or joins them. So that "[batch,
 * tokens, 12, 32]", "[batch, 12, tokens, 32]" and "[batch * 12, 32, tokens]" are told apart whatever way a
 * graph computes the numbers. */
#ifndef RESCOLDO_FORMATS_ONNX_LAYOUT_H
#define RESCOLDO_FORMATS_ONNX_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#define LAYOUT_MAX_AXES  6u
#define LAYOUT_MAX_ATOMS 4u
#define INTEGERS_MAX     16u

enum atom_kind {
    ATOM_BATCH,
    ATOM_SEQUENCE,
    ATOM_FEATURES, /* of a whole row */
    ATOM_HEADS,
    ATOM_HEAD_FEATURES,
};

struct atom {
    enum atom_kind kind;
    uint32_t size; /* not of batch and sequence */
};

struct axis {
    uint32_t count; /* of atoms; 0: the axis has the size 1 */
    struct atom atoms[LAYOUT_MAX_ATOMS];
};

struct layout {
    uint32_t rank;
    struct axis axes[LAYOUT_MAX_AXES];
};

/* An integer of shape arithmetic: factor * batch^batch * sequence^sequence. */
struct dimension {
    bool known;
    uint8_t batch, sequence;
    int64_t factor;
};

/* A tensor of such integers. */
struct integers {
    uint32_t count;
    bool is_scalar; /* no axis */
    struct dimension items[INTEGERS_MAX];
};

static inline struct dimension dimension_of(int64_t value) {
    return (struct dimension){.known = true, .factor = value};
}
/* A plain number, no symbol in it. */
static inline bool dimension_is_number(struct dimension dimension) {
    return dimension.known && dimension.batch == 0 && dimension.sequence == 0;
}
static inline bool dimension_is(struct dimension dimension, int64_t value) {
    return dimension_is_number(dimension) && dimension.factor == value;
}
struct dimension dimension_multiply(struct dimension a, struct dimension b);
/* a / b where it is exact and symbols cancel, else unknown. */
struct dimension dimension_divide(struct dimension a, struct dimension b);

/* Axes from a string: 'B' batch, 'S' sequence, 'F' features (of that size). */
struct layout layout_of(const char *axes, uint32_t features);
struct dimension layout_dimension(const struct layout *layout, uint32_t axis);
/* Whether the axes are as the string says: B, S, F (features, whole or as heads and their features), n heads,
 * d head features, X batch and heads in one axis, T batch and sequence in one, 1 an axis of size 1. */
bool layout_is(const struct layout *layout, const char *axes);
/* The size of the features on that axis; 0 where it is not features alone. */
uint32_t layout_features(const struct layout *layout, uint32_t axis);

/* Each changes the layout; false where the change cannot be followed. */
bool layout_reshape(struct layout *layout, const struct integers *shape, bool zero_copies);
bool layout_permute(struct layout *layout, const int64_t *order, uint32_t count);
/* Broadcasts axes of size 1 to a shape. */
bool layout_expand(struct layout *layout, const struct integers *shape);
bool layout_insert(struct layout *layout, uint32_t axis);
bool layout_remove(struct layout *layout, uint32_t axis); /* of size 1 */

#endif
