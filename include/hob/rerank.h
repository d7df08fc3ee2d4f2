/* Classifiers: how well a text answers a query (rerankers), or which labels fit a text or two.
 *
 * Texts are laid end to end, as for embeddings: a text's scores have the same bytes alone and in any batch.
 *
 *     float *scores = …;   n_texts
 *     if (hob_rerank(session, query, strlen(query), texts, NULL, n_texts, NULL, scores, &error) != HOB_OK) …
 */
#ifndef HOB_RERANK_H
#define HOB_RERANK_H

#include "hob/encode.h"
#include "hob/session.h"

typedef struct hob_rerank_options {
    bool is_raw;               /* the model's numbers (logits) as they are; else numbers between 0 and 1 */
    hob_encode_options encode; /* where there are texts to encode */
} hob_rerank_options;

/* ret_scores: room for n_texts; the higher the better an answer. Each is the sigmoid of the model's number unless is_raw; no score depends
 * on the other texts.
 * Fails: HOB_UNSUPPORTED (not a classifier, or not one with one label; no tokenizer), HOB_LIMIT (a pair that is too long, where
 * is_strict), HOB_NO_MEMORY. Accuracy: 1e-5 to PyTorch in f32. */
HOB_API HOB_MUST_CHECK hob_status hob_rerank(hob_session *session, const char *query, size_t query_bytes, const char *const *texts,
                                             const size_t *text_bytes, size_t n_texts, const hob_rerank_options *options,
                                             float *ret_scores, hob_error *error);

/* The same for pairs that are encoded already (hob_encode_pairs). types NULL: all 0. Called for pieces it gives the same bytes.
 * Fails: HOB_UNSUPPORTED, HOB_LIMIT (longer than the model's context), HOB_BAD_ARGUMENT (no ids, an id outside the vocabulary),
 * HOB_NO_MEMORY. */
HOB_API HOB_MUST_CHECK hob_status hob_rerank_ids(hob_session *session, const int32_t *const *ids, const int32_t *const *types,
                                                 const size_t *n_ids, size_t n_texts, const hob_rerank_options *options,
                                                 float *ret_scores, hob_error *error);

/* ret_scores: n_texts rows of hob_model_get_info(model).n_labels, in the order of hob_model_label. As config.json's problem_type wants
 * them unless is_raw: probabilities that sum to 1 (softmax), or each by itself (sigmoid) for "multi_label_classification" and where there
 * is one label; "regression" is raw always.
 * Fails: as above, but with any number of labels. */
HOB_API HOB_MUST_CHECK hob_status hob_classify(hob_session *session, const char *const *texts, const size_t *text_bytes, size_t n_texts,
                                               const hob_rerank_options *options, float *ret_scores, hob_error *error);
/* Texts or pairs that are encoded already. */
HOB_API HOB_MUST_CHECK hob_status hob_classify_ids(hob_session *session, const int32_t *const *ids, const int32_t *const *types,
                                                   const size_t *n_ids, size_t n_texts, const hob_rerank_options *options,
                                                   float *ret_scores, hob_error *error);

#endif
