/* Operators that take a part of a value: Slice and Gather. */
#include "formats/onnx_meaning.h"

#include <string.h>

/* A part of what is one number everywhere. Which part is not followed. */
static bool pass_part(const struct meaning *input, struct meaning *result) {
    if (input->kind != MEANING_UNIFORM)
        return false;
    *result = *input;
    result->layout.rank = 0;
    return true;
}

/* 0, 1, 2, ... along the last axis. */
static bool positions_constant(const struct meaning *input) {
    const struct onnx_tensor *tensor = input->weight.values;
    if (input->kind != MEANING_CONSTANT || input->is_cast || !onnx_tensor_is_integer(tensor) ||
        tensor->dimensions == 0 || tensor->elements < 2 ||
        tensor->shape[tensor->dimensions - 1] != tensor->elements)
        return false;
    for (size_t i = 0; i < tensor->elements; i++) {
        if (onnx_tensor_integer(tensor, i) != (int64_t)i)
            return false;
    }
    return true;
}

struct cut {
    int64_t start, end, axis;
    bool from_start, known_end;
};

/* Slice with one axis: by inputs, or by attributes up to operator set 9. */
static bool read_cut(const struct recognition *recognition, const struct onnx_node *node, uint32_t rank,
                     struct cut *cut) {
    int64_t starts[LAYOUT_MAX_AXES] = {0}, ends[LAYOUT_MAX_AXES] = {0}, axes[LAYOUT_MAX_AXES] = {0},
            steps[LAYOUT_MAX_AXES] = {1};
    uint32_t start_count = 0, end_count = 0, axis_count = 0, step_count = 0;
    const Onnx__AttributeProto *start = onnx_attribute(node, "starts"), *end = onnx_attribute(node, "ends");
    if (start != NULL && end != NULL && start->n_ints == 1 && end->n_ints == 1) {
        starts[0] = start->ints[0];
        ends[0] = end->ints[0];
        cut->known_end = true;
        if (!axes_of(recognition, node, UINT32_MAX, axes, &axis_count))
            return false;
    } else {
        if (!is_integer_list(meaning_of(recognition, node, 1), starts, &start_count, LAYOUT_MAX_AXES) ||
            start_count != 1)
            return false;
        cut->known_end =
            is_integer_list(meaning_of(recognition, node, 2), ends, &end_count, LAYOUT_MAX_AXES) &&
            end_count == 1;
        if (has_input(node, 3) &&
            (!is_integer_list(meaning_of(recognition, node, 3), axes, &axis_count, LAYOUT_MAX_AXES) ||
             axis_count != 1))
            return false;
        if (has_input(node, 4) &&
            (!is_integer_list(meaning_of(recognition, node, 4), steps, &step_count, LAYOUT_MAX_AXES) ||
             step_count != 1 || steps[0] != 1))
            return false;
    }
    cut->start = starts[0];
    cut->end = ends[0];
    cut->axis = axes[0] < 0 ? axes[0] + rank : axes[0];
    return cut->axis >= 0 && cut->axis < rank;
}

static void slice_integers(const struct integers *list, const struct cut *cut, struct meaning *result) {
    uint32_t first, last;
    if (!cut->known_end)
        return;
    part_of(cut->start, cut->end, list->count, &first, &last);
    *result = meaning_new(MEANING_INTEGERS);
    result->integers.count = last - first;
    memcpy(result->integers.items, list->items + first, (last - first) * sizeof list->items[0]);
}

/* The first token's rows, or all of an axis. */
static void slice_activation(const struct meaning *input, const struct cut *cut, struct meaning *result) {
    if (cut->start == 0 && cut->known_end && cut->end >= INT32_MAX) {
        *result = *input;
    } else if (meaning_is_plain(input, MEANING_STATE) && layout_is(&input->layout, "BSF") && cut->axis == 1 &&
               cut->start == 0 && cut->known_end && cut->end == 1) {
        *result = meaning_new(MEANING_FIRST);
        result->a = input->identity;
        result->layout = input->layout;
        result->layout.axes[1].count = 0;
    }
}

void rule_slice(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    struct integers list;
    struct cut cut = {0};
    if (pass_part(input, result))
        return;
    bool is_list = integers_of(input, &list);
    bool is_constant = input->kind == MEANING_CONSTANT;
    uint32_t rank = is_constant ? input->weight.values->dimensions : is_list ? 1 : input->layout.rank;
    bool whole = rank != 0 && read_cut(recognition, node, rank, &cut);
    double number;
    if (!whole)
        return;
    if (is_constant && cut.start == 0 && cut.axis == rank - 1 && positions_constant(input))
        *result = meaning_new(MEANING_POSITIONS);
    else if (is_list)
        slice_integers(&list, &cut, result);
    else if (is_constant && number_of(input, &number))
        *result = meaning_uniform(number);
    else if (is_constant && rank == 3 && cut.start == 0 && cut.axis == 1 &&
             onnx_tensor_is_float(input->weight.values)) {
        /* A table of positions whose rows were gathered by whoever wrote the graph. */
        const struct meaning positions = meaning_new(MEANING_POSITIONS);
        (void)embedding_gather(input, &positions, result);
    } else if (!is_constant)
        slice_activation(input, &cut, result);
}

static void gather_first(const struct meaning *input, const struct meaning *index, int64_t axis,
                         struct meaning *result) {
    struct integers integers;
    if (!meaning_is_plain(input, MEANING_STATE) || !layout_is(&input->layout, "BSF") ||
        (axis != 1 && axis != -2) || !integers_of(index, &integers) || integers.count != 1 ||
        !dimension_is(integers.items[0], 0))
        return;
    *result = meaning_new(MEANING_FIRST);
    result->a = input->identity;
    result->layout = input->layout;
    result->layout.axes[1].count = 0;
    if (integers.is_scalar)
        (void)layout_remove(&result->layout, 1);
}

static void gather_integers(const struct integers *list, const struct meaning *index,
                            struct meaning *result) {
    struct integers chosen;
    if (!integers_of(index, &chosen))
        return;
    struct meaning gathered = meaning_new(MEANING_INTEGERS);
    gathered.integers.count = chosen.count;
    gathered.integers.is_scalar = chosen.is_scalar;
    for (uint32_t i = 0; i < chosen.count; i++) {
        if (!dimension_is_number(chosen.items[i]))
            return;
        int64_t at =
            chosen.items[i].factor < 0 ? chosen.items[i].factor + list->count : chosen.items[i].factor;
        if (at < 0 || at >= list->count)
            return;
        gathered.integers.items[i] = list->items[at];
    }
    *result = gathered;
}

void rule_gather(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0), *index = meaning_of(recognition, node, 1);
    int64_t axis = onnx_attribute_integer(node, "axis", 0);
    struct integers list;
    if (pass_part(input, result))
        return;
    if (integers_of(input, &list))
        gather_integers(&list, index, result);
    else if (input->kind == MEANING_CONSTANT && axis == 0 && input->weight.values->dimensions == 2)
        (void)embedding_gather(input, index, result);
    else
        gather_first(input, index, axis, result);
}

void rule_gather_nd(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    (void)pass_part(input, result);
}
