/* Static embeddings: a vector a token, looked up. A model with a quantised vocabulary has fewer rows than
 * tokens, a mapping from token to row, and a weight a token that the rows are multiplied by.
 *
 * Source: https://github.com/MinishLab/model2vec (Tulkens and van Dongen 2024). */
#include "models/draft.h"

#include "base/error.h"
#include "ops/numbers.h"

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "embeddings",
    [TENSOR_TOKEN_MAPPING] = "mapping",
    [TENSOR_TOKEN_WEIGHTS] = "weights",
};

static const struct tensor *find(const struct draft *d, enum tensor_role role)
{
    char name[SOURCE_NAME_BYTES];
    return model_source_tensor(d->source, role, PART_WEIGHT, 0, name);
}

static hob_status read_tables(struct draft *d, int64_t *ret_n_rows, hob_error *error)
{
    const struct tensor *rows = find(d, TENSOR_TOKEN_EMBEDDING), *mapping = find(d, TENSOR_TOKEN_MAPPING);
    if (!rows || rows->rank != 2 || rows->dims[0] < 1 || rows->dims[1] < 1)
        FAIL(error, rows ? HOB_BAD_SHAPE : HOB_NOT_FOUND, "%s: embeddings: %s, expected [rows,width]",
             d->source->file->path, rows ? "bad shape" : "missing");
    TRY(model_source_int(d->source, KEY_WIDTH, rows->dims[1], &d->width, error));
    d->n_vocab = rows->dims[0];
    if (mapping && mapping->rank == 1) d->n_vocab = mapping->dims[0];
    *ret_n_rows = rows->dims[0];
    d->info->width = d->width;
    d->info->n_vocab = d->n_vocab;
    return HOB_OK;
}

/* The mapping as int64 for Gather, each entry checked: a damaged file must not reach outside the rows. */
static uint32_t add_mapping(struct draft *d, const struct tensor *mapping, int64_t n_rows)
{
    struct builder *b = &d->builder;
    const char *path = d->source->file->path;
    if (mapping->rank != 1 || !numbers_is_integer(mapping->dtype)) {
        builder_fail(b, HOB_BAD_SHAPE, "%s: mapping: found %s of rank %d, expected integers of rank 1", path,
                     dtype_name(mapping->dtype), mapping->rank);
        return VALUE_NONE;
    }
    int64_t n_tokens = mapping->dims[0];
    int64_t *rows = ARENA_NEW(&b->graph->arena, int64_t, (size_t)n_tokens);
    struct tensor copy;
    if (!rows || tensor_init(&copy, DTYPE_I64, 1, &n_tokens, rows, NULL) != HOB_OK) {
        builder_fail(b, HOB_NO_MEMORY, "%s: mapping: out of memory", path);
        return VALUE_NONE;
    }
    numbers_load_i64(mapping, 0, 1, (size_t)n_tokens, rows);
    for (int64_t i = 0; i < n_tokens; i++)
        if (rows[i] < 0 || rows[i] >= n_rows)
            builder_fail(b, HOB_BAD_FILE, "%s: mapping: token %lld: found row %lld, expected 0 to %lld", path,
                         (long long)i, (long long)rows[i], (long long)n_rows - 1);
    return builder_constant(b, "mapping", &copy);
}

static uint32_t scale_rows(struct draft *d, uint32_t rows)
{
    struct builder *b = &d->builder;
    uint32_t table = draft_vector(d, TENSOR_TOKEN_WEIGHTS, PART_WEIGHT, 0, d->n_vocab);
    uint32_t weights = builder_op(b, "Gather", (const uint32_t[]){table, d->ids}, 2, NULL, 0);
    uint32_t last_axis = builder_ints(b, (const int64_t[]){-1}, 1);
    weights = builder_op(b, "Unsqueeze", (const uint32_t[]){weights, last_axis}, 2, NULL, 0);
    return builder_op(b, "Mul", (const uint32_t[]){rows, weights}, 2, NULL, 0);
}

static hob_status build(struct draft *d, hob_error *error)
{
    int64_t n_rows;
    TRY(read_tables(d, &n_rows, error));
    struct model_pooling *pooling = &d->info->pooling;
    TRY(model_source_bool(d->source, KEY_NORMALIZE, pooling->is_normalized, &pooling->is_normalized, error));
    pooling->mode = HOB_POOLING_MEAN;
    pooling->is_plain_text = true;
    d->ids = draft_input(d, "ids", "T");
    uint32_t index = d->ids;
    const struct tensor *mapping = find(d, TENSOR_TOKEN_MAPPING);
    if (mapping) {
        uint32_t inputs[] = {add_mapping(d, mapping, n_rows), d->ids};
        index = builder_op(&d->builder, "Gather", inputs, 2, NULL, 0);
    }
    uint32_t x = draft_embed(d, TENSOR_TOKEN_EMBEDDING, n_rows, index);
    if (find(d, TENSOR_TOKEN_WEIGHTS)) x = scale_rows(d, x);
    builder_output(&d->builder, "hidden", x);
    return HOB_OK;
}

const struct model_def model_model2vec = {
    .name = "model2vec",
    .summary = "static embeddings: a table, no network",
    .kind = MODEL_STATIC,
    .gguf_architecture = "",
    .hf_types = {"model2vec"},
    .hf_prefixes = {""},
    .hf_names = hf_names,
    .build = build,
};
