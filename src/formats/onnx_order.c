/* The order of computation (Kahn 1962, Topological sorting of large networks). */
#include "formats/onnx_reader.h"

#include <stdlib.h>
#include <string.h>

struct sorting {
    uint32_t *waiting; /* [nodes] inputs that are not made yet */
    uint32_t *first;   /* [values] the first reader in the list below */
    uint32_t *next;    /* [references] */
    uint32_t *reader;  /* [references] */
    uint32_t *order;   /* [nodes] */
    uint32_t reader_count, ordered;
};

static void count_waiting(const struct onnx *onnx, struct sorting *sorting) {
    for (uint32_t i = 0; i < onnx->node_count; i++) {
        const struct onnx_node *node = &onnx->nodes[i];
        for (uint32_t k = 0; k < node->input_count; k++) {
            uint32_t value = node->inputs[k];
            if (value == ONNX_NO_VALUE || onnx->values[value].node == ONNX_NO_NODE)
                continue;
            sorting->waiting[i]++;
            sorting->reader[sorting->reader_count] = i;
            sorting->next[sorting->reader_count] = sorting->first[value];
            sorting->first[value] = sorting->reader_count++;
        }
        if (sorting->waiting[i] == 0)
            sorting->order[sorting->ordered++] = i;
    }
}

static void order_nodes(const struct onnx *onnx, struct sorting *sorting) {
    for (uint32_t done = 0; done < sorting->ordered; done++) {
        const struct onnx_node *node = &onnx->nodes[sorting->order[done]];
        for (uint32_t k = 0; k < node->output_count; k++) {
            if (node->outputs[k] == ONNX_NO_VALUE)
                continue;
            for (uint32_t r = sorting->first[node->outputs[k]]; r != UINT32_MAX; r = sorting->next[r]) {
                if (--sorting->waiting[sorting->reader[r]] == 0)
                    sorting->order[sorting->ordered++] = sorting->reader[r];
            }
        }
    }
}

static enum status cyclic(const struct onnx *onnx, const struct sorting *sorting, struct error *error) {
    uint32_t i = 0;
    while (sorting->waiting[i] == 0)
        i++;
    const struct onnx_node *node = &onnx->nodes[i];
    return error_set(error, STATUS_INVALID_DATA,
                     "%s: the node %s \"%.80s\" (number %u, at byte %zu) lies on a cycle or reads from one",
                     onnx->file_name, node->operator_name, node->proto->name == NULL ? "" : node->proto->name,
                     i, (size_t)node->file_offset);
}

/* Puts the nodes in the order found, and the values' nodes with them. */
static enum status apply_order(struct onnx *onnx, const struct sorting *sorting, struct error *error) {
    struct onnx_node *nodes = calloc((size_t)onnx->node_count + 1, sizeof *nodes);
    if (nodes == NULL)
        return onnx_out_of_memory(onnx, error);
    for (uint32_t i = 0; i < onnx->node_count; i++)
        nodes[i] = onnx->nodes[sorting->order[i]];
    free(onnx->nodes);
    onnx->nodes = nodes;
    for (uint32_t i = 0; i < onnx->node_count; i++) {
        for (uint32_t k = 0; k < nodes[i].output_count; k++) {
            if (nodes[i].outputs[k] != ONNX_NO_VALUE)
                onnx->values[nodes[i].outputs[k]].node = i;
        }
    }
    return STATUS_OK;
}

enum status onnx_sort_nodes(struct onnx *onnx, struct error *error) {
    size_t references = 1;
    for (uint32_t i = 0; i < onnx->node_count; i++)
        references += onnx->nodes[i].input_count;
    struct sorting sorting = {
        .waiting = calloc((size_t)onnx->node_count + 1, sizeof(uint32_t)),
        .first = malloc(((size_t)onnx->value_count + 1) * sizeof(uint32_t)),
        .next = calloc(references, sizeof(uint32_t)),
        .reader = calloc(references, sizeof(uint32_t)),
        .order = calloc((size_t)onnx->node_count + 1, sizeof(uint32_t)),
    };
    enum status status = STATUS_OK;
    if (sorting.waiting == NULL || sorting.first == NULL || sorting.next == NULL || sorting.reader == NULL ||
        sorting.order == NULL) {
        status = onnx_out_of_memory(onnx, error);
    } else {
        memset(sorting.first, 0xff, ((size_t)onnx->value_count + 1) * sizeof(uint32_t));
        count_waiting(onnx, &sorting);
        order_nodes(onnx, &sorting);
        status = sorting.ordered < onnx->node_count ? cyclic(onnx, &sorting, error)
                                                    : apply_order(onnx, &sorting, error);
    }
    free(sorting.waiting);
    free(sorting.first);
    free(sorting.next);
    free(sorting.reader);
    free(sorting.order);
    return status;
}
