#include "formats/onnx_meaning.h"

#include <math.h>
#include <string.h>

#define MOST_EQUAL 4096u /* elements that are compared to see whether they are one number */

/* ---- numbers ---- */

bool number_of(const struct meaning *meaning, double *number) {
    if (meaning->kind == MEANING_UNIFORM) {
        *number = meaning->shift;
        return true;
    }
    if (meaning->kind == MEANING_INTEGERS) {
        *number = (double)meaning->integers.items[0].factor;
        return meaning->integers.count == 1 && dimension_is_number(meaning->integers.items[0]);
    }
    if (meaning->kind != MEANING_CONSTANT || meaning->weight.scale != NULL)
        return false;
    const struct onnx_tensor *tensor = meaning->weight.values;
    if (tensor->elements == 0 || tensor->elements > MOST_EQUAL)
        return false;
    *number = onnx_tensor_number(tensor, 0);
    for (size_t i = 1; i < tensor->elements; i++) {
        if (onnx_tensor_number(tensor, i) != *number)
            return false;
    }
    return true;
}

bool integers_of(const struct meaning *meaning, struct integers *integers) {
    if (meaning->kind == MEANING_INTEGERS) {
        *integers = meaning->integers;
        return true;
    }
    if (meaning->kind != MEANING_CONSTANT || meaning->is_cast)
        return false;
    const struct onnx_tensor *tensor = meaning->weight.values;
    if (!onnx_tensor_is_integer(tensor) || onnx_tensor_is_quantized(tensor) || tensor->dimensions > 1 ||
        tensor->elements > INTEGERS_MAX)
        return false;
    *integers = (struct integers){.count = (uint32_t)tensor->elements, .is_scalar = tensor->dimensions == 0};
    for (uint32_t i = 0; i < integers->count; i++)
        integers->items[i] = dimension_of(onnx_tensor_integer(tensor, i));
    return true;
}

bool is_integer_list(const struct meaning *meaning, int64_t *list, uint32_t *count, uint32_t capacity) {
    struct integers integers;
    if (!integers_of(meaning, &integers) || integers.count > capacity)
        return false;
    *count = integers.count;
    for (uint32_t i = 0; i < integers.count; i++) {
        if (!dimension_is_number(integers.items[i]))
            return false;
        list[i] = integers.items[i].factor;
    }
    return true;
}

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
    memcpy(axes, attribute->ints, *count * sizeof *axes);
    return true;
}

static struct dimension combine(char operation, struct dimension a, struct dimension b) {
    if (operation == '*')
        return dimension_multiply(a, b);
    if (operation == '/')
        return dimension_divide(a, b);
    if (!dimension_is_number(a) || !dimension_is_number(b))
        return dimension_is(b, 0) ? a : operation == '+' && dimension_is(a, 0) ? b : (struct dimension){0};
    if (a.factor > INT32_MAX || a.factor < -INT32_MAX || b.factor > INT32_MAX || b.factor < -INT32_MAX)
        return (struct dimension){0};
    return dimension_of(operation == '+' ? a.factor + b.factor : a.factor - b.factor);
}

static bool fold_integers(char operation, const struct integers *a, const struct integers *b,
                          struct meaning *result) {
    if (a->count != b->count && a->count != 1 && b->count != 1)
        return false;
    *result = meaning_new(MEANING_INTEGERS);
    result->integers.count = a->count > b->count ? a->count : b->count;
    result->integers.is_scalar = a->is_scalar && b->is_scalar;
    for (uint32_t i = 0; i < result->integers.count; i++)
        result->integers.items[i] =
            combine(operation, a->items[a->count == 1 ? 0 : i], b->items[b->count == 1 ? 0 : i]);
    return true;
}

bool fold_arithmetic(char operation, const struct meaning *a, const struct meaning *b,
                     struct meaning *result) {
    struct integers left, right;
    double x, y;
    if (integers_of(a, &left) && integers_of(b, &right) && strchr("+-*/", operation) != NULL)
        return fold_integers(operation, &left, &right, result);
    if (!number_of(a, &x) || !number_of(b, &y))
        return false;
    double number = operation == '+'   ? x + y
                    : operation == '-' ? x - y
                    : operation == '*' ? x * y
                    : operation == '/' ? x / y
                                       : pow(x, y);
    *result = meaning_uniform(number);
    return true;
}

/* ---- rules of shape arithmetic ---- */

static bool bounds(int64_t start, int64_t end, uint32_t count, uint32_t *first, uint32_t *last) {
    start = start < -(int64_t)count ? 0 : start < 0 ? start + count : start > count ? count : start;
    end = end < -(int64_t)count ? 0 : end < 0 ? end + count : end > count ? count : end;
    *first = (uint32_t)start;
    *last = (uint32_t)(end < start ? start : end);
    return true;
}

void rule_shape(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    struct layout layout = input->layout;
    if (input->kind == MEANING_CONSTANT && input->weight.values->dimensions <= LAYOUT_MAX_AXES) {
        layout.rank = input->weight.values->dimensions;
        *result = meaning_new(MEANING_INTEGERS);
        for (uint32_t i = 0; i < layout.rank; i++)
            result->integers.items[result->integers.count++] =
                dimension_of((int64_t)input->weight.values->shape[i]);
        return;
    }
    if (layout.rank == 0)
        return;
    uint32_t first, last;
    bounds(onnx_attribute_integer(node, "start", 0), onnx_attribute_integer(node, "end", INT64_MAX),
           layout.rank, &first, &last);
    *result = meaning_new(MEANING_INTEGERS);
    for (uint32_t i = first; i < last; i++)
        result->integers.items[result->integers.count++] = layout_dimension(&layout, i);
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

void rule_constant_of_shape(struct recognition *recognition, const struct onnx_node *node,
                            struct meaning *result) {
    (void)recognition;
    const Onnx__AttributeProto *attribute = onnx_attribute(node, "value");
    if (attribute == NULL || attribute->t == NULL) {
        *result = meaning_uniform(0);
        return;
    }
    const Onnx__TensorProto *tensor = attribute->t;
    unsigned char bytes[8] = {0};
    struct onnx_tensor one = {.type = tensor->data_type, .elements = 1, .data = {bytes, sizeof bytes}};
    if (tensor->has_raw_data && tensor->raw_data.len > 0 && tensor->raw_data.len <= sizeof bytes)
        memcpy(bytes, tensor->raw_data.data, tensor->raw_data.len);
    else if (tensor->n_float_data == 1)
        memcpy(bytes, tensor->float_data, sizeof(float));
    else if (tensor->n_int64_data == 1)
        memcpy(bytes, tensor->int64_data, sizeof(int64_t));
    else if (tensor->n_int32_data == 1)
        memcpy(bytes, tensor->int32_data, sizeof(int32_t));
    else
        return;
    *result = meaning_uniform(onnx_tensor_number(&one, 0));
}

static bool compare(const char *operation, double x, double y) {
    if (strcmp(operation, "Equal") == 0)
        return x == y;
    if (strcmp(operation, "Less") == 0)
        return x < y;
    if (strcmp(operation, "LessOrEqual") == 0)
        return x <= y;
    return strcmp(operation, "Greater") == 0 ? x > y : x >= y;
}

static bool is_index(const struct meaning *meaning) {
    return meaning->kind == MEANING_POSITIONS || meaning->kind == MEANING_INDICES;
}

void rule_comparison(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *a = meaning_of(recognition, node, 0), *b = meaning_of(recognition, node, 1);
    struct integers left, right;
    double x, y;
    if (number_of(a, &x) && number_of(b, &y)) {
        *result = meaning_uniform(compare(node->operator_name, x, y));
    } else if (is_index(a) && number_of(b, &y) && y <= 0 &&
               strcmp(node->operator_name, "GreaterOrEqual") == 0) {
        *result = meaning_uniform(1);
    } else if (is_index(a) && number_of(b, &y) && y <= 0 && strcmp(node->operator_name, "Less") == 0) {
        *result = meaning_uniform(0);
    } else if (strcmp(node->operator_name, "Equal") == 0 && integers_of(a, &left) && integers_of(b, &right) &&
               (left.count == right.count || right.count == 1)) {
        /* A symbol is a size, which -1 and 0 are not. */
        *result = meaning_new(MEANING_INTEGERS);
        result->integers.count = left.count;
        for (uint32_t i = 0; i < left.count; i++) {
            struct dimension l = left.items[i], r = right.items[right.count == 1 ? 0 : i];
            bool numbers = dimension_is_number(l) && dimension_is_number(r);
            bool sized = dimension_is_number(r) && r.factor <= 0;
            result->integers.items[i] =
                !numbers && !sized ? (struct dimension){0} : dimension_of(numbers && l.factor == r.factor);
        }
    }
}

static bool where_integers(const struct integers *condition, const struct meaning *yes,
                           const struct meaning *no, struct meaning *result) {
    struct integers left, right;
    double number;
    if (!integers_of(no, &right) || right.count != condition->count)
        return false;
    if (!integers_of(yes, &left)) {
        if (!number_of(yes, &number))
            return false;
        left = (struct integers){.count = 1, .items = {dimension_of((int64_t)number)}};
    }
    if (left.count != condition->count && left.count != 1)
        return false;
    *result = meaning_new(MEANING_INTEGERS);
    result->integers.count = right.count;
    for (uint32_t i = 0; i < right.count; i++) {
        if (!dimension_is_number(condition->items[i]))
            continue;
        result->integers.items[i] =
            condition->items[i].factor != 0 ? left.items[left.count == 1 ? 0 : i] : right.items[i];
    }
    return true;
}

void rule_where(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *condition = meaning_of(recognition, node, 0);
    const struct meaning *yes = meaning_of(recognition, node, 1), *no = meaning_of(recognition, node, 2);
    struct integers integers;
    double number;
    if (number_of(condition, &number)) {
        *result = number != 0 ? *yes : *no;
        double constant;
        if (result->kind == MEANING_CONSTANT && number_of(result, &constant))
            *result = meaning_uniform(constant);
    } else if (integers_of(condition, &integers)) {
        (void)where_integers(&integers, yes, no, result);
    }
}

void rule_not(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    double number;
    if (number_of(meaning_of(recognition, node, 0), &number))
        *result = meaning_uniform(number == 0);
}

void rule_and(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    double x, y;
    if (!number_of(meaning_of(recognition, node, 0), &x) || !number_of(meaning_of(recognition, node, 1), &y))
        return;
    *result = meaning_uniform(strcmp(node->operator_name, "And") == 0 ? x != 0 && y != 0 : x != 0 || y != 0);
}

void rule_is_nan(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    double number;
    /* A softmax over scores none of which is masked has no NaN. */
    if (input->kind == MEANING_PROBABILITIES)
        *result = meaning_uniform(0);
    else if (number_of(input, &number))
        *result = meaning_uniform(isnan(number));
}

/* ---- rules that change the layout alone ---- */

static bool is_index_or_number(const struct meaning *meaning) {
    return meaning->kind == MEANING_UNIFORM || is_index(meaning) || meaning->kind == MEANING_COUNT ||
           meaning->kind == MEANING_LENGTH;
}

/* Numbers alike in all elements, whose shape does not matter. */
static bool pass_shapeless(const struct meaning *input, struct meaning *result) {
    double number;
    if (is_index_or_number(input))
        *result = *input;
    else if (number_of(input, &number) && input->kind == MEANING_CONSTANT)
        *result = meaning_uniform(number);
    else
        return false;
    return true;
}

void rule_expand(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    /* Broadcasting indices over the batch changes nothing. */
    if (!pass_shapeless(input, result) && (input->kind == MEANING_IDS || input->kind == MEANING_SEGMENTS))
        *result = *input;
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
    if (pass_shapeless(input, result) || input->layout.rank == 0 ||
        !axes_of(recognition, node, 1, axes, &count))
        return;
    *result = *input;
    uint32_t rank = input->layout.rank + count;
    for (uint32_t axis = 0; axis < rank; axis++) {
        for (uint32_t i = 0; i < count; i++) {
            if ((axes[i] < 0 ? axes[i] + rank : axes[i]) == axis && !layout_insert(&result->layout, axis)) {
                *result = (struct meaning){0};
                return;
            }
        }
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
    bounds(cut->start, cut->end, list->count, &first, &last);
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
    if (input->kind == MEANING_UNIFORM) {
        *result = *input;
        return;
    }
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
    double number;
    if (!meaning_is_plain(input, MEANING_STATE) || !layout_is(&input->layout, "BSF") ||
        (axis != 1 && axis != -2) || !number_of(index, &number) || number != 0)
        return;
    *result = meaning_new(MEANING_FIRST);
    result->a = input->identity;
    result->layout = input->layout;
    result->layout.axes[1].count = 0;
    if (!integers_of(index, &integers) || integers.is_scalar)
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
    if (input->kind == MEANING_UNIFORM)
        *result = *input;
    else if (integers_of(input, &list))
        gather_integers(&list, index, result);
    else if (input->kind == MEANING_CONSTANT && axis == 0)
        (void)embedding_gather(input, index, result);
    else
        gather_first(input, index, axis, result);
}

void rule_gather_nd(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    if (input->kind == MEANING_UNIFORM)
        *result = *input;
}

/* Identity, Dropout outside of training. */
void rule_pass(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    *result = *meaning_of(recognition, node, 0);
}

void rule_cast(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    int64_t type = onnx_attribute_integer(node, "to", 0);
    bool to_float =
        type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT || type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 ||
        type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16 || type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
    double number;
    *result = *input;
    if (input->kind == MEANING_CONSTANT)
        result->is_cast = to_float;
    else if (input->kind == MEANING_UNIFORM && type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL)
        *result = meaning_uniform(input->shift != 0);
    else if (input->kind == MEANING_INTEGERS && to_float && number_of(input, &number))
        *result = meaning_uniform(number);
}

/* Clip, Min, Max with a bound that the value keeps on its own. */
void rule_minimum(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *a = meaning_of(recognition, node, 0), *b = meaning_of(recognition, node, 1);
    double x, y;
    bool clip = strcmp(node->operator_name, "Clip") == 0, maximum = strcmp(node->operator_name, "Max") == 0;
    if (number_of(a, &x) && number_of(b, &y) && !clip) {
        *result = meaning_uniform(maximum ? fmax(x, y) : fmin(x, y));
        return;
    }
    if (!clip && b->kind != MEANING_UNKNOWN && number_of(a, &x)) {
        const struct meaning *swap = a;
        a = b;
        b = swap;
    }
    if (clip && !has_input(node, 1))
        y = onnx_attribute_number(node, "min", 0);
    else if (!number_of(b, &y))
        return;
    bool bounded_above = clip && (has_input(node, 2) || onnx_attribute(node, "max") != NULL);
    if ((a->kind == MEANING_COUNT || a->kind == MEANING_LENGTH) && (clip || maximum) && y <= 1e-6 &&
        !bounded_above)
        *result = *a;
    else if (a->kind == MEANING_UNIFORM && clip && !bounded_above)
        *result = meaning_uniform(fmax(a->shift, y));
}
