/* Random numbers for operators: element i of an output is a function of the seed, the node and i alone, so its bytes depend neither
 * on the number of threads nor on what ran before.
 *
 * A node with a seed draws the numbers of that seed: two nodes of one seed draw the same. A node without one draws a stream of its
 * own, named by the node: ONNX would have a new one at every run, but every answer of hob's can be had again. Iterations of a loop
 * draw different numbers either way.
 *
 *     struct random_stream stream;
 *     random_stream_prepare(node, &stream);                          in prepare
 *     struct rng rng = random_stream_at(ctx, &stream, i);            in run: for element i, at most RANDOM_WORDS words
 */
#ifndef OPS_RANDOM_STREAM_H
#define OPS_RANDOM_STREAM_H

#include "base/rng.h"
#include "ops/op.h"

enum { RANDOM_WORDS = 4 };

struct random_stream {
    uint64_t seed, stream;
};

/* Reads the attribute seed, a float or (Dropout's) an integer. */
void random_stream_prepare(const struct op_prepare *node, struct random_stream *ret_stream);
struct rng random_stream_at(const struct op_context *ctx, const struct random_stream *stream, int64_t element);

#endif
