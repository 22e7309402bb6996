/* Shape arithmetic, and the operators that change the layout of a value alone. */
#include "formats/onnx_meaning.h"

#include <string.h>

bool axes_of(const struct recognition *recognition, const struct onnx_node *node, uint32_t input,
             int64_t *axes, uint32_t *count) {
    const Onnx__AttributeProto *attribute = onnx_attribute(node, "axes");
    *count = 0;
    if (has_input(node, input))
        return is_integer_list(meaning_of(recognition, node, input), axes, count, LAYOUT_MAX_AXES);
    if (attribute == NULL)
        return true;
    if (attribute->n_ints > LAYOUT_MAX_AXES)
        return false;
    *count = (uint32_t)attribute->n_ints;
    for (uint32_t i = 0; i < *count; i++)
        axes[i] = attribute->ints[i];
    return true;
}

/* The part [start, end) of count places as Slice and Shape count them: from the end where negative. */
void part_of(int64_t start, int64_t end, uint32_t count, uint32_t *first, uint32_t *last) {
    start = start < -(int64_t)count ? 0 : start < 0 ? start + count : start > count ? count : start;
    end = end < -(int64_t)count ? 0 : end < 0 ? end + count : end > count ? count : end;
    *first = (uint32_t)start;
    *last = (uint32_t)(end < start ? start : end);
}

void rule_shape(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    struct layout layout = input->layout;
    const struct onnx_tensor *constant = input->kind == MEANING_CONSTANT ? input->weight.values : NULL;
    if (constant != NULL)
        layout.rank = constant->dimensions <= LAYOUT_MAX_AXES ? constant->dimensions : 0;
    if (layout.rank == 0 || (constant != NULL && input->weight.transposed))
        return;
    uint32_t first, last;
    part_of(onnx_attribute_integer(node, "start", 0), onnx_attribute_integer(node, "end", INT64_MAX),
            layout.rank, &first, &last);
    *result = meaning_new(MEANING_INTEGERS);
    for (uint32_t i = first; i < last; i++)
        result->integers.items[result->integers.count++] =
            constant != NULL ? dimension_of((int64_t)constant->shape[i]) : layout_dimension(&layout, i);
}

void rule_concat(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    struct meaning joined = meaning_new(MEANING_INTEGERS);
    for (uint32_t i = 0; i < node->input_count; i++) {
        struct integers part;
        if (!integers_of(meaning_of(recognition, node, i), &part) ||
            joined.integers.count + part.count > INTEGERS_MAX)
            return;
        memcpy(joined.integers.items + joined.integers.count, part.items, part.count * sizeof part.items[0]);
        joined.integers.count += part.count;
    }
    *result = joined;
}

void rule_range(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    struct integers limit;
    double start, step;
    if (!number_of(meaning_of(recognition, node, 0), &start) ||
        !number_of(meaning_of(recognition, node, 2), &step) || start != 0 || step != 1)
        return;
    bool tokens = integers_of(meaning_of(recognition, node, 1), &limit) && limit.count == 1 &&
                  limit.items[0].known && limit.items[0].batch == 0 && limit.items[0].sequence == 1 &&
                  limit.items[0].factor == 1;
    *result = meaning_new(tokens ? MEANING_POSITIONS : MEANING_INDICES);
}

/* ---- rules that change the layout alone ---- */

/* Numbers alike in all elements, whose shape does not matter: it is not known from here on (rank 0). */
static bool pass_shapeless(const struct meaning *input, struct meaning *result) {
    double number;
    if (input->kind == MEANING_UNIFORM || meaning_is_index(input) || input->kind == MEANING_COUNT ||
        input->kind == MEANING_LENGTH)
        *result = *input;
    else if (number_of(input, &number) && input->kind == MEANING_CONSTANT)
        *result = meaning_uniform(number);
    else
        return false;
    result->layout.rank = 0;
    return true;
}

/* A mask, whose axes are followed as long as they can be: it counts the tokens in the end. */
static bool is_followed(const struct meaning *input) {
    return input->kind == MEANING_UNIFORM && input->layout.rank != 0;
}

void rule_expand(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    struct integers shape;
    struct layout expanded = input->layout;
    bool followed = is_followed(input) && integers_of(meaning_of(recognition, node, 1), &shape) &&
                    layout_expand(&expanded, &shape);
    /* Broadcasting indices over the batch changes nothing. */
    if (!pass_shapeless(input, result) && (input->kind == MEANING_IDS || input->kind == MEANING_SEGMENTS))
        *result = *input;
    if (followed)
        result->layout = expanded;
}

void rule_unsqueeze(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    int64_t axes[LAYOUT_MAX_AXES];
    uint32_t count;
    struct integers integers;
    if (integers_of(input, &integers)) {
        *result = meaning_new(MEANING_INTEGERS);
        result->integers = integers;
        result->integers.is_scalar = false;
        return;
    }
    if ((!is_followed(input) && pass_shapeless(input, result)) || input->layout.rank == 0 ||
        !axes_of(recognition, node, 1, axes, &count))
        return;
    struct layout layout = input->layout;
    bool inserted = true;
    uint32_t rank = layout.rank + count;
    for (uint32_t axis = 0; axis < rank; axis++) {
        for (uint32_t i = 0; i < count; i++)
            inserted = inserted &&
                       ((axes[i] < 0 ? axes[i] + rank : axes[i]) != axis || layout_insert(&layout, axis));
    }
    if (inserted && layout.rank == rank) {
        *result = *input;
        result->layout = layout;
    }
}

void rule_squeeze(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    int64_t axes[LAYOUT_MAX_AXES];
    uint32_t count;
    struct integers integers;
    if (integers_of(input, &integers)) {
        if (integers.count != 1)
            return;
        *result = meaning_new(MEANING_INTEGERS);
        result->integers = integers;
        result->integers.is_scalar = true;
        return;
    }
    if (pass_shapeless(input, result) || input->layout.rank == 0 ||
        !axes_of(recognition, node, 1, axes, &count))
        return;
    *result = *input;
    uint32_t rank = input->layout.rank;
    for (uint32_t axis = rank; axis-- > 0;) {
        for (uint32_t i = 0; i < count; i++) {
            /* The last axis of a logit has one feature. */
            if ((axes[i] < 0 ? axes[i] + rank : axes[i]) != axis)
                continue;
            struct axis *removed = &result->layout.axes[axis];
            if (removed->count == 1 && removed->atoms[0].kind == ATOM_FEATURES && removed->atoms[0].size == 1)
                removed->count = 0;
            if (!layout_remove(&result->layout, axis)) {
                *result = (struct meaning){0};
                return;
            }
        }
    }
}

void rule_reshape(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    struct integers shape, list;
    if (pass_shapeless(input, result))
        return;
    if (integers_of(input, &list)) {
        *result = meaning_new(MEANING_INTEGERS);
        result->integers = list;
        result->integers.is_scalar = false;
        return;
    }
    if (input->layout.rank == 0 || !integers_of(meaning_of(recognition, node, 1), &shape))
        return;
    *result = *input;
    if (!layout_reshape(&result->layout, &shape, onnx_attribute_integer(node, "allowzero", 0) == 0))
        *result = (struct meaning){0};
}

/* Flatten to two axes: what torch.flatten(1) becomes for rows that have two already. */
void rule_flatten(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    if (pass_shapeless(input, result))
        return;
    if (input->layout.rank == 2 && onnx_attribute_integer(node, "axis", 1) == 1)
        *result = *input;
}

static void transpose_constant(const struct meaning *input, const struct onnx_node *node,
                               struct meaning *result) {
    const Onnx__AttributeProto *order = onnx_attribute(node, "perm");
    if (input->weight.values->dimensions != 2 ||
        (order != NULL && (order->n_ints != 2 || order->ints[0] != 1 || order->ints[1] != 0)))
        return;
    *result = *input;
    result->weight.transposed = !result->weight.transposed;
    result->weight.outputs = result->weight.transposed ? result->weight.columns : result->weight.rows;
}

void rule_transpose(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    const Onnx__AttributeProto *order = onnx_attribute(node, "perm");
    if (pass_shapeless(input, result))
        return;
    if (input->kind == MEANING_CONSTANT) {
        transpose_constant(input, node, result);
        return;
    }
    if (input->layout.rank == 0 || order == NULL || order->n_ints > LAYOUT_MAX_AXES)
        return;
    *result = *input;
    if (!layout_permute(&result->layout, order->ints, (uint32_t)order->n_ints))
        *result = (struct meaning){0};
}
