/* What quantising cost: a model compared with the one it was made of, on a text.
 *
 * Language models: how well each foretells the next token (perplexity), how far their chances lie apart (Kullback-Leibler divergence
 * of the source's from the made one's, in nats a token), how often both have the same first choice. The text is cut into windows of
 * QUALITY_WINDOW_TOKENS, each read from an empty cache; every token of a window but the first is foretold.
 * Encoders: cosine of the two embeddings of each line of the text.
 *
 *     struct quality quality;
 *     TRY(quality_measure(source, made, &(struct quality_options){.text = text, .n_text_bytes = n}, &quality, error));
 */
#ifndef ENGINE_QUALITY_H
#define ENGINE_QUALITY_H

#include "hob/model.h"

#include <stdint.h>

enum { QUALITY_WINDOW_TOKENS = 512, QUALITY_DEFAULT_TOKENS = 2048, QUALITY_DEFAULT_LINES = 256 };

struct quality_options {
    const char *text;
    size_t n_text_bytes;
    size_t n_threads; /* 0: as many as the process may run on */
    size_t max_items; /* tokens or lines; 0: the default above */
    void (*progress)(void *context, const char *what, double fraction); /* NULL: silent */
    void *progress_context;
};

struct quality {
    hob_model_kind kind; /* HOB_MODEL_DECODER or HOB_MODEL_ENCODER: which of the figures below are there */
    size_t n_items;      /* tokens foretold, or lines */
    double perplexity, source_perplexity, kl_divergence, top1_agreement;
    double cosine_mean, cosine_min;
};

/* Both models are of one kind and vocabulary. Fails: HOB_UNSUPPORTED (a plain graph, no tokenizer), HOB_BAD_ARGUMENT (a text of fewer
 * than two tokens, or without a line; models of different vocabularies or widths), what sessions say. */
HOB_MUST_CHECK hob_status quality_measure(hob_model *source, hob_model *made, const struct quality_options *options,
                                          struct quality *ret_quality, hob_error *error);

#endif
