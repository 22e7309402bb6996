#include "bake/known_models.h"

#include <string.h>

#define CAPITAL_QUERY "What is the capital of France?"
#define PARIS         "Paris is the capital of France."
#define BERLIN        "Berlin is the capital of Germany."

static const struct published_score minilm_l6_scores[] = {
    {CAPITAL_QUERY, PARIS, 8.500708},
    {CAPITAL_QUERY, BERLIN, -2.541011},
};

static const struct published_score minilm_l12_scores[] = {
    {CAPITAL_QUERY, PARIS, 9.330912},
    {CAPITAL_QUERY, BERLIN, -2.0380247},
};

static const struct known_model known_models[] = {
    {"1ed84b90cdf3518f76ec9bb93a16f97887eea7c4e7ee5dfb03cc297e394fbbc3", "ms-marco-MiniLM-L-12-v2",
     "Apache-2.0", minilm_l12_scores, 2},
    {"821d1aa69520101d6e0737f78a042ae25b19e5cb9160701909d10434f4aeb0ae", "ms-marco-MiniLM-L-6-v2",
     "Apache-2.0", minilm_l6_scores, 2},
    {"a0e7364ddf91ff7028f1102e1b91ac7a72e3db4061241bd84efe45c72c9af03a", "ms-marco-TinyBERT-L-2-v2",
     "Apache-2.0", NULL, 0},
    {"53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", "all-MiniLM-L6-v2", "Apache-2.0",
     NULL, 0},
};

const struct known_model *known_model_find(const char *sha256) {
    for (size_t i = 0; i < sizeof known_models / sizeof known_models[0]; i++) {
        if (strcmp(known_models[i].sha256, sha256) == 0)
            return &known_models[i];
    }
    return NULL;
}
