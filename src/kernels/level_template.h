/* A whole level: include last in a level's file, after its lanes and its dot_tile. See int8_template.h for
 * what the file must define; LEVEL_TABLE names the table. */
#include "kernels/attention_layout.h"
#include "kernels/attention_template.h"
#include "kernels/f32_template.h"
#include "kernels/int8_template.h"

const struct kernels LEVEL_TABLE = {
    .name = LEVEL_NAME,
    .embed = level_embed,
    .quantize = level_quantize,
    .linear = level_linear,
    .linear_gelu = level_linear_gelu,
    .linear_normalize = level_linear_normalize,
    .attention = level_attention,
    .linear_f32 = level_linear_f32,
    .gelu_f32 = level_gelu_f32,
    .normalize_f32 = level_normalize_f32,
    .attention_f32 = level_attention_f32,
    .int8_dot_rounds = level_dot_rounds,
};
