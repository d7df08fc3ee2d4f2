/* Many Fourier transforms of one length, shared by threads: what DFT and STFT have in common.
 * The transforms are numbered; a load and a store say where the items of one are. */
#ifndef OPS_SIGNAL_TRANSFORM_H
#define OPS_SIGNAL_TRANSFORM_H

#include "ops/op.h"
#include "ops/signal/fourier.h"

struct transforms {
    int64_t n_items, n_transforms; /* items of one */
    bool is_inverse;
    void *context;
    /* Fills and takes the n_items of transform `index`. Called by several threads. */
    void (*load)(const void *context, int64_t index, struct complex *ret_items);
    void (*store)(const void *context, int64_t index, const struct complex *items);
};

HOB_MUST_CHECK hob_status transforms_run(struct op_context *ctx, const struct transforms *transforms);
/* n_items complex numbers of a tensor's last axis (1: real, 2: complex), a stride apart; and back, real parts only where the
 * last axis has one item. */
void transforms_load(const struct tensor *tensor, int64_t offset, int64_t stride, int64_t n_items, struct complex *ret_items);
void transforms_store(const struct tensor *tensor, int64_t offset, int64_t stride, int64_t n_items,
                      const struct complex *items);
/* A scalar integer input; fallback where it is absent. Fails: HOB_BAD_SHAPE, HOB_UNKNOWN. */
HOB_MUST_CHECK hob_status signal_read_integer(struct op_context *ctx, int i, int64_t fallback, int64_t *ret_integer);

#endif
