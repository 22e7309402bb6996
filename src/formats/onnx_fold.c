/* Numbers that are known while the graph is read, and the operators that compute them. */
#include "formats/onnx_meaning.h"

#include <math.h>
#include <string.h>

#define MOST_EQUAL    4096u              /* elements that are compared to see whether they are one number */
#define EXACT_INTEGER 9007199254740992.0 /* below it every integer is a double */

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

/* ---- rules ---- */

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

void rule_comparison(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *a = meaning_of(recognition, node, 0), *b = meaning_of(recognition, node, 1);
    struct integers left, right;
    double x, y;
    if (number_of(a, &x) && number_of(b, &y)) {
        *result = meaning_uniform(compare(node->operator_name, x, y));
    } else if (meaning_is_index(a) && number_of(b, &y) && y <= 0 &&
               strcmp(node->operator_name, "GreaterOrEqual") == 0) {
        *result = meaning_uniform(1);
    } else if (meaning_is_index(a) && number_of(b, &y) && y <= 0 &&
               strcmp(node->operator_name, "Less") == 0) {
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
        if (!number_of(yes, &number) || !(fabs(number) < EXACT_INTEGER))
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

void rule_identity(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    *result = *meaning_of(recognition, node, 0);
}

/* Outside of training, which operator set 12 lets the third input ask for. */
void rule_dropout(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    double training = 0;
    if (!has_input(node, 2) || (number_of(meaning_of(recognition, node, 2), &training) && training == 0))
        *result = *meaning_of(recognition, node, 0);
}

static bool is_float_type(int64_t type) {
    return type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT || type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 ||
           type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16 || type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
}

/* Types that hold every id, size and position. */
static bool is_wide_integer_type(int64_t type) {
    return type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32 || type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
}

/* A number in another type; false where it is not one that the type has. */
static bool cast_number(double number, int64_t type, struct meaning *result) {
    if (type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL)
        result->shift = number != 0;
    else if (is_wide_integer_type(type) && fabs(number) <= INT32_MAX)
        result->shift = trunc(number);
    else
        return is_float_type(type);
    return true;
}

/* What a cast could change, by rounding or by the smaller range of a type, is not followed. */
void rule_cast(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    int64_t type = onnx_attribute_integer(node, "to", 0);
    struct meaning cast = *input;
    double number;
    bool kept = is_float_type(type);
    if (input->kind == MEANING_CONSTANT) {
        bool integers = onnx_tensor_is_integer(input->weight.values) && input->weight.scale == NULL;
        cast.is_cast = kept;
        kept = kept || (integers && !input->is_cast && is_wide_integer_type(type));
        if (!kept && number_of(input, &number)) {
            cast = meaning_uniform(number);
            kept = cast_number(number, type, &cast);
        }
    } else if (input->kind == MEANING_UNIFORM) {
        kept = cast_number(input->shift, type, &cast);
    } else if (input->kind == MEANING_INTEGERS && number_of(input, &number) && !is_wide_integer_type(type)) {
        cast = meaning_uniform(number);
        kept = cast_number(number, type, &cast);
    } else if (!meaning_is_activation(input) && input->kind != MEANING_UNKNOWN) {
        /* The products of integers that quantization makes are only ever cast to floats. */
        kept = kept || (is_wide_integer_type(type) && input->kind != MEANING_INTEGER_PRODUCT);
    }
    if (kept)
        *result = cast;
}

static bool bounds_nothing(const struct meaning *value, double least) {
    return (meaning_is_plain(value, MEANING_COUNT) || meaning_is_plain(value, MEANING_LENGTH)) &&
           least <= 1e-6;
}

static void clip(const struct recognition *recognition, const struct onnx_node *node,
                 struct meaning *result) {
    const struct meaning *value = meaning_of(recognition, node, 0);
    double least = onnx_attribute_number(node, "min", -INFINITY);
    bool bounded_above = has_input(node, 2) || onnx_attribute(node, "max") != NULL;
    if (bounded_above || (has_input(node, 1) && !number_of(meaning_of(recognition, node, 1), &least)))
        return;
    if (bounds_nothing(value, least))
        *result = *value;
    else if (value->kind == MEANING_UNIFORM)
        *result = meaning_uniform(fmax(value->shift, least));
}

/* Clip, Min, Max with a bound that the value keeps on its own. */
void rule_minimum(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *a = meaning_of(recognition, node, 0), *b = meaning_of(recognition, node, 1);
    bool maximum = strcmp(node->operator_name, "Max") == 0;
    double x, y;
    if (strcmp(node->operator_name, "Clip") == 0) {
        clip(recognition, node, result);
        return;
    }
    if (node->input_count != 2)
        return;
    bool left = number_of(a, &x), right = number_of(b, &y);
    if (left && right)
        *result = meaning_uniform(maximum ? fmax(x, y) : fmin(x, y));
    else if (maximum && right && bounds_nothing(a, y))
        *result = *a;
    else if (maximum && left && bounds_nothing(b, x))
        *result = *b;
}
