/* A fuzzer without libFuzzer, for compilers and machines that lack it: runs it over each seed as it is, cut
 * short and changed, the same way every time.
 *
 *   fuzz-replay/NAME RUNS [SEED]...
 *
 * RUNS 0 runs the seeds alone.
 */
#include "../tests/unit/random.h"
#include "base/buffer.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SEEDS    64
#define LARGEST_SEED  ((size_t)4 << 20)
#define MOST_CHANGES  6u
#define LONGEST_PIECE 64u /* bytes that a change moves, removes or repeats */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const unsigned char *data, size_t size) {
    /* Of its own size, so that a read past the end is seen. */
    unsigned char *copy = malloc(size + 1);
    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    unsigned char *exact = realloc(copy, size > 0 ? size : 1);
    (void)LLVMFuzzerTestOneInput(exact == NULL ? copy : exact, size);
    free(exact == NULL ? copy : exact);
}

static size_t piece_at(struct random *random, size_t size, size_t *place) {
    *place = random_below(random, (uint32_t)size);
    size_t length = 1 + random_below(random, LONGEST_PIECE);
    return length < size - *place ? length : size - *place;
}

static void change(struct random *random, const struct buffer *other, struct buffer *input) {
    static const unsigned char extremes[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
    size_t place, from;
    if (input->size == 0)
        return;
    size_t length = piece_at(random, input->size, &place);
    switch (random_below(random, 6)) {
    case 0:
        input->data[place] ^= (unsigned char)(1u << random_below(random, 8));
        break;
    case 1:
        memset(input->data + place, extremes[random_below(random, sizeof extremes)], length < 8 ? length : 8);
        break;
    case 2:
        input->data[place] = (unsigned char)random_bits(random);
        break;
    case 3: /* removed */
        memmove(input->data + place, input->data + place + length, input->size - place - length);
        input->size -= length;
        break;
    case 4: /* repeated */
        if (buffer_append_zeros(input, length, NULL) != STATUS_OK)
            abort();
        memmove(input->data + place + length, input->data + place, input->size - place - length);
        break;
    default: /* a piece of another seed */
        if (other->size == 0)
            return;
        from = random_below(random, (uint32_t)other->size);
        length = length < other->size - from ? length : other->size - from;
        memcpy(input->data + place, other->data + from, length);
        break;
    }
}

static void run_changed(struct random *random, const struct buffer *seeds, uint32_t count) {
    struct buffer input = {0};
    const struct buffer *seed = &seeds[random_below(random, count)];
    if (seed->size > 0 && buffer_append(&input, seed->data, seed->size, NULL) != STATUS_OK)
        abort();
    if (random_below(random, 8) == 0 && input.size > 0)
        input.size = random_below(random, (uint32_t)input.size);
    for (uint32_t changes = 1 + random_below(random, MOST_CHANGES); changes > 0; changes--)
        change(random, &seeds[random_below(random, count)], &input);
    run(input.data, input.size);
    buffer_free(&input);
}

int main(int argc, char **argv) {
    static struct buffer seeds[MOST_SEEDS];
    uint32_t count = 0;
    struct error error;
    if (argc < 3 || argc - 2 > MOST_SEEDS) {
        fprintf(stderr, "usage: %s RUNS SEED... (at most %d)\n", argv[0], MOST_SEEDS);
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        if (file_read(argv[i], LARGEST_SEED, &seeds[count], &error) != STATUS_OK) {
            fprintf(stderr, "%s\n", error.message);
            return 1;
        }
        run(seeds[count].data, seeds[count].size);
        count++;
    }
    struct random random = {20250101};
    unsigned long runs = strtoul(argv[1], NULL, 10);
    for (unsigned long i = 0; i < runs; i++)
        run_changed(&random, seeds, count);
    printf("%s: %lu inputs of %u seeds\n", argv[0], runs + count, count);
    for (uint32_t i = 0; i < count; i++)
        buffer_free(&seeds[i]);
    return 0;
}
