#include "formats/onnx_layout.h"

#include <string.h>

#define MOST_ATOMS (LAYOUT_MAX_AXES * LAYOUT_MAX_ATOMS)

struct dimension dimension_multiply(struct dimension a, struct dimension b) {
    if (!a.known || !b.known || a.batch + b.batch > 3 || a.sequence + b.sequence > 3 ||
        a.factor > INT32_MAX || a.factor < -INT32_MAX || b.factor > INT32_MAX || b.factor < -INT32_MAX)
        return (struct dimension){0};
    return (struct dimension){true, (uint8_t)(a.batch + b.batch), (uint8_t)(a.sequence + b.sequence),
                              a.factor * b.factor};
}

struct dimension dimension_divide(struct dimension a, struct dimension b) {
    if (!a.known || !b.known || b.factor <= 0 || a.factor < 0 || a.factor % b.factor != 0 ||
        a.batch < b.batch || a.sequence < b.sequence)
        return (struct dimension){0};
    return (struct dimension){true, (uint8_t)(a.batch - b.batch), (uint8_t)(a.sequence - b.sequence),
                              a.factor / b.factor};
}

struct layout layout_of(const char *axes, uint32_t features) {
    struct layout layout = {0};
    for (; *axes != '\0' && layout.rank < LAYOUT_MAX_AXES; axes++) {
        struct axis *axis = &layout.axes[layout.rank++];
        axis->count = 1;
        axis->atoms[0] = *axes == 'B'   ? (struct atom){ATOM_BATCH, 0}
                         : *axes == 'S' ? (struct atom){ATOM_SEQUENCE, 0}
                                        : (struct atom){ATOM_FEATURES, features};
    }
    return layout;
}

static struct dimension atom_dimension(struct atom atom) {
    if (atom.kind == ATOM_BATCH)
        return (struct dimension){true, 1, 0, 1};
    if (atom.kind == ATOM_SEQUENCE)
        return (struct dimension){true, 0, 1, 1};
    return dimension_of(atom.size);
}

struct dimension layout_dimension(const struct layout *layout, uint32_t axis) {
    struct dimension dimension = dimension_of(1);
    for (uint32_t i = 0; i < layout->axes[axis].count; i++)
        dimension = dimension_multiply(dimension, atom_dimension(layout->axes[axis].atoms[i]));
    return dimension;
}

static bool axis_has(const struct axis *axis, enum atom_kind first, enum atom_kind second) {
    return axis->count == 2 && axis->atoms[0].kind == first && axis->atoms[1].kind == second;
}

static bool axis_is(const struct axis *axis, char kind) {
    static const char single[] = {'B', 'S', 'F', 'n', 'd'}; /* by enum atom_kind */
    if (kind == '1')
        return axis->count == 0;
    if (axis->count == 1)
        return single[axis->atoms[0].kind] == kind;
    return (kind == 'X' && axis_has(axis, ATOM_BATCH, ATOM_HEADS)) ||
           (kind == 'T' && axis_has(axis, ATOM_BATCH, ATOM_SEQUENCE)) ||
           (kind == 'F' && axis_has(axis, ATOM_HEADS, ATOM_HEAD_FEATURES));
}

bool layout_is(const struct layout *layout, const char *axes) {
    if (strlen(axes) != layout->rank)
        return false;
    for (uint32_t i = 0; i < layout->rank; i++) {
        if (!axis_is(&layout->axes[i], axes[i]))
            return false;
    }
    return true;
}

uint32_t layout_features(const struct layout *layout, uint32_t axis) {
    if (!axis_is(&layout->axes[axis], 'F'))
        return 0;
    return (uint32_t)layout_dimension(layout, axis).factor;
}

/* The atoms of all axes, taken from both ends. */
struct atoms {
    struct atom items[2 * MOST_ATOMS];
    uint32_t first, end;
};

static bool is_one(struct dimension dimension) {
    return dimension_is(dimension, 1);
}

/* Takes the atoms whose product is wanted off one end and makes an axis of them; features are divided where
 * only a part of them is wanted. */
static bool take_axis(struct atoms *atoms, struct dimension wanted, bool from_end, struct axis *axis) {
    *axis = (struct axis){0};
    while (!is_one(wanted)) {
        if (atoms->first == atoms->end || axis->count == LAYOUT_MAX_ATOMS)
            return false;
        struct atom atom = atoms->items[from_end ? atoms->end - 1 : atoms->first];
        struct dimension rest = dimension_divide(wanted, atom_dimension(atom));
        if (!rest.known && atom.kind == ATOM_FEATURES && dimension_is_number(wanted) && wanted.factor > 0 &&
            atom.size % wanted.factor == 0) {
            uint32_t taken = (uint32_t)wanted.factor, left = atom.size / taken;
            atoms->items[from_end ? atoms->end - 1 : atoms->first] =
                from_end ? (struct atom){ATOM_HEADS, left} : (struct atom){ATOM_HEAD_FEATURES, left};
            atom = from_end ? (struct atom){ATOM_HEAD_FEATURES, taken} : (struct atom){ATOM_HEADS, taken};
            rest = dimension_of(1);
        } else if (rest.known) {
            atoms->first += !from_end;
            atoms->end -= from_end;
        } else {
            return false;
        }
        if (from_end)
            memmove(axis->atoms + 1, axis->atoms, axis->count * sizeof axis->atoms[0]);
        axis->atoms[from_end ? 0 : axis->count] = atom;
        axis->count++;
        wanted = rest;
    }
    return true;
}

static bool copied_axis(const struct layout *layout, const struct integers *shape, uint32_t i,
                        bool zero_copies, struct dimension *wanted) {
    *wanted = shape->items[i];
    if (!zero_copies || !dimension_is(*wanted, 0))
        return true;
    if (i >= layout->rank)
        return false;
    *wanted = layout_dimension(layout, i);
    return true;
}

bool layout_reshape(struct layout *layout, const struct integers *shape, bool zero_copies) {
    struct atoms atoms = {0};
    for (uint32_t i = 0; i < layout->rank; i++) {
        for (uint32_t k = 0; k < layout->axes[i].count; k++)
            atoms.items[atoms.end++] = layout->axes[i].atoms[k];
    }
    struct layout result = {.rank = shape->count};
    if (shape->count > LAYOUT_MAX_AXES)
        return false;
    uint32_t i = 0, end = shape->count;
    struct dimension wanted;
    for (; i < end; i++) {
        if (!copied_axis(layout, shape, i, zero_copies, &wanted))
            return false;
        if (dimension_is(wanted, -1))
            break;
        if (!take_axis(&atoms, wanted, false, &result.axes[i]))
            return false;
    }
    for (; end > i + 1; end--) {
        if (!copied_axis(layout, shape, end - 1, zero_copies, &wanted) ||
            !take_axis(&atoms, wanted, true, &result.axes[end - 1]))
            return false;
    }
    if (i < shape->count) { /* -1: what is left */
        if (atoms.end - atoms.first > LAYOUT_MAX_ATOMS)
            return false;
        while (atoms.first < atoms.end)
            result.axes[i].atoms[result.axes[i].count++] = atoms.items[atoms.first++];
    }
    *layout = result;
    return atoms.first == atoms.end;
}

bool layout_permute(struct layout *layout, const int64_t *order, uint32_t count) {
    struct layout result = {.rank = layout->rank};
    uint32_t seen = 0;
    if (count != layout->rank)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (order[i] < 0 || order[i] >= layout->rank || (seen >> order[i] & 1) != 0)
            return false;
        seen |= 1u << order[i];
        result.axes[i] = layout->axes[order[i]];
    }
    *layout = result;
    return true;
}

/* An axis of that size where the size says what it is. */
static bool axis_of(struct dimension size, struct axis *axis) {
    struct atom atom = {ATOM_FEATURES, 0};
    if (dimension_is_number(size) && size.factor > 1 && size.factor <= UINT32_MAX)
        atom.size = (uint32_t)size.factor;
    else if (size.known && size.factor == 1 && size.batch + size.sequence == 1)
        atom.kind = size.batch == 1 ? ATOM_BATCH : ATOM_SEQUENCE;
    else
        return false;
    *axis = (struct axis){1, {atom}};
    return true;
}

static bool same_dimension(struct dimension a, struct dimension b) {
    return a.known && b.known && a.factor == b.factor && a.batch == b.batch && a.sequence == b.sequence;
}

bool layout_expand(struct layout *layout, const struct integers *shape) {
    if (shape->count > LAYOUT_MAX_AXES || shape->count < layout->rank)
        return false;
    struct layout result = {.rank = shape->count};
    uint32_t added = shape->count - layout->rank;
    for (uint32_t i = 0; i < shape->count; i++) {
        if (i >= added)
            result.axes[i] = layout->axes[i - added];
        struct dimension wanted = shape->items[i];
        if (dimension_is(wanted, 1) || same_dimension(wanted, layout_dimension(&result, i)))
            continue;
        if (result.axes[i].count != 0 || !axis_of(wanted, &result.axes[i]))
            return false;
    }
    *layout = result;
    return true;
}

bool layout_insert(struct layout *layout, uint32_t axis) {
    if (layout->rank == LAYOUT_MAX_AXES || axis > layout->rank)
        return false;
    memmove(layout->axes + axis + 1, layout->axes + axis, (layout->rank - axis) * sizeof layout->axes[0]);
    layout->axes[axis] = (struct axis){0};
    layout->rank++;
    return true;
}

bool layout_remove(struct layout *layout, uint32_t axis) {
    if (axis >= layout->rank || layout->axes[axis].count != 0)
        return false;
    memmove(layout->axes + axis, layout->axes + axis + 1, (layout->rank - axis - 1) * sizeof layout->axes[0]);
    layout->rank--;
    return true;
}
