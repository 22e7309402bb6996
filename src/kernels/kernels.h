/* The arithmetic of the encoder, one table of functions per instruction set.
 *
 * The portable C reference fills every entry; each ISA overwrites what it has (kernels_select). Every level
 * gives the same bits: integers are exact, and the float parts are written once, over vectors of 16 lanes
 * with a fixed order of operations, and instantiated per ISA (kernels/int8_template.h). A row's result never
 * depends on the other rows of a call. Kernels allocate nothing, keep no state and check nothing: shapes and
 * alignment are the caller's promise.
 *
 * Shapes: `inputs` and every row of activations are a multiple of KERNEL_INPUT_MULTIPLE, `outputs` a multiple
 * of KERNEL_PANEL_COLUMNS; matrices are row-major; all pointers to rows and tensors are 64-byte aligned. */
#ifndef RESCOLDO_KERNELS_KERNELS_H
#define RESCOLDO_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define KERNEL_PANEL_COLUMNS  32u
#define KERNEL_INPUT_MULTIPLE 64u
#define KERNEL_MAX_SEQUENCE   512u /* tokens of one attention segment */

/* Raised by every change to the kernels, or to what calls them, that can change a bit of an output. An ember
 * states the number under which its golden outputs' bits were stored; under another they say nothing. */
#define KERNELS_ARITHMETIC 4u

/* What is done to a row of activations before it is quantized: u = x * scale + shift, per column. Some
 * columns of a transformer's activations are far larger, or far from zero, for every token; the baker
 * measures that and moves it into the weights and the bias of the layer that reads u (Xiao et al. 2023,
 * SmoothQuant, arXiv 2211.10438, with an offset besides). NULL pointers: u = x. */
struct input_transform {
    const float *scale, *shift; /* [inputs] */
};

/* A linear layer y = W x + b in the layout that the kernels read (kernels/pack.h makes it). Exactly one of
 * panels and panels_f32 is set. */
struct linear {
    uint32_t inputs;                  /* K */
    uint32_t outputs;                 /* N */
    const int8_t *panels;             /* [N/32][K/4][32][4], in [-127, 127], symmetric per output column */
    const float *scales;              /* [N]: weight = panel value * scale */
    const int32_t *compensation;      /* [N]: -128 * the sum of the column's panel values */
    const float *panels_f32;          /* [N/32][K][32] */
    const float *bias;                /* [N] */
    struct input_transform transform; /* int8: panels and bias are for transformed inputs */
};

/* The three tables whose sum, normalized, is a token's input. Exactly one of word and word_f32 is set. */
struct embedding_tables {
    const int8_t *word;       /* [vocabulary][hidden], in [-127, 127] */
    const float *word_scales; /* [vocabulary]: one per row */
    const float *word_f32;    /* [vocabulary][hidden] */
    const float *position;    /* [positions][hidden] */
    const float *segment;     /* [types][hidden] */
};

/* Rows of 8-bit activations and what turns them back into numbers. The bytes' form (u8 with zero point 128,
 * or s8) is the level's own: pass them only to kernels of the same table. */
struct activations {
    uint8_t *values; /* [rows][columns] */
    float *scales;   /* [rows] */
    size_t columns;
};

/* Weight and bias of a layer normalization over `size` values (Ba, Kiros, Hinton 2016, arXiv 1607.06450). */
struct normalization {
    const float *weight, *bias;
    size_t size;
    float epsilon;
};

/* One attention head over one sequence: softmax(Q K^T / sqrt(head_size)) V, by rows of queries. */
struct attention_head {
    const float *query; /* [query_count][query_stride], head_size used */
    size_t query_stride, query_count;
    const float *key, *value;  /* [tokens][key_stride], head_size used */
    size_t key_stride, tokens; /* tokens at most KERNEL_MAX_SEQUENCE */
    size_t head_size;          /* a multiple of KERNEL_PANEL_COLUMNS, at most KERNEL_MAX_HEAD_SIZE */
    float *context;            /* [query_count][context_stride], head_size written */
    size_t context_stride;
};

/* After GELU no value lies below -0.17 (its minimum is -0.16997 at x = -0.7518). The transform of the layer
 * that reads it shifts it to u = (x + KERNEL_GELU_OFFSET) * scale >= 0, which is quantized to unsigned bytes:
 * u = byte * scale of the row. */
#define KERNEL_GELU_OFFSET 0.1705f

/* Bytes of scratch that a call may use, 64-byte aligned. */
#define KERNEL_BLOCK_ROWS    12u
#define KERNEL_MAX_HEAD_SIZE 128u
size_t kernels_scratch_size(size_t intermediate_size);

struct kernels {
    const char *name; /* as in RESCOLDO_DISABLE_ISA: "reference", "avx2", "avxvnni", "avx512vnni", "neon",
                         "dotprod", "i8mm" */

    /* residual [count][hidden] = LayerNorm(word + position + segment) of one sequence, positions 0 to count -
     * 1, segment id 0 for the first first_segment tokens and 1 after. */
    void (*embed)(const struct embedding_tables *tables, const struct normalization *normalization,
                  const int32_t *ids, size_t count, size_t first_segment, float *residual);

    /* Transforms and quantizes each row symmetrically: scale = largest magnitude / 127, round half to even.
     */
    void (*quantize)(const float *rows, size_t stride, size_t count, const struct input_transform *transform,
                     const struct activations *quantized);

    /* out [count][stride] = linear(input) for output columns 32 * first_panel to 32 * (first_panel + panels);
     * out points at the column of the first panel. */
    void (*linear)(const struct linear *linear, size_t first_panel, size_t panels,
                   const struct activations *input, size_t count, float *out, size_t stride);

    /* output = GELU(linear(input)), transformed (not optional here) and quantized to unsigned bytes. */
    void (*linear_gelu)(const struct linear *linear, const struct activations *input, size_t count,
                        const struct input_transform *transform, const struct activations *output,
                        void *scratch);

    /* residual = LayerNorm(residual + linear(input)); quantized = the same, transformed and quantized, unless
     * it is NULL. input_is_gelu: input comes from linear_gelu. */
    void (*linear_normalize)(const struct linear *linear, int input_is_gelu, const struct activations *input,
                             size_t count, const struct normalization *normalization, float *residual,
                             const struct input_transform *transform, const struct activations *quantized);

    /* Attention on 8-bit queries, keys, values and probabilities (docs/engine.md). */
    void (*attention)(const struct attention_head *head, void *scratch);

    /* The float32 forms. rows of input and out are `stride` floats apart. */
    void (*linear_f32)(const struct linear *linear, size_t first_panel, size_t panels, const float *input,
                       size_t input_stride, size_t count, float *out, size_t stride);
    void (*gelu_f32)(float *values, size_t count); /* exact erf form, within 2e-7; count a multiple of 16 */
    void (*normalize_f32)(const struct normalization *normalization, const float *addend, size_t count,
                          float *residual); /* residual = LayerNorm(residual + addend) */
    void (*attention_f32)(const struct attention_head *head, void *scratch);

    /* Runs `repeats` rounds of the level's int8 dot product on registers alone and returns the number of
     * multiply-accumulates done: the peak that figures are compared with (kernels/peak.h). */
    uint64_t (*int8_dot_rounds)(uint64_t repeats);
};

/* The best level that the CPU and the operating system offer, minus those named in the environment variable
 * RESCOLDO_DISABLE_ISA (comma-separated names; "avx512" means every level of that family, "all" everything
 * but the reference). Thread-safe; reads the environment at each call. */
const struct kernels *kernels_select(void);

/* Every level this CPU offers, the reference first; writes at most `capacity` and returns the number written.
 */
size_t kernels_available(const struct kernels **levels, size_t capacity);

#endif
